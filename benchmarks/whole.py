"""Whole faithful scenarios: run loop, sweeps, fences, scheduler; and what SGEIs leave in the queue.

    python -m benchmarks.whole [ROUNDS]

Operations (allocations, failed ones, frees, SGEIs, releases, hotplugs) a second of CPU time and the
part of real time, with the timeline alone recorded; medians.
"""

from __future__ import annotations

import sys
import time
from statistics import median

from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.runs.timeline import SGEI
from hgeisim.scenario.load import load_scenario

SCENARIOS = {"big-little": 8, "server-64": 64}
"""Scenarios by name, with their HARTs."""


def row(name: str, harts: int, rounds: int) -> str:
    """One line of the table."""
    scenario = load_scenario(name, {})
    rates, parts = [], []
    for _ in range(rounds):
        simulation = simulate(scenario, record="occupancy", form=fused)
        start = time.process_time()
        simulation.run(scenario.run.until)
        spent_s = time.process_time() - start
        rates.append(len(simulation.timeline.event_kind) / spent_s)
        parts.append(scenario.run.until / 1e9 / spent_s)
    return f"{name:<12}{harts:>6}{median(rates):>10,.0f}{median(parts):>12.4f}"


def leftovers(until: str) -> str:
    """Entries of the queue before and after many SGEIs."""
    scenario = load_scenario("sgei-storm", {"until": until})
    simulation = simulate(scenario, record="occupancy", form=fused)
    simulation.run(scenario.run.until // 100)
    before = len(simulation.env._queue)
    simulation.run(scenario.run.until)
    handled = simulation.timeline.event_kind.count(SGEI)
    after = len(simulation.env._queue)
    return f"{handled:,} SGEIs: {before} entries in the queue before, {after} after"


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{'scenario':<12}{'HARTs':>6}{'ops/s':>10}{'real time':>12}")
    for name, harts in SCENARIOS.items():
        print(row(name, harts, rounds), flush=True)
    print(leftovers("1s"))


if __name__ == "__main__":
    main()
