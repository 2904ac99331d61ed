"""How fast interleavings are searched: transitions/s, states/s, and bytes of memory a state.

    python -m benchmarks.explore [ROUNDS]

`cold` is the first search of a space, which learns the steps; `warm` finds them learned and is the
median of the rounds.  Time is CPU time.  `plain` visits the same states but asks every context in
every state, so `to plain`, the median ratio of alternating rounds, says what the short cuts gain.
Memory is the peak of one warm search, divided by its states.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Callable
from statistics import median

from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.scenario.load import load_scenario

SCENARIOS = ("patch-race", "move-offline", "blocked-move")
STATES_MAX = 3_000_000


def plain(space: Space) -> None:
    """Reach every state once, asking every context and every check in each."""
    start = space.initial()
    seen, queue = {start}, deque([start])
    while queue:
        for _, there, _ in space.successors(queue.popleft()):
            if there not in seen:
                space.invariants.of(there)
                seen.add(there)
                queue.append(there)


def seconds(run: Callable[[], object]) -> float:
    """CPU time of a call."""
    gc.collect()
    start = time.process_time()
    run()
    return time.process_time() - start


def bytes_max(run: Callable[[], object]) -> int:
    """The most memory that a call holds at a time."""
    gc.collect()
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def row(name: str, rounds: int) -> str:
    """One row of the table."""
    space = space_of(load_scenario(name, {}))
    cold_s = seconds(lambda: exhaustive(space, STATES_MAX))
    verdict = exhaustive(space, STATES_MAX)
    times_s: list[tuple[float, float]] = []
    for _ in range(rounds):
        fast_s = seconds(lambda: exhaustive(space, STATES_MAX))
        times_s.append((fast_s, seconds(lambda: plain(space))))
    warm_s = median(fast_s for fast_s, _ in times_s)
    ratio = median(plain_s / fast_s for fast_s, plain_s in times_s)
    memory = bytes_max(lambda: exhaustive(space, STATES_MAX)) / verdict.states
    return (
        f"{name:<13}{verdict.states:>9,}{verdict.transitions:>12,}{cold_s:>8.2f}{warm_s:>8.2f}"
        f"{verdict.transitions / warm_s:>14,.0f}{verdict.states / warm_s:>10,.0f}"
        f"{memory:>8.0f}{ratio:>9.2f}"
    )


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(
        f"{'scenario':<13}{'states':>9}{'transitions':>12}{'cold s':>8}{'warm s':>8}"
        f"{'transitions/s':>14}{'states/s':>10}{'B/state':>8}{'to plain':>9}"
    )
    for name in SCENARIOS:
        print(row(name, rounds), flush=True)


if __name__ == "__main__":
    main()
