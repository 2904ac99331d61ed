"""What a scenario amounts to: defaults filled in, the machine written out, a digest of it all."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from hashlib import blake2b
from itertools import groupby
from typing import Any

from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.schema import TABLES, Scenario


def hart_groups(topology: Topology) -> Iterator[tuple[int, int, HartSpec]]:
    """Runs of equal neighbours: (number of the first HART, how many, what each is like)."""
    first = 0
    for hart, run in groupby(topology.harts):
        count = len(list(run))
        yield first, count, hart
        first += count


def effective(scenario: Scenario) -> dict[str, Any]:
    """All keys of a scenario file that would mean the same, ready for JSON; times have units.

    The machine is written out, so that no other file is needed.
    """
    own = {"machine", "topology", "file", "digest"}
    content = scenario.model_dump(mode="json", exclude=own, exclude_none=True)
    text = {key: content.pop(key) for key in ("title", "look_at")}
    if no_lines := content.pop("no_lines"):
        text["no_lines"] = no_lines
    if content.pop("survey"):
        text["survey"] = True
    return text | {"machine": _machine(scenario.topology)} | content


def digest(scenario: Scenario, tables: Collection[str] = ()) -> str:
    """Digest of everything that a result depends on: not of what the file says of itself (title and
    so on), nor of paths or layout.

    With `tables`, only those count.
    """
    counting = tables or TABLES
    content = {key: value for key, value in effective(scenario).items() if key in counting}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _machine(topology: Topology) -> dict[str, Any]:
    harts = [
        {"count": count, "guest_files": hart.guest_files}
        | ({} if hart.geilen is None else {"geilen": hart.geilen})
        for _, count, hart in hart_groups(topology)
    ]
    return {"harts": harts, "guest_index_bits": topology.guest_index_bits}
