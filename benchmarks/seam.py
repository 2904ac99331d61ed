"""What the seam costs: operations/s of the shipped paths under the shipped driver, against naive
SimPy code for the same load, and against bare SimPy timeouts with as many processes.

    python -m benchmarks.seam [ROUNDS]

Both run alternately in one process, in CPU time; the ratios are medians of the rounds.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from statistics import median

import simpy

from benchmarks.load import Load
from benchmarks.naive import Naive
from benchmarks.shipped import Shipped

SIZES = {4: 20_000_000, 64: 1_500_000, 1024: 100_000}
"""Simulated ns by number of HARTs, so that each run takes a second or so."""


def bare(harts: int, load: Load) -> int:
    """Timeouts of stock SimPy with the same number of processes; returns how many."""
    env = simpy.Environment()
    count = 0

    def sleeper(delay_ns: int) -> simpy.events.ProcessGenerator:
        nonlocal count
        while True:
            yield env.timeout(delay_ns)
            count += 1

    for i in range(harts * (load.vcpus_per_hart + 1) + 1):
        env.process(sleeper(2_000 + i % 997))
    env.run(until=load.until_ns // 10)
    return count


def rate(run: Callable[[], int]) -> float:
    """Operations a second of CPU time, set-up included."""
    gc.collect()
    start = time.process_time()
    ops = run()
    return ops / (time.process_time() - start)


def compare(harts: int, until_ns: int, rounds: int) -> str:
    """One row of the table."""
    load = Load(until_ns)
    sides: dict[str, Callable[[], int]] = {
        "naive": lambda: Naive(harts, load).run(),
        "shipped": lambda: Shipped(harts, load).run(),
        "bare": lambda: bare(harts, load),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            rates[name].append(rate(sides[name]))
    middle = {name: median(values) for name, values in rates.items()}
    ratios = [
        median(a / b for a, b in zip(rates["shipped"], rates[other], strict=True))
        for other in ("naive", "bare")
    ]
    return (
        f"{harts:>5} {middle['naive']:>12,.0f} {middle['shipped']:>12,.0f} "
        f"{middle['bare']:>14,.0f} {ratios[0]:>10.2f} {ratios[1]:>9.2f}"
    )


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    heads = ("HARTs", "naive ops/s", "shipped ops/s", "bare events/s", "to naive", "to bare")
    print(f"{heads[0]:>5} {heads[1]:>12} {heads[2]:>12} {heads[3]:>14} {heads[4]:>9} {heads[5]:>9}")
    for harts, until_ns in SIZES.items():
        print(compare(harts, until_ns, rounds))


if __name__ == "__main__":
    main()
