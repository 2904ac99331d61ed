"""The kernel's own objects against the model: all ends of searches, and common schedules in time.

    make object-proof                             on the build of make kernel-object
    python -m benchmarks.object_proof NAME ...    some scenarios
    BUILD=DIR PATCHED=DIR OTHER=DIR STATES=300000 SEEDS=20 ...

Searches: end states are projected on what the model has, without the positions of contexts,
counters of locks and words that only objects use.  A scenario is equal when the same ends can be
reached and the same findings show.  Nothing with more than STATES states in the model is searched.

In time, one seed is one schedule: the same load, and costs drawn from the same streams.  It is
equal when timeline, findings and MSIs are the same.  All scenarios run so, in SEEDS seeds.

OTHER is the same source built with other options; both builds have to reach the same ends.  Each
row that is not equal is a fault of the model, of the adapter, or a matter of granularity;
docs/object-code.md explains those that are known.  At the end stands how much of the C was
executed.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import searches
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, Verdict
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.errors import InputError
from hgeisim.kernel.variants import find_variant
from hgeisim.library.own_patch import execute
from hgeisim.library.scenarios import load, scenarios
from hgeisim.object.coverage import Coverage
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.scenario.timing import Timing

BUILD = "out/kernel-object/build-6.12-full"
PATCHED = "out/kernel-object/build-6.12-percpu-v2-on-6.12-full"
OTHER = "out/kernel-object/build-6.12-full-O1"
MODEL, PATCH = "v6.12+stable", "percpu-v2"
STATES, SEEDS = 300_000, 20
PREEMPTIBLE = {"kernel.preemption": "full"}
UNTIL_NS = 2_000_000
"""How long a run in time lasts; its costs are exponential, with the means that are the defaults."""
LEFT_OUT = re.compile(
    r"^pc |\.(ticket|phase|got|next|owner|isel|vsfile_of|vsiselect|ipi_mask|sgei_lines|mrif)$"
    r"|\.data\.|\.ledger\.|^object word|\.stack$|\+0x|imsic_state$|hgei_parent_irq"
)
"""The cells that are not compared."""
SHOWN = 3
"""Examples of a difference."""
Ends = dict[tuple[tuple[str, int], ...], None]


class Outcome(NamedTuple):
    """A search: how many states, the ends it reached, and its findings."""

    states: int
    exhausted: bool
    ends: Ends
    findings: tuple[str, ...]
    seconds: float


def search(
    name: str,
    variant: str,
    states_max: int,
    common: frozenset[str],
    seen: Coverage | None = None,
) -> Outcome:
    """Search a scenario; `common` are the cells that both have, and `seen` counts the code."""
    begin = time.process_time()
    space = space_of(load(name, variant=variant))
    verdict = Verdict()
    found: Any = None
    with verdict.kept():
        for found in searches(space, verdict):
            if found.run(states_max, None):
                break
    if seen is not None:
        seen.add(space.system.k.object)  # type: ignore[attr-defined]
    exhausted = verdict.coverage == EXHAUSTED
    ends = ends_of(space, found, common) if exhausted else {}
    findings = tuple(sorted(verdict.counterexamples))
    return Outcome(len(found), exhausted, ends, findings, time.process_time() - begin)


def ends_of(space: Space, found: Any, common: frozenset[str]) -> Ends:
    """The states from which no context can step, as far as they are compared."""
    names = space.codebook.names
    kept = [i for i, each in enumerate(names) if each in common]
    ends: Ends = {}
    for number in range(len(found)):
        state = found.state(number)
        if all(answer.writes is None for answer in space.answers(state)):
            cells = space.codebook.decode(state)
            ends[tuple((names[i], cells[i]) for i in kept)] = None
    return ends


def common_cells(name: str, *variants: str) -> frozenset[str]:
    """The cells of the model that all kernels have, and that are compared."""
    each = [set(space_of(load(name, variant=v)).system.memory.names) for v in variants]
    return frozenset(cell for cell in set.intersection(*each) if not LEFT_OUT.search(cell))


def difference(one: Ends, other: Ends) -> list[str]:
    """Some ends of one that the other lacks, each by how it differs from the nearest."""
    lines = []
    for end in [end for end in one if end not in other][:SHOWN]:
        near = min(other, key=lambda each: sum(a != b for a, b in zip(end, each, strict=True)))
        cells = [f"{a[0]} {b[1]} -> {a[1]}" for a, b in zip(end, near, strict=True) if a != b]
        lines.append("; ".join(cells[:6]))
    return lines


def compare(
    name: str, model: str, build: str, states_max: int, seen: Coverage | None = None
) -> bool:
    """Compare one scenario; prints a row and returns whether it is equal, or not compared."""
    other = f"{MODEL}+object:{build}"
    common = common_cells(name, model, other)
    ours = search(name, model, states_max, common)
    if not ours.exhausted:
        print(f"{name:20} not compared: the model has more than {states_max:,} states", flush=True)
        return True
    theirs = search(name, other, 4 * states_max, common, seen)
    if not theirs.exhausted:
        print(f"{name:20} not compared: the object has more than {4 * states_max:,} states")
        return True
    both = len(ours.ends.keys() & theirs.ends.keys())
    same = ours.ends.keys() == theirs.ends.keys() and ours.findings == theirs.findings
    word = "equal" if same else "DIFFERS"
    print(
        f"{name:20} {word:8} states {ours.states:,} and {theirs.states:,}, "
        f"ends {len(ours.ends)} and {len(theirs.ends)}, {both} of them common; "
        f"{ours.seconds:.1f} s and {theirs.seconds:.1f} s",
        flush=True,
    )
    for what, here, there in (("model", ours, theirs), ("object", theirs, ours)):
        for line in difference(here.ends, there.ends) if there.ends else ():
            print(f"    only {what}: {line}")
        for each in here.findings:
            if each not in there.findings:
                print(f"    only {what}: finding {each}")
    return same


def outcome_in_time(name: str, variant: str, seed: int, seen: Coverage | None = None) -> Any:
    """Timeline, findings and MSIs of a run."""
    scenario = load(name, variant=variant, seed=seed, set=PREEMPTIBLE)
    scenario = scenario.model_copy(update={"timing": random_costs()})
    made = simulate(scenario, record="occupancy")
    made.run(UNTIL_NS)
    if seen is not None:
        seen.add(made.k.object)  # type: ignore[attr-defined]
    findings = {ident: time_ns for ident, (time_ns, _) in made.findings.items()}
    return fingerprint(made.timeline), findings, made.msis()["all"]


def random_costs() -> Timing:
    """Exponential costs."""
    means = {each: cost["value"] for each, cost in Timing().model_dump().items()}
    laws = {each: {"distribution": "exponential", "mean": mean} for each, mean in means.items()}
    return Timing.model_validate(laws)


def compare_in_time(name: str, build: str, seeds: int, seen: Coverage) -> bool:
    """Compare the runs of one scenario; prints a row and returns whether all are equal."""
    other, begin = f"{MODEL}+object:{build}", time.process_time()
    try:
        load(name, variant=other, set=PREEMPTIBLE)
    except InputError as error:
        print(f"{name:20} not compared: {error.problems[0].allowed}")
        return True
    apart = [
        seed
        for seed in range(1, seeds + 1)
        if outcome_in_time(name, MODEL, seed) != outcome_in_time(name, other, seed, seen)
    ]
    word = f"DIFFERS in seeds {', '.join(map(str, apart[:SHOWN]))}" if apart else "equal"
    print(f"{name:20} {word}; {seeds} schedules in time", end="")
    print(f", {len(apart)} of them apart" if apart else "", end="")
    print(f"; {time.process_time() - begin:.0f} s", flush=True)
    return not apart


def fits(name: str) -> bool:
    """Whether a scenario is for a kernel such as the build: preemptible, and tasks to search."""
    try:
        return load(name, variant=MODEL).kernel.preemption == "full"
    except Exception:  # noqa: BLE001 - it needs another kernel
        return False


def coverage_lines(seen: Coverage) -> Iterator[str]:
    """How much of each file of C was executed, and which lines never were."""
    for name, file in seen.files().items():
        stretches = ", ".join(
            f"{first}" if first == last else f"{first}-{last}" for first, last in file.never()
        )
        yield (
            f"{name}: {file.executed} of {len(file.lines)} lines, {file.taken} of {file.ways} "
            f"ways of branches; never: {stretches or 'nothing'}"
        )


def main(names: list[str]) -> int:
    """Compare what the command line names, or all."""
    build, patched, other = (
        os.environ.get(key) or usual
        for key, usual in (("BUILD", BUILD), ("PATCHED", PATCHED), ("OTHER", OTHER))
    )
    states, seeds = (
        int(os.environ.get(key) or usual) for key, usual in (("STATES", STATES), ("SEEDS", SEEDS))
    )
    if not Path(build).is_dir():
        print(f"object-proof: there is no {build}: make kernel-object")
        return 2
    variant = f"{MODEL}+object:{build}"
    execute(variant)
    kernel: Any = find_variant(variant)
    seen = Coverage(kernel.image, kernel.debug)
    every = [each["name"] for each in scenarios() if not names or each["name"] in names]
    tasks = [each["name"] for each in scenarios() if each["for"] == "explore"]
    searched = [each for each in every if each in tasks and fits(each)]
    results = [compare(each, MODEL, build, states, seen) for each in searched]
    if Path(patched).is_dir():
        model = f"{MODEL}+{PATCH}"
        both = searched if names else ["patch-race"]
        results += [compare(each, model, patched, states) for each in both]
    else:
        print("patch-race with percpu-v2: skipped: no patch (make kernel-object PATCH=FILE)")
    if Path(other).is_dir():
        print(f"{build} beside {other}:")
        few = states // 10
        results += [compare(each, variant, other, few) for each in searched]
    else:
        print("another build: skipped: none here (make kernel-object OPTIONS=-O1)")
    results += [compare_in_time(each, build, seeds, seen) for each in every]
    print("\n".join(coverage_lines(seen)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
