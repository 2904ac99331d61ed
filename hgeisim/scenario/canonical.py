"""The canonical form of a scenario: defaults filled in, the machine written out, and a digest.

Also the scenarios derived from another one: with another kernel, with another seed, and its clean
twin, which lacks the tasks that take HARTs offline and back or shut the host down.  Shipped kernels
show no finding there, so a fault of a patch is not confused with the hazards of CPU hotplug that
every kernel has.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from hashlib import blake2b
from itertools import groupby
from typing import Any

from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.action import VERBS
from hgeisim.scenario.schema import TABLES, Scenario, Task


def hart_groups(topology: Topology) -> Iterator[tuple[int, int, HartSpec]]:
    """Runs of equal neighbours: the number of the first HART, their count, the specification."""
    first = 0
    for hart, run in groupby(topology.harts):
        count = len(list(run))
        yield first, count, hart
        first += count


def effective(scenario: Scenario) -> dict[str, Any]:
    """The content of a scenario file with the same meaning, ready for JSON; times have units.

    The machine is written out, so that no other file is needed.
    """
    own = {"machine", "topology", "file", "digest"}
    own |= {key for key in ("device", "lock_load") if not getattr(scenario, key)}  # young tables
    content = scenario.model_dump(mode="json", exclude=own, exclude_none=True)
    text = {key: content.pop(key) for key in ("title", "look_at")}
    if no_lines := content.pop("no_lines"):
        text["no_lines"] = no_lines
    if content.pop("survey"):
        text["survey"] = True
    return text | {"machine": _machine(scenario)} | content


def digest(scenario: Scenario, tables: Collection[str] = ()) -> str:
    """The digest of everything that a result depends on: not of the title and the other texts, nor
    of paths or layout.

    With `tables`, only those count.
    """
    counting = tables or TABLES
    content = {key: value for key, value in effective(scenario).items() if key in counting}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _machine(scenario: Scenario) -> dict[str, Any]:
    topology, offline = scenario.topology, scenario.machine.offline or ()
    harts = [
        {"count": count, "guest_files": hart.guest_files}
        | ({} if hart.geilen is None else {"geilen": hart.geilen})
        | ({} if hart.imsic else {"imsic": False})
        for _, count, hart in hart_groups(topology)
    ]
    machine = {"harts": harts, "guest_index_bits": topology.guest_index_bits}
    return machine | ({"offline": list(offline)} if offline else {})


def on_variant(scenario: Scenario, variant: str) -> Scenario:
    """The same scenario with another kernel."""
    kernel = scenario.kernel.model_copy(update={"variant": variant})
    made = scenario.model_copy(update={"kernel": kernel})
    return made.model_copy(update={"digest": digest(made)})


def with_seed(scenario: Scenario, seed: int) -> Scenario:
    """The same scenario with another seed of its random numbers."""
    made = scenario.model_copy(update={"run": scenario.run.model_copy(update={"seed": seed})})
    return made.model_copy(update={"digest": digest(made)})


def clean_twin(scenario: Scenario) -> Scenario | None:
    """The clean twin; None if no task would be left, or if all would."""
    kept = tuple(task for task in scenario.task if not _is_left_out(task))
    if not kept or len(kept) == len(scenario.task):
        return None
    twin = scenario.model_copy(update={"task": kept})
    return twin.model_copy(update={"digest": digest(twin)})


def left_out(scenario: Scenario) -> list[str]:
    """The names of the tasks that the clean twin lacks."""
    return [task.name for task in scenario.task if _is_left_out(task)]


def _is_left_out(task: Task) -> bool:
    return any(
        VERBS[action.verb].hotplug or action.verb in ("suspend", "shutdown") for action in task.does
    )
