"""What traces say of the costs in a timing table, and what they do not say.

`MEASURES` lists which durations of a trace belong to which entry of the timing table,
`UNMEASURABLE` the entries that no trace shows.  `fitted` makes a distribution of the timing table
from measured times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hgeisim.errors import InputError, Problem
from hgeisim.scenario.timing import TIMING_NS, Constant, Empirical, Exponential, Law
from hgeisim.trace import duration
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.import_trace import Extent, Progress, read_events, without_collection
from hgeisim.trace.interval import Event, Interval, intervals_of


class Measure(NamedTuple):
    """A kind of duration: `entry` of the timing table ("" for none), how it is taken, and whether
    more than the cost itself lies in it.  `events` are those that it needs, by built-in names.

    `of` takes events, or calls where `by_call` says so.
    """

    name: str
    entry: str
    how: str
    at_most: bool
    events: tuple[str, ...]
    of: Callable[[Any], Iterator[int]]
    by_call: bool = False


MEASURES = (
    Measure(
        "hold", "raw_spin_lock",
        "hgctrl->lock, lock_acquire to lock_release: taking and holding it", True,
        ("lock_acquire", "lock_release"), duration.holds,
    ),
    Measure(
        "cross_call", "ipi", "csd_queue_cpu to csd_function_entry on the other CPU", False,
        ("csd_queue_cpu", "csd_function_entry"), duration.cross_calls,
    ),
    Measure(
        "until_sweep", "ipi", "ioremap or iounmap to lread: fences are in it, too", True,
        ("ioremap", "lread", "free"), duration.until_sweep,
    ),
    Measure(
        "sweep", "vsfile_sweep", "imsic_vsfile_local_read, csd_function_entry to _exit", False,
        ("csd_function_entry", "csd_function_exit"), duration.sweeps,
    ),
    Measure(
        "since_sweep", "vsfile_sweep", "lread to free: the way back of the IPI is in it, too", True,
        ("ioremap", "lread", "free"), duration.since_sweep,
    ),
    Measure(
        "wake", "wake_up", "sched_waking to sched_wakeup", False,
        ("sched_waking", "sched_wakeup"), duration.wake_ups,
    ),
    Measure(
        "idle_wake", "wake_up", "kick on an idle CPU to vload there: the switch is in it, too",
        True, ("kick", "vload"), duration.idle_wake_ups,
    ),
    Measure(
        "switch", "context_switch", "vput of one that blocks to vload of the next, already woken",
        True, ("wakeon", "kick", "vput", "vload"), duration.switches,
    ),
    Measure(
        "teardown", "vm_teardown", "free to free, by a thread that destroys vCPUs", True,
        ("free",), duration.teardowns,
    ),
    Measure(
        "takedown", "stop_machine", "cpuhp callback takedown_cpu: stop_machine and a wait", True,
        ("cpuhp_enter", "cpuhp_exit"), duration.takedowns, by_call=True,
    ),
    Measure(
        "callbacks", "cpuhp_state", "cpuhp callbacks before KVM's, from the first in the trace",
        False, ("cpuhp_enter",), duration.callbacks, by_call=True,
    ),
    Measure(
        "alloc", "", "kvm_riscv_aia_alloc_hgei, entry to return", False,
        ("alloc", "alloc_ret"), duration.calls("alloc"), by_call=True,
    ),
    Measure(
        "free", "", "kvm_riscv_aia_free_hgei, entry to return", False,
        ("free", "free_ret"), duration.calls("free"), by_call=True,
    ),
    Measure(
        "ipi_round_trip", "", "ioremap or iounmap to free: fences, IPI, sweep, and back", False,
        ("ioremap", "lread", "free"), duration.ipi_round_trips,
    ),
    Measure(
        "migration", "", "alloc of a vCPU with a line elsewhere to its guest entry", False,
        ("alloc", "alloc_ret", "run"), duration.migrations,
    ),
    Measure(
        "update", "", "imsic_update, entry to return", False,
        ("upd", "upd_ret"), duration.calls("upd"), by_call=True,
    ),
    Measure(
        "release", "", "imsic_release, entry to return", False,
        ("rel", "rel_ret"), duration.calls("rel"), by_call=True,
    ),
    Measure(
        "disable", "", "kvm_riscv_aia_disable, entry to return", False,
        ("dis", "dis_ret"), duration.calls("dis"), by_call=True,
    ),
    Measure(
        "enable", "", "kvm_riscv_aia_enable, entry to return", False,
        ("en", "en_ret"), duration.calls("en"), by_call=True,
    ),
)  # fmt: skip
"""All that is measured; of two for one entry the first that the traces have is taken."""

UNMEASURABLE = {
    "raw_spin_unlock": "no event tells when an unlock is over",
    "interrupt_entry": "no event stands before the kernel's own entry code",
    "ipi_send": "no event tells when the sender goes on",
    "halt_poll": "no event in the polling loop",
    "guest_entry": "`run` stands before the entry, nothing at the exit",
}
"""Entries of the timing table that no trace tells."""


def why_missing(entry: str) -> str:
    """What would have to be recorded to measure an entry."""
    if entry in UNMEASURABLE:
        return UNMEASURABLE[entry]
    ways = [" and ".join(measure.events) for measure in MEASURES if measure.entry == entry]
    return f"it never happened, or was not recorded; needs {', or '.join(ways)}"


EXPONENTIAL_MIN = 20
"""Fewer times than this do not tell whether they are exponential."""
_LILLIEFORS = 1.094
"""5 % point of the Kolmogorov distance to an exponential law with the sample's mean (Stephens)."""
QUANTILES_MAX = 10
"""Most steps of an empirical distribution."""


