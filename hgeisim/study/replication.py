"""One replication: a pure function from a scenario, a kernel and a seed to a small flat record.

Replication number n of a scenario has its seed plus n, so `hgeisim run SCENARIO --seed N` shows any
of them.  Streams of random numbers depend on the seed and their name, never on the kernel: two
kernels see the same arrivals, and their difference has less noise.

What a job needs travels in it as text, so it can run in any process or on any machine that has the
same code; a worker with other code refuses it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from hgeisim.checks.catalogue import is_note
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import own_digest, own_files
from hgeisim.library import own_patch
from hgeisim.runs.measures import modes_of
from hgeisim.runs.occupancy_steps import Steps, steps_of_harts
from hgeisim.runs.tables import STATE_NAMES, Tables, table_of
from hgeisim.runs.timeline import EVENT_NAMES, Timeline
from hgeisim.scenario.canonical import effective, on_variant, with_seed
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.study.metrics import (
    ALL_MODES,
    WITH_LINES,
    Hart,
    Value,
    Vms,
    Window,
    hart_values,
    values_of,
    vm_values,
)

PACKAGE = Path(__file__).parents[1]
ROOMS = ("machine", "kernel", "scenario", "drivers", "watch", "checks", "runs", "study")
"""The rooms whose code a record depends on."""
MSIS = ("msi-vsfile", "msi-swfile")
"""The kinds of spans of an MSI on its way to a guest."""
States = dict[str, Sequence[int]]
"""For each mode, the time of its vCPUs by state, in ns."""


@dataclass(frozen=True)
class Job:
    """A replication to make: `scenario` is its canonical document as JSON, `warm_up_ns` is left
    out of the record.  `own` and `code` name a user's patch and the code that may do it."""

    scenario: str
    variant: str
    seed: int
    warm_up_ns: int = 0
    own: str = ""
    code: str = ""


@dataclass(frozen=True)
class Record:
    """The record of a replication: its metrics, those of each HART, the ids of findings, and its
    metrics of the VMs of each [[vm]] table."""

    values: dict[str, Value]
    harts: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    vms: dict[str, dict[str, Value]] = field(default_factory=dict)


def job_of(scenario: Scenario, variant: str | None = None, warm_up_ns: int = 0) -> Job:
    """The first replication of a scenario, on its own kernel or on another one."""
    variant = variant or scenario.kernel.variant
    text = json.dumps(effective(scenario), sort_keys=True)
    return Job(text, variant, scenario.run.seed, warm_up_ns, own_digest(variant), code_digest())


def nth(job: Job, number: int) -> Job:
    """Another replication of the same job."""
    return replace(job, seed=job.seed + number)


def replicate(job: Job) -> Record:
    """Make one replication."""
    scenario = scenario_of(job)
    simulation = simulate(scenario, record="latencies")
    at_start: list[tuple[States, Counter[str]]] = []
    simulation.env.process(
        _noting(
            simulation,
            (job.warm_up_ns,),
            lambda now_ns: at_start.append((_states(simulation, now_ns), _sent(simulation))),
        )
    )
    simulation.run(scenario.run.until)
    ids = tuple(sorted(each for each in simulation.findings if not is_note(each)))
    if not at_start:  # a patch has ended the run before
        return Record(dict.fromkeys(values_of(_empty(simulation))), {}, ids)
    window = _window(simulation, job.warm_up_ns, *at_start[0])
    return Record(values_of(window), hart_values(window), ids, vm_values(window))


def replicate_all(jobs: Sequence[Job]) -> tuple[list[Record], float]:
    """Make some replications one after the other; returns their records and the seconds they took.

    One at a time in a process, whatever threads a worker has.
    """
    with _ONE_AT_A_TIME:
        began = perf_counter()
        try:
            records = [replicate(job) for job in jobs]
        except Exception as error:
            problem = own_patch.mistake(error) or own_patch.suspect(error)
            if isinstance(error, InputError) or problem is None:
                raise
            raise InputError([problem]) from None
        return records, perf_counter() - began


_ONE_AT_A_TIME = Lock()


def scenario_of(job: Job) -> Scenario:
    """The scenario of a job, on its kernel and with its seed.

    InputError: this process has other code, or another text of a user's patch, than the one that
    made the job.
    """
    if job.code != code_digest():
        allowed = "has other code than the command that asks it"
        raise InputError([Problem("worker", "", "", allowed, "install the same hgeisim on both")])
    if own_files(job.variant) and own_digest(job.variant) != job.own:
        own_patch.execute(job.variant)
        if own_digest(job.variant) != job.own:
            allowed = "is another text on the worker than for the command that asks it"
            raise InputError([Problem("worker", "variant", job.variant, allowed)])
    return with_seed(on_variant(_parsed(job.scenario), job.variant), job.seed)


@lru_cache(maxsize=4)
def _parsed(text: str) -> Scenario:
    return scenario_from(json.loads(text))


@cache
def code_digest() -> str:
    """Names the code on which records depend."""
    made = blake2b(digest_size=8)
    for room in ROOMS:
        for file in sorted((PACKAGE / room).rglob("*.py")):
            made.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode() + file.read_bytes())
    return made.hexdigest()


def _noting(simulation: Simulation, times_ns: Sequence[int], note: Callable[[int], None]) -> Any:
    """A process that makes a note at some times."""
    for at_ns in times_ns:
        if wait_ns := at_ns - int(simulation.env.now):
            yield simulation.env.timeout(wait_ns)
        note(at_ns)
    yield simulation.env.timeout(0)


