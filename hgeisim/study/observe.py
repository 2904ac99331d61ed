"""Observations of a validated case: functions of a job, for any process to call.

They run the paths in their fused form, which leaves the same timeline and pays in long runs.
"""

from __future__ import annotations

from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.errors import ModelError
from hgeisim.runs.occupancy_steps import steps_of_harts
from hgeisim.study.replication import Job, events_after, hart_window, scenario_of
from hgeisim.watch.lock_takers import LockTakers, Turns
from hgeisim.watch.stretches import Stretches

TICKS = 1000
"""Cases about locks run a thousand times slower: a simulated ns stands for a ps, so whole
numbers are fine enough."""

Numbers = tuple[float, ...]


def lines(job: Job) -> Numbers:
    """Share of requests without a line, share of time without one, lines taken; of HART 0."""
    simulation, from_ns = _begun(job), job.warm_up_ns
    end_ns = _finished(simulation, job)
    (steps,) = steps_of_harts(simulation.timeline)
    hart, events = hart_window(steps, from_ns, end_ns), events_after(simulation.timeline, from_ns)
    refused, wall_ns = events["fail"], end_ns - from_ns
    asked = refused + events["alloc"]
    return refused / asked, hart.exhausted_ns / wall_ns, hart.busy_ns / wall_ns


def open_lock(job: Job) -> Numbers:
    """Mean wait in ns, share of takers that did not wait, share of time held."""
    takers, window_ns = _takers(job)
    use = takers.use
    wait_ns = use.wait_ns_total / use.acquisitions / TICKS
    return wait_ns, 1 - use.contended / use.acquisitions, use.hold_ns_total / window_ns


def closed_lock(job: Job) -> Numbers:
    """Holds per us, mean response in ns, mean number of threads that wait or hold."""
    takers, window_ns = _takers(job)
    use = takers.use
    inside_ns = use.wait_ns_total + use.hold_ns_total
    rate = use.acquisitions * TICKS * 1000 / window_ns
    return rate, inside_ns / use.acquisitions / TICKS, inside_ns / window_ns


def turns(job: Job) -> Numbers:
    """Of all threads the shortest and longest mean time without the lock in ns, the same of the
    time from turn to turn, and how far their turns are apart."""
    takers, window_ns = _takers(job)
    all_turns = [*takers.turns.values()]
    away_ns = [_away_ns(each) for each in all_turns]
    period_ns = [window_ns / each.count / TICKS for each in all_turns]
    counts = [each.count for each in all_turns]
    apart = float(max(counts) - min(counts))
    return min(period_ns), max(period_ns), min(away_ns), max(away_ns), apart


def _away_ns(turns: Turns) -> float:
    return turns.away_ns / turns.count / TICKS


def online(job: Job) -> Numbers:
    """Share of time that HART 1 is online, and that it is not."""
    simulation, from_ns = _begun(job), job.warm_up_ns
    end_ns = _finished(simulation, job)
    hart = hart_window(steps_of_harts(simulation.timeline)[1], from_ns, end_ns)
    share = hart.online_ns / (end_ns - from_ns)
    return share, 1 - share


def stretches(job: Job) -> Numbers:
    """Mean time of a stretch of work in ns, and how long of it handlers of interrupts take."""
    simulation = _begun(job)
    cores = simulation.driver.cores
    found = Stretches(simulation.k, "worker", job.warm_up_ns, lambda cpu: cores[cpu].stolen_ns)
    simulation.k.watch.add(found)
    _finished(simulation, job)
    return found.total_ns / found.count, found.stolen_ns / found.count


def _takers(job: Job) -> tuple[LockTakers, int]:
    """The takers of the lock that is loaded, and the length of the window in ticks."""
    simulation = _begun(job)
    lock = simulation.k.hgei[scenario_of(job).lock_load[0].lines_of].lock
    found = LockTakers(simulation.k, lock, job.warm_up_ns)
    simulation.k.watch.add(found)
    return found, _finished(simulation, job) - job.warm_up_ns


def _begun(job: Job) -> Simulation:
    return simulate(scenario_of(job), record="occupancy", form=fused)


def _finished(simulation: Simulation, job: Job) -> int:
    """Run to the end, and return its time in ns.

    ModelError: something ended the run before.
    """
    until_ns = scenario_of(job).run.until
    simulation.run(until_ns)
    if simulation.timeline.end_ns != until_ns:
        raise ModelError(f"the run ended early: {', '.join(simulation.findings)}")
    return until_ns