def fitted(times_ns: Sequence[int]) -> Law:
    """The simplest law that the times do not contradict: constant, exponential, else as measured.

    They are rounded to 1 ns where they are 0: a step of a simulation takes time.
    """
    ordered = sorted(times_ns)
    if ordered[0] == ordered[-1]:
        return Constant.model_construct(value=max(1, ordered[0]))
    if is_exponential(ordered):
        return Exponential.model_construct(mean=max(1, round(sum(ordered) / len(ordered))))
    steps = min(QUANTILES_MAX, len(ordered) - 1)
    ends = tuple(quantile(ordered, at / steps) for at in range(steps + 1))
    return Empirical.model_construct(quantiles=ends)


def quantile(ordered: Sequence[int], part: float) -> int:
    """The measured time that `part` of the others do not exceed (nearest rank)."""
    return ordered[round(part * (len(ordered) - 1))]


def is_exponential(ordered: Sequence[int]) -> bool:
    """Whether the times pass Lilliefors' test for an exponential law, at 5 %."""
    count = len(ordered)
    if count < EXPONENTIAL_MIN:
        return False
    mean = sum(ordered) / count
    root = math.sqrt(count)
    return (distance(ordered, mean) - 0.2 / count) * (root + 0.26 + 0.5 / root) < _LILLIEFORS


def distance(ordered: Sequence[int], mean: float) -> float:
    """Kolmogorov's distance between the times and an exponential law with this mean."""
    laws = [-math.expm1(-time_ns / mean) for time_ns in ordered]
    count = len(ordered)
    return max(max((at + 1) / count - law, law - at / count) for at, law in enumerate(laws))


QUANTILES = (0.05, 0.5, 0.95)
"""Those that are told."""


@dataclass
class Calibration:
    """Times by the name of what was measured, from all files together; `holes` are the places
    where events were lost."""

    files: list[tuple[str, int]] = field(default_factory=list)
    holes: int = 0
    times_ns: dict[str, list[int]] = field(default_factory=dict)

    def add(self, path: Path, table: Events, progress: Progress | None = None) -> None:
        """Measure one more trace; InputError: see `read_ftrace` and `Events.decode`."""
        with without_collection():
            extent = Extent()
            events = read_events(path, table, extent, progress=progress)
            calls = intervals_of(events)
            self.files.append((path.name, extent.records))
            self.holes += extent.holes
            for measure in MEASURES:
                source: Sequence[Event | Lost | Interval] = calls if measure.by_call else events
                self.times_ns.setdefault(measure.name, []).extend(measure.of(source))

    def check(self) -> None:
        """InputError: nothing in the traces could be measured."""
        if not any(self.times_ns.values()):
            names = ", ".join(name for name, _ in self.files)
            allowed = "nothing in it tells how long anything took"
            remedy = "`hgeisim trace record` prints how to record what does"
            raise InputError([Problem(names, "", "", allowed, remedy)])

    def entries(self) -> dict[str, Measure]:
        """What was measured for each entry of the timing table, in the order of that."""
        best: dict[str, Measure] = {}
        for measure in MEASURES:
            if measure.entry and self.times_ns[measure.name]:
                best.setdefault(measure.entry, measure)
        return {entry: best[entry] for entry in TIMING_NS if entry in best}

    def others(self) -> list[Measure]:
        """What else was measured."""
        taken = [measure.name for measure in self.entries().values()]
        return [m for m in MEASURES if self.times_ns[m.name] and m.name not in taken]

    def missing(self) -> dict[str, str]:
        """The entries that are not measured, and why."""
        measured = self.entries()
        return {entry: why_missing(entry) for entry in TIMING_NS if entry not in measured}

    def law(self, measure: Measure) -> Law:
        """The distribution that was measured."""
        return fitted(self.times_ns[measure.name])

    def facts(self, measure: Measure) -> dict[str, Any]:
        """How often, and in ns the least, quantiles, the most and the mean."""
        ordered = sorted(self.times_ns[measure.name])
        return {
            "count": len(ordered),
            "min_ns": ordered[0],
            **{f"p{round(100 * part)}_ns": quantile(ordered, part) for part in QUANTILES},
            "max_ns": ordered[-1],
            "mean_ns": round(sum(ordered) / len(ordered)),
        }