def _states(simulation: Simulation, now_ns: int) -> States:
    table = simulation.recorded["vcpus"].table(now_ns)
    found: States = {}
    for mode in ALL_MODES:
        mine = table[table["mode"] == mode]
        found[mode] = [int(mine[f"{name}_ns"].sum()) for name in STATE_NAMES]
    return found


def _sent(simulation: Simulation) -> Counter[str]:
    """How many MSIs have been sent to the VMs of each [[vm]] table up to now."""
    found: Counter[str] = Counter()
    for vcpu in filter(None, simulation.k.vcpus):
        tally = vcpu.ledger.tally
        found[table_of(vcpu.vm.name)] += tally.sent if tally else 0
    return found


def _vms(tables: Tables, start_ns: int, sent: Counter[str]) -> dict[str, Vms]:
    """The VMs of each [[vm]] table in a window; `sent` counts the MSIs sent to them in it."""
    spans, vcpus = tables["spans"], tables["vcpus"]
    got = spans[np.isin(spans["kind"], MSIS) & (spans["end_ns"] >= start_ns)]
    names = dict(zip(vcpus["vcpu"].tolist(), map(table_of, vcpus["vm"].tolist()), strict=True))
    whose = np.array([names[vcpu] for vcpu in got["vcpu"].tolist()], dtype=object)
    taken = {name: got[whose == name] for name in sent}
    return {
        name: Vms(count, np.sort(taken[name]["end_ns"] - taken[name]["start_ns"]))
        for name, count in sent.items()
    }


def _empty(simulation: Simulation) -> Window:
    none: States = {mode: [0] * len(STATE_NAMES) for mode in ALL_MODES}
    spans = simulation.tables["spans"][:0]
    return Window(0, none, (), Counter(), spans, spans, {})


def _window(
    simulation: Simulation, start_ns: int, before: States, sent_before: Counter[str]
) -> Window:
    timeline, tables = simulation.timeline, simulation.tables
    after, sent = _states(simulation, timeline.end_ns), _sent(simulation)
    sent.subtract(sent_before)
    spans = tables["spans"][tables["spans"]["start_ns"] >= start_ns]
    modes = modes_of(spans, tables["vcpus"])
    return Window(
        timeline.end_ns - start_ns,
        {
            mode: [now - then for now, then in zip(after[mode], before[mode], strict=True)]
            for mode in ALL_MODES
        },
        [hart_window(steps, start_ns, timeline.end_ns) for steps in steps_of_harts(timeline)],
        events_after(timeline, start_ns),
        spans[np.isin(modes, WITH_LINES)],
        spans[modes == "hwaccel"],
        _vms(tables, start_ns, sent),
    )


def hart_window(steps: Steps, start_ns: int, end_ns: int) -> Hart:
    """The occupancy of a HART in a window."""
    edges = np.clip(steps.edges_ns, start_ns, end_ns)
    offline_ns = _within(steps.offline, start_ns, end_ns)
    exhausted_ns = _within(steps.exhausted, start_ns, end_ns)
    busy_ns = int((np.diff(edges) * steps.busy).sum())
    return Hart(steps.lines, busy_ns, exhausted_ns, end_ns - start_ns - offline_ns)


def _within(windows: Sequence[tuple[int, int]], start_ns: int, end_ns: int) -> int:
    """How much of some windows lies between two times."""
    pieces = (min(end, end_ns) - max(start, start_ns) for start, end in windows)
    return sum(piece for piece in pieces if piece > 0)


def events_after(timeline: Timeline, start_ns: int) -> Counter[str]:
    """The events of a timeline from a time on, counted by kind."""
    kinds = np.array(timeline.event_kind)[np.array(timeline.event_time_ns) >= start_ns]
    return Counter(EVENT_NAMES[kind] for kind in kinds.tolist())


SLICES = 500
"""How many parts of a run its progress towards a steady state is judged by."""


def settling(job: Job) -> list[list[float]]:
    """Two series of a replication, a number for each of SLICES equal parts of it.

    The mean number of taken lines, and that of vCPUs in their guests.
    """
    scenario = scenario_of(job)
    simulation = simulate(scenario, record="latencies")
    edges = [scenario.run.until * part // SLICES for part in range(SLICES)]
    noted: list[States] = []
    simulation.env.process(
        _noting(simulation, edges, lambda now_ns: noted.append(_states(simulation, now_ns)))
    )
    simulation.run(scenario.run.until)
    noted.append(_states(simulation, simulation.timeline.end_ns))
    edges.append(simulation.timeline.end_ns)
    guests = [float(_guest_ns(states)) for states in noted]
    return [list(_slopes(_busy(simulation.timeline, edges), edges)), list(_slopes(guests, edges))]


def _guest_ns(states: States) -> int:
    return sum(times[0] + times[1] for times in states.values())


def _busy(timeline: Timeline, edges: Sequence[int]) -> list[float]:
    """The time of all taken lines up to each edge."""
    total = np.zeros(len(edges))
    for steps in steps_of_harts(timeline):
        sums = np.concatenate(([0], np.cumsum(np.diff(steps.edges_ns) * steps.busy)))
        total += np.interp(edges, steps.edges_ns, sums)
    made: list[float] = total.tolist()
    return made


def _slopes(sums: Sequence[float], edges: Sequence[int]) -> Iterator[float]:
    """The mean between each edge and the next, for those that were reached."""
    for at in range(min(len(sums), len(edges)) - 1):
        if edges[at + 1] > edges[at]:
            yield (sums[at + 1] - sums[at]) / (edges[at + 1] - edges[at])
