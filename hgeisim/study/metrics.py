"""The metrics of a replication: each once, with its unit, its denominator and its meaning.

All are about a window of a run, from the end of the warm-up to the end.  A metric is None where its
denominator is zero: nobody ran, nobody asked.  VMs in EMUL never ask for a line, so their vCPUs do
not count where lines or interrupt files are concerned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from hgeisim.runs.measures import durations
from hgeisim.runs.tables import BLOCKED, FAILED, HOST, STATE_NAMES, SWFILE, VSFILE, Records
from hgeisim.runs.timeline import Column

WITH_LINES = ("auto", "hwaccel")
"""The modes of VMs whose vCPUs ask for a line."""
ALL_MODES = ("emul", *WITH_LINES)
MS = 1_000_000

Value = float | None


@dataclass(frozen=True)
class Window:
    """A part of a run, added up.

    `states` has for each mode the time of its vCPUs by state, `harts` a record for each HART,
    `events` counts those of the timeline, `spans` are the ones of vCPUs with lines that began in
    the window, and `hwaccel` those of vCPUs in HWACCEL.  `vms` has the VMs of each [[vm]] table.
    """

    wall_ns: int
    states: dict[str, Sequence[int]]
    harts: Sequence[Hart]
    events: Counter[str]
    spans: Records
    hwaccel: Records
    vms: Mapping[str, Vms]

    def time_ns(self, modes: Sequence[str], *states: int) -> int:
        """Time of the vCPUs in some modes, in some states."""
        return sum(self.states[mode][state] for mode in modes for state in states)


class Hart(NamedTuple):
    """A HART in a window: `busy_ns` adds the time of all taken lines up."""

    usable: int
    busy_ns: int
    exhausted_ns: int
    online_ns: int


class Vms(NamedTuple):
    """The VMs of one [[vm]] table in a window: how many MSIs were `sent` to them, and of those that
    their guests got in the window the time from arrival until then, sorted."""

    sent: int
    response_ns: Column


class Metric(NamedTuple):
    """A number that a replication has.

    `over` is the denominator, in words.  An event that may be rare has its `events` and `trials`,
    two other metrics.  `by_hart` has the same number of each HART, `by_vm` of the VMs of a [[vm]]
    table.
    """

    unit: str
    over: str
    meaning: str
    of: Callable[[Window], Value]
    events: str = ""
    trials: str = ""
    by_hart: Callable[[Window, Hart], Value] | None = None
    by_vm: Callable[[Window, Vms], Value] | None = None


def _share(modes: Sequence[str], states: Sequence[int], of: Sequence[int], window: Window) -> Value:
    return _ratio(window.time_ns(modes, *states), window.time_ns(modes, *of))


def _ratio(part: float, whole: float) -> Value:
    return part / whole if whole else None


def _exhausted(window: Window) -> Value:
    with_lines = [hart for hart in window.harts if hart.usable]
    online_ns = sum(hart.online_ns for hart in with_lines)
    return _ratio(sum(hart.exhausted_ns for hart in with_lines), online_ns)


def _exhausted_of(window: Window, hart: Hart) -> Value:
    return _ratio(hart.exhausted_ns, hart.online_ns) if hart.usable else None


def _worst_hart(window: Window) -> Value:
    shares = [share for hart in window.harts if (share := _exhausted_of(window, hart)) is not None]
    return max(shares, default=None)


def _in_use(window: Window) -> Value:
    return _ratio(sum(hart.busy_ns for hart in window.harts), window.wall_ns)


def _in_use_of(window: Window, hart: Hart) -> Value:
    return _ratio(hart.busy_ns, window.wall_ns)


def _line_use(window: Window) -> Value:
    there_ns = sum(hart.usable * hart.online_ns for hart in window.harts)
    return _ratio(sum(hart.busy_ns for hart in window.harts), there_ns)


def _count(*kinds: str, window: Window) -> Value:
    return float(sum(window.events[kind] for kind in kinds))


def _rate(kind: str, window: Window) -> Value:
    return _ratio(window.events[kind] * MS, window.wall_ns)


def _no_line(window: Window) -> Value:
    return _ratio(window.events["fail"], window.events["fail"] + window.events["alloc"])


ASKED = ("attach", "move", "refused")


def _requests(*kinds: str, window: Window) -> Value:
    return float(np.isin(window.hwaccel["kind"], kinds).sum())


def _fail_entry(window: Window) -> Value:
    asked = np.isin(window.hwaccel["kind"], ASKED).sum()
    return _ratio(float((window.hwaccel["kind"] == "refused").sum()), float(asked))


def _moves(window: Window) -> Value:
    return _ratio(float((window.spans["kind"] == "move").sum()) * MS, window.wall_ns)


def _mean(lasted_ns: Column) -> Value:
    return float(lasted_ns.mean()) if len(lasted_ns) else None


def _p99(lasted_ns: Column) -> Value:
    """By nearest rank, as the summary of a run has it."""
    return float(lasted_ns[-(-len(lasted_ns) * 99 // 100) - 1]) if len(lasted_ns) else None


def _mean_ns(kind: str, met: str, window: Window) -> Value:
    return _mean(durations(window.spans, kind, met))


def _p99_ns(kind: str, met: str, window: Window) -> Value:
    return _p99(durations(window.spans, kind, met))


def _offered(window: Window, vms: Vms) -> Value:
    return _ratio(vms.sent * MS, window.wall_ns)


def _served(window: Window, vms: Vms) -> Value:
    return _ratio(len(vms.response_ns) * MS, window.wall_ns)


def _served_by_line(window: Window) -> Value:
    busy_ns = sum(hart.busy_ns for hart in window.harts)
    return _ratio(len(_together(window).response_ns) * MS, busy_ns)


def _together(window: Window) -> Vms:
    """The VMs of all tables."""
    responses_ns = [vms.response_ns for vms in window.vms.values()]
    together = np.sort(np.concatenate([np.zeros(0, np.int64), *responses_ns]))
    return Vms(sum(vms.sent for vms in window.vms.values()), together)


def _of_vms(unit: str, over: str, meaning: str, by_vm: Callable[[Window, Vms], Value]) -> Metric:
    """A metric of the VMs of each table, and of all together."""
    return Metric(unit, over, meaning, lambda window: by_vm(window, _together(window)), by_vm=by_vm)


GUEST = (VSFILE, SWFILE)
LIFE = range(len(STATE_NAMES))
LINE_VCPUS = "AUTO and HWACCEL vCPUs"

METRICS: dict[str, Metric] = {
    "sw_file_time": Metric(
        "share", f"guest time of {LINE_VCPUS}", "the guest ran on a SW-file",
        partial(_share, WITH_LINES, (SWFILE,), GUEST),
    ),
    "fail_entry": Metric(
        "share", "requests for a line by HWACCEL vCPUs", "KVM_EXIT_FAIL_ENTRY: no line was free",
        _fail_entry, "refusals", "hwaccel_requests",
    ),
    "failed_time": Metric(
        "share", "life of HWACCEL vCPUs", "the last entry had failed for want of a line",
        partial(_share, ("hwaccel",), (FAILED,), LIFE),
    ),
    "no_line": Metric(
        "share", "requests for a line", "the HART had no line left", _no_line, "fails", "requests",
    ),
    "exhausted_time": Metric(
        "share", "time online of HARTs with lines", "no line was left", _exhausted,
        by_hart=_exhausted_of,
    ),
    "exhausted_worst": Metric(
        "share", "time online of the worst HART", "no line was left on it", _worst_hart,
    ),
    "lines_in_use": Metric(
        "lines", "wall time", "lines taken on all HARTs, on average", _in_use, by_hart=_in_use_of,
    ),
    "line_use": Metric(
        "share", "usable lines x time online", "lines that were taken", _line_use,
    ),
    "guest_time": Metric(
        "share", "life of all vCPUs", "the guest ran", partial(_share, ALL_MODES, GUEST, LIFE),
    ),
    "blocked_time": Metric(
        "share", "life of all vCPUs", "waited for an interrupt (WFI), polling included",
        partial(_share, ALL_MODES, (BLOCKED,), LIFE),
    ),
    "host_time": Metric(
        "share", "life of all vCPUs", "KVM and the monitor at work, or no HART to run on",
        partial(_share, ALL_MODES, (HOST,), LIFE),
    ),
    "moves": Metric("1/ms", "wall time", "VS-files that moved to another HART", _moves),
    "allocs": Metric("1/ms", "wall time", "lines handed out", partial(_rate, "alloc")),
    "sgeis": Metric("1/ms", "wall time", "SGEIs handled", partial(_rate, "sgei")),
    "offered": _of_vms("1/ms", "wall time", "MSIs sent to guests", _offered),
    "served": _of_vms("1/ms", "wall time", "MSIs that guests got", _served),
    "served_by_line": Metric(
        "1/ms", "time of taken lines", "MSIs that guests got, for each line in use",
        _served_by_line,
    ),
    "response_mean": _of_vms(
        "ns", "MSIs that guests got", "from arrival until the guest has it, in whatever file",
        lambda window, vms: _mean(vms.response_ns),
    ),
    "response_p99": _of_vms(
        "ns", "MSIs that guests got", "99 of 100 take no longer, in whatever file",
        lambda window, vms: _p99(vms.response_ns),
    ),
    "msi_vsfile_mean": Metric(
        "ns", "MSIs to a VS-file whose guest ran", "from arrival until the guest has it",
        partial(_mean_ns, "msi-vsfile", "guest"),
    ),
    "msi_vsfile_p99": Metric(
        "ns", "MSIs to a VS-file whose guest ran", "99 of 100 take no longer",
        partial(_p99_ns, "msi-vsfile", "guest"),
    ),
    "msi_swfile_mean": Metric(
        "ns", "MSIs to a SW-file whose guest ran", "from arrival until the guest has it",
        partial(_mean_ns, "msi-swfile", "guest"),
    ),
    "msi_swfile_p99": Metric(
        "ns", "MSIs to a SW-file whose guest ran", "99 of 100 take no longer",
        partial(_p99_ns, "msi-swfile", "guest"),
    ),
    "msi_wfi_mean": Metric(
        "ns", "MSIs to a VS-file in WFI", "from arrival until the guest has it",
        partial(_mean_ns, "msi-vsfile", "wfi"),
    ),
    "msi_wfi_p99": Metric(
        "ns", "MSIs to a VS-file in WFI", "99 of 100 take no longer",
        partial(_p99_ns, "msi-vsfile", "wfi"),
    ),
    "requests": Metric(
        "count", "the window", "requests for a line",
        lambda window: _count("alloc", "fail", window=window),
    ),
    "fails": Metric(
        "count", "the window", "requests that found no line",
        lambda window: _count("fail", window=window),
    ),
    "hwaccel_requests": Metric(
        "count", "the window", "requests for a line by HWACCEL vCPUs",
        lambda window: _requests(*ASKED, window=window),
    ),
    "refusals": Metric(
        "count", "the window", "entries that failed for want of a line",
        lambda window: _requests("refused", window=window),
    ),
}  # fmt: skip
"""The metrics by name, in the order in which tables show them."""
MAIN = ("sw_file_time", "fail_entry", "no_line", "exhausted_time", "lines_in_use")
"""Those that are shown if nobody names any and they have a value."""


def values_of(window: Window) -> dict[str, Value]:
    """The value of every metric."""
    return {name: metric.of(window) for name, metric in METRICS.items()}


def hart_values(window: Window) -> dict[str, tuple[Value, ...]]:
    """The values of each HART, of the metrics that have them."""
    return {
        name: tuple(metric.by_hart(window, hart) for hart in window.harts)
        for name, metric in METRICS.items()
        if metric.by_hart is not None
    }


def vm_values(window: Window) -> dict[str, dict[str, Value]]:
    """The values of the VMs of each [[vm]] table, of the metrics that have them."""
    return {
        name: {vm: metric.by_vm(window, vms) for vm, vms in window.vms.items()}
        for name, metric in METRICS.items()
        if metric.by_vm is not None
    }
