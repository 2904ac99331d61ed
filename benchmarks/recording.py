"""The cost of recording: time for the timeline, and for all tables; memory for the occupancy.

    python -m benchmarks.recording [ROUNDS]

`off` is watched by nobody; `occupancy` records the timeline; `tables` all that
can be recorded; with `all`, lock order is checked, too, as `hgeisim run` does by default.  They run
alternately in one process, in CPU time; the ratios are medians of the rounds.  Memory is that of
the columns of occupancy in bytes a record.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from statistics import median

from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.runs.timeline import Timeline
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario

OCCUPANCY_RECORDS = 1_000_000


def off(scenario: Scenario) -> Simulation:
    """A simulation that nobody watches."""
    simulation = simulate(scenario, record="occupancy", form=fused)
    watch = simulation.k.watch
    for table in (watch.done, watch.entered, watch.returned):
        table.clear()
    return simulation


def tables(scenario: Scenario) -> Simulation:
    """All tables, and nobody who looks at lock order."""
    simulation = simulate(scenario, form=fused)
    order, simulation.lock_order = simulation.lock_order, None
    for looks in simulation.k.watch.done.values():
        looks[:] = [look for look in looks if getattr(look, "__self__", None) is not order]
    return simulation


SIDES: dict[str, Callable[[Scenario], Simulation]] = {
    "off": off,
    "occupancy": lambda scenario: simulate(scenario, record="occupancy", form=fused),
    "tables": tables,
    "all": lambda scenario: simulate(scenario, form=fused),
}


def seconds(scenario: Scenario, start: Callable[[Scenario], Simulation]) -> float:
    """CPU time of a run, without its set-up."""
    simulation = start(scenario)
    gc.collect()
    begin = time.process_time()
    simulation.run(scenario.run.until)
    return time.process_time() - begin


def row(scenario: Scenario, rounds: int) -> str:
    """One row of the table."""
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(rounds):
        for name in list(SIDES)[:: 1 if number % 2 == 0 else -1]:
            times[name].append(seconds(scenario, SIDES[name]))
    more = {
        name: median(a / b for a, b in zip(times[name], times["off"], strict=True)) - 1
        for name in ("occupancy", "tables", "all")
    }
    harts = len(scenario.topology.harts)
    shares = "".join(f"{more[name]:>11.1%}" for name in more)
    return f"{harts:>5}{median(times['off']):>9.2f}{shares}"


def bytes_a_record() -> float:
    """Memory of the columns of occupancy, by record, room to grow included."""
    timeline = Timeline(load_scenario("server-64").topology)
    harts = len(timeline.topology.harts)
    for number in range(OCCUPANCY_RECORDS):
        timeline.occupy(number * 100, number % harts, 1 + number // harts % 7)
    return sum(map(sys.getsizeof, timeline.occupancy)) / OCCUPANCY_RECORDS


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print(f"{'HARTs':>5}{'off s':>9}{'occupancy':>11}{'tables':>11}{'all':>11}")
    for scenario in (load_scenario("big-little"), load_scenario("server-64")):
        print(row(scenario, rounds), flush=True)
    print(f"memory of occupancy: {bytes_a_record():.2f} MB per million records")


if __name__ == "__main__":
    main()
