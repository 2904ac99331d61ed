"""How fast interleavings are searched, by the compiled loop and by Python's.

    python -m benchmarks.explore [ROUNDS]

`cold` is the first search of a space, which learns the steps; `warm` finds them learned and is the
median of the rounds.  Time is CPU time.  Python's loop searches the same space in the same rounds;
`to python` is the median of the ratios.  `B/state` is the memory of the compiled search, `walks`
how many steps a second random schedules make, with all checks on.  Without a compiler both are
Python's.  The last line has the CPU seconds until the portfolio shows each finding of a scenario
that no search finishes, from making its space on.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from hgeisim.drivers.explored.compiled.library import PURE, engine
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.compiled import Compiled
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive, search_of
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import Draw
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Streams

SCENARIOS = (
    ("patch-race", "v6.12+percpu-v2"),
    ("move-offline", "v7.0"),
    ("one-vm", "v7.0"),
    ("two-lines", "v7.0"),
)
STATES_MAX = 5_000_000
LARGE_MAX = 1_000_000
WALKS = 2_000


class Timed(NamedTuple):
    """CPU seconds of a call, and what it returned."""

    seconds: float
    verdict: Verdict


def timed(run: Callable[[], Verdict]) -> Timed:
    """Make a call."""
    gc.collect()
    start = time.process_time()
    verdict = run()
    return Timed(time.process_time() - start, verdict)


def pure(run: Callable[[], Verdict]) -> Timed:
    """Make it with Python's loop."""
    os.environ[PURE] = "1"
    try:
        return timed(run)
    finally:
        del os.environ[PURE]


def bytes_a_state(space: Space) -> float:
    """The memory of a compiled search; 0 without one."""
    search = search_of(space, Verdict(), frozenset())
    search.run(STATES_MAX, None)
    return search.core.bytes_used / len(search) if isinstance(search, Compiled) else 0.0


def walk_rate(space: Space) -> float:
    """Steps a second of random schedules in single operations, once all is learned."""

    def walk() -> Verdict:
        return random_walk(space.fine, WALKS, Draw(Streams(1).stream("walk")))

    walk()
    seconds, verdict = timed(walk)
    return verdict.transitions / seconds


def row(name: str, variant: str, rounds: int) -> str:
    """One row of the table."""
    space = space_of(load_scenario(name, {"variant": variant}))

    def search() -> Verdict:
        return exhaustive(space, STATES_MAX)

    cold = timed(search)
    pairs = [(timed(search).seconds, pure(search).seconds) for _ in range(rounds)]
    warm_s, python_s = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(python / warm for warm, python in pairs)
    verdict = cold.verdict
    return (
        f"{name:<13}{verdict.states:>10,}{verdict.transitions:>12,}{cold.seconds:>8.2f}"
        f"{warm_s:>8.2f}{verdict.transitions / warm_s:>14,.0f}{python_s:>10.2f}{ratio:>11.1f}"
        f"{bytes_a_state(space):>9.0f}{walk_rate(space):>12,.0f}"
    )


def first_findings(name: str, variant: str) -> str:
    """After how many CPU seconds from nothing the portfolio has shown each finding."""
    start, shown = time.process_time(), dict[str, float]()

    def note(finding_id: str) -> bool:
        shown.setdefault(finding_id, time.process_time() - start)
        return False

    space = space_of(load_scenario(name, {"variant": variant}))
    verdict = portfolio(space, LARGE_MAX, enough=note)
    first = ", ".join(f"{finding} {seconds:.1f}" for finding, seconds in shown.items())
    return f"{name} on {variant}, {verdict.states:,} states: seconds to {first}"


def main() -> None:
    """Print the table, then what shows in a scenario that is too large."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"search: {engine()}")
    print(
        f"{'scenario':<13}{'states':>10}{'transitions':>12}{'cold s':>8}{'warm s':>8}"
        f"{'transitions/s':>14}{'python s':>10}{'to python':>11}{'B/state':>9}{'walks':>12}"
    )
    for name, variant in SCENARIOS:
        print(row(name, variant, rounds), flush=True)
    print(first_findings("everything", "v7.0"))


if __name__ == "__main__":
    main()
