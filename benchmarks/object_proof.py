"""The kernel's own objects against the model: the end states that each can reach, exhaustively.

    make object-proof                             on the build of make kernel-object
    python -m benchmarks.object_proof NAME ...    some scenarios
    BUILD=DIR PATCHED=DIR STATES=300000 ...       other builds; nothing larger is compared

End states are projected on what the model has: without the positions of contexts, counters of locks
and words that only objects use.  A scenario is equal when the same ends can be reached and the same
findings show.  Each other row is a fault of the model, of the adapter, or a matter of granularity;
docs/object-code.md explains those that are known.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import searches
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, Verdict
from hgeisim.library.scenarios import load, scenarios

BUILD = "out/kernel-object/build-6.12-full"
PATCHED = "out/kernel-object/build-6.12-percpu-v2-on-6.12-full"
MODEL, PATCH = "v6.12+stable", "percpu-v2"
STATES = 300_000
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


def search(name: str, variant: str, states_max: int, common: frozenset[str]) -> Outcome:
    """Search a scenario; `common` are the cells that both have, none for all."""
    begin = time.process_time()
    space = space_of(load(name, variant=variant))
    verdict = Verdict()
    found: Any = None
    with verdict.kept():
        for found in searches(space, verdict):
            if found.run(states_max, None):
                break
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


def compare(name: str, model: str, build: str, states_max: int) -> bool:
    """Compare one scenario; prints a row and returns whether it is equal, or not compared."""
    other = f"{MODEL}+object:{build}"
    common = common_cells(name, model, other)
    ours = search(name, model, states_max, common)
    if not ours.exhausted:
        print(f"{name:20} not compared: the model has more than {states_max:,} states", flush=True)
        return True
    theirs = search(name, other, 4 * states_max, common)
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


def fits(name: str) -> bool:
    """Whether a scenario is for a kernel such as the build: preemptible, and tasks to search."""
    try:
        return load(name, variant=MODEL).kernel.preemption == "full"
    except Exception:  # noqa: BLE001 - it needs another kernel
        return False


def main(names: list[str]) -> int:
    """Compare what the command line names, or all."""
    build, patched = (os.environ.get("BUILD") or BUILD, os.environ.get("PATCHED") or PATCHED)
    states = int(os.environ.get("STATES") or STATES)
    if not Path(build).is_dir():
        print(f"object-proof: there is no {build}: make kernel-object")
        return 2
    listed = [each["name"] for each in scenarios() if each["for"] == "explore"]
    results = [compare(each, MODEL, build, states) for each in names or filter(fits, listed)]
    if Path(patched).is_dir():
        model = f"{MODEL}+{PATCH}"
        results += [compare(each, model, patched, states) for each in names or ["patch-race"]]
    else:
        print("patch-race with percpu-v2: skipped: no patch (make kernel-object PATCH=FILE)")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
