"""The cost of the seam: operations/s of the shipped paths under the shipped driver, against naive
SimPy code for the same load, and against bare SimPy timeouts with as many processes.

    python -m benchmarks.seam [ROUNDS]

All run alternately in one process, in CPU time, without their set-up; ratios are medians of the
rounds.  `direct` calls alloc_hgei and free_hgei, `update` the whole of imsic_update.  The last
table has the cost of an operation by number of HARTs: what a longer run costs more.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Protocol

import simpy

from benchmarks.load import Load
from benchmarks.naive import Naive
from benchmarks.shipped import Shipped, Updating

SIZES = {4: 10_000_000, 64: 1_500_000, 1024: 250_000}
"""Simulated ns by number of HARTs, so that each run takes half a second or so."""
GROWTH = {4: 8_000_000, 256: 300_000, 1024: 100_000}
"""The same for the table of costs; each is run for so long, and for three times as long."""


class Side(Protocol):
    """Something to run."""

    def run(self) -> int:
        """Simulate; returns the number of operations."""


class Bare:
    """Timeouts of stock SimPy with the same number of processes."""

    def __init__(self, harts: int, load: Load) -> None:
        self.env, self.until_ns, self.count = simpy.Environment(), load.until_ns // 5, 0
        for i in range(harts * (load.vcpus_per_hart + 1) + 1):
            self.env.process(self.sleeper(2_000 + i % 997))

    def sleeper(self, delay_ns: int) -> simpy.events.ProcessGenerator:
        """Nothing but timeouts."""
        while True:
            yield self.env.timeout(delay_ns)
            self.count += 1

    def run(self) -> int:
        """Simulate; returns the number of timeouts."""
        self.env.run(until=self.until_ns)
        return self.count


SIDES: dict[str, Callable[[int, Load], Side]] = {
    "naive": Naive,
    "direct": Shipped,
    "update": Updating,
    "bare": Bare,
}


def measure(side: Side) -> tuple[int, float]:
    """Operations, and the seconds of CPU time that they took."""
    gc.collect()
    start = time.process_time()
    ops = side.run()
    return ops, time.process_time() - start


def compare(harts: int, until_ns: int, rounds: int) -> str:
    """One row of the first table."""
    load = Load(until_ns)
    rates: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(rounds):
        for name in list(SIDES)[:: 1 if number % 2 == 0 else -1]:
            ops, seconds = measure(SIDES[name](harts, load))
            rates[name].append(ops / seconds)

    def ratio(one: str, other: str) -> float:
        return median(a / b for a, b in zip(rates[one], rates[other], strict=True))

    absolute = " ".join(f"{median(rates[name]):>12,.0f}" for name in SIDES)
    pairs = (("direct", "naive"), ("direct", "bare"), ("update", "naive"))
    return f"{harts:>5} {absolute} " + " ".join(f"{ratio(*pair):>13.2f}" for pair in pairs)


def cost_us(name: str, harts: int, until_ns: int) -> float:
    """The cost of one more operation of a side, in us of CPU time."""
    few, short_s = measure(SIDES[name](harts, Load(until_ns)))
    many, long_s = measure(SIDES[name](harts, Load(3 * until_ns)))
    return (long_s - short_s) / (many - few) * 1e6


def growth(name: str, rounds: int) -> str:
    """The cost of one more operation of a side on more HARTs."""
    costs = [[cost_us(name, *size) for size in GROWTH.items()] for _ in range(rounds)]
    return " ".join(
        f"{median(c[i] for c in costs):>8.1f} us ({median(c[i] / c[0] for c in costs):.2f})"
        for i in range(len(GROWTH))
    )


def main() -> None:
    """Print both tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    heads = ("naive ops/s", "direct ops/s", "update ops/s", "bare/s")
    ratios = ("direct/naive", "direct/bare", "update/naive")
    print(f"HARTs {' '.join(f'{h:>12}' for h in heads)} {' '.join(f'{r:>13}' for r in ratios)}")
    for harts, until_ns in SIZES.items():
        print(compare(harts, until_ns, rounds), flush=True)
    print(f"one more operation on {', '.join(map(str, GROWTH))} HARTs (times the first):")
    for name in ("direct", "naive"):
        print(f"{name:>6} {growth(name, rounds)}", flush=True)


if __name__ == "__main__":
    main()
