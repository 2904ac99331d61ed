"""The cost of checking lock order: beside a run in time, in memory, and by the size of the graph.

    python -m benchmarks.lock_order [ROUNDS]

In CPU time, medians of the rounds, checked and unchecked alternately in one process.  A run is
measured when it is warm: everything it does has been judged before.
"""

from __future__ import annotations

import gc
import sys
import time
from statistics import median

from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.lockorder.graph.lock_class import KINDS, Lock
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Stream, Streams

SCENARIOS = {"big-little": (200, 60), "migration-storm": (100, 40), "hotplug-storm": (100, 40)}
"""ms after which a run is warm, and ms that are measured then."""
MS = 1_000_000
OPERATIONS = 100_000
CLASSES = (100, 500, 2_000)
CONTEXTS, DEPTH = 8, 4
"""Random contexts, and locks that each takes inside each other."""


def prepared(name: str, checked: bool, warm_ms: int) -> Simulation:
    """A simulation that has come to where it is warm."""
    scenario = load_scenario(name, {"until": f"{4 * warm_ms}ms"})
    simulation = simulate(scenario, form=fused)
    if not checked:
        order = simulation.lock_order
        assert order is not None, "a run is checked"
        for looks in simulation.k.watch.done.values():
            looks[:] = [look for look in looks if getattr(look, "__self__", None) is not order]
    simulation.run(warm_ms * MS)
    return simulation


def run_s(simulation: Simulation, until_ms: int) -> float:
    """CPU seconds up to a time."""
    gc.collect()
    start_s = time.process_time()
    simulation.run(until_ms * MS)
    return time.process_time() - start_s


def overhead(name: str, rounds: int) -> str:
    """A row: how much longer a warm run takes when it is checked, and what is known at the end."""
    warm_ms, measured_ms = SCENARIOS[name]
    ratios, chains = [], (0, 0)
    sides = [prepared(name, checked, warm_ms) for checked in (True, False)]
    for number in range(rounds):
        until_ms = warm_ms + (number + 1) * measured_ms // rounds
        spent_s = [0.0, 0.0]
        for side in (0, 1) if number % 2 else (1, 0):
            spent_s[side] = run_s(sides[side], until_ms)
        ratios.append(spent_s[0] / spent_s[1])
        order = sides[0].lock_order
        assert order is not None, "a run is checked"
        known = order.validator.sizes.chains
        chains = (chains[0] or known, known)
    return f"{name:<18} {median(ratios) - 1:>9.0%} {chains[0]:>12,} {chains[1]:>12,}"


def random_operations(classes: int, draw: Stream) -> float:
    """CPU seconds of contexts that take random locks inside each other, in one order of all."""
    validator = Validator()
    locks = [Lock(f"lock{n}", KINDS["spinlock"]) for n in range(classes)]
    contexts = [validator.context(f"task {n}") for n in range(CONTEXTS)]
    plans = [
        (contexts[draw.below(CONTEXTS)], sorted({draw.below(classes) for _ in range(DEPTH)}))
        for _ in range(OPERATIONS // (2 * DEPTH))
    ]
    gc.collect()  # the validator of the round before
    start_s = time.process_time()
    for context, wanted in plans:
        for number in wanted:
            validator.acquire(context, locks[number])
        for number in reversed(wanted):
            validator.release(context, locks[number])
    return time.process_time() - start_s


def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{'warm run':<18} {'more time':>9} {'chains before':>12} {'after':>12}")
    for name in SCENARIOS:
        print(overhead(name, rounds))
    print(f"\n{'classes':>7} {'s for 100,000':>14} {'µs each':>8}")
    draw = Streams(1).stream("lock order")
    for classes in CLASSES:
        spent_s = median(random_operations(classes, draw) for _ in range(rounds))
        print(f"{classes:>7,} {spent_s:>14.2f} {spent_s / OPERATIONS * 1e6:>8.1f}")


if __name__ == "__main__":
    main()
