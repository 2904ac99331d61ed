"""The tables of a run that fit a terminal: its HARTs, the spans of time, its VMs, its MSIs.

A few HARTs have a row each; of many there are groups and the worst ones.  Below the tables stand
lines about waits for locks and dropped MSIs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from hgeisim.report.layout import count, indented
from hgeisim.runs.measures import mean_exhausted
from hgeisim.runs.tables import table_of
from hgeisim.runs.units import percent, short_time

HARTS_SHOWN_MAX = 16
"""Most HARTs, or groups of them, that have a row each."""
WORST = 8
"""Most HARTs of a bigger machine that have a row besides its groups."""
HART_HEADS = ("lines", "max", "mean", "exhausted", "alloc", "fail", "free", "SGEI")
COUNTS = ("alloc", "fail", "free", "sgei")

Hart = dict[str, Any]
"""One HART in a summary."""


class HartTable(NamedTuple):
    """A table with its title, which may be empty."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[object, ...]]


def hart_tables(harts: Sequence[Hart]) -> Iterator[HartTable]:
    """The tables of a run: one, or for a big machine its groups and its worst HARTs."""
    if len(harts) <= HARTS_SHOWN_MAX:
        yield HartTable("", ("HART", *HART_HEADS), [*map(hart_row, harts), total_row(harts)])
        return
    equal = groupby(harts, lambda hart: (hart["lines"], hart["usable"], hart["guest_files"]))
    groups = [list(group) for _, group in equal]
    shown = [_group(group) for group in groups] if 1 < len(groups) <= HARTS_SHOWN_MAX else []
    title = "Equal neighbours together; mean, exhausted: averages"
    yield HartTable(title, ("HARTs", *HART_HEADS), [*shown, ("all", *_group(harts)[1:])])
    order = sorted(harts, key=lambda hart: (-hart["exhausted"], -hart["fail"], hart["hart"]))
    worst = [hart_row(hart) for hart in order if hart["exhausted"]][:WORST]
    if worst:
        title = f"The {len(worst)} that were out of lines longest; --json lists them all"
        yield HartTable(title, ("HART", *HART_HEADS), worst)


def hart_row(hart: Hart) -> tuple[object, ...]:
    """The cells of one HART."""
    return (
        hart["hart"],
        _lines([hart]),
        _most([hart]),
        f"{hart['busy_mean']:.2f}",
        _exhausted([hart]),
        *(hart[name] for name in COUNTS),
    )


def _group(harts: Sequence[Hart]) -> tuple[object, ...]:
    """The cells of equal neighbours together: `max` is that of the fullest one."""
    first, last, number = harts[0], harts[-1], len(harts)
    mean = sum(hart["busy_mean"] for hart in harts)
    return (
        f"{first['hart']}-{last['hart']}" if number > 1 else first["hart"],
        _lines(harts),
        _most(harts),
        f"{mean / number:.2f}",
        _exhausted(harts),
        *(_total(harts, name) for name in COUNTS),
    )


def total_row(harts: Sequence[Hart]) -> tuple[object, ...]:
    """The cells of all HARTs together."""
    mean = f"{sum(hart['busy_mean'] for hart in harts):.2f}"
    counts = (_total(harts, name) for name in COUNTS)
    return ("all", _lines(harts), "", mean, "", *counts)


def _exhausted(harts: Sequence[Hart]) -> str:
    """The share of the time online with no line left; "-" where there was no such time."""
    some = any(hart["usable"] and hart["online"] for hart in harts)
    return f"{mean_exhausted(harts):.1%}" if some else "-"


def _lines(harts: Sequence[Hart]) -> str:
    """The lines that the kernel may hand out, of how many where it withholds some."""
    usable, withheld = _total(harts, "usable"), _total(harts, "withheld")
    return f"{usable} of {usable + withheld}" if withheld else f"{usable}"


def _most(harts: Sequence[Hart]) -> str:
    """The most lines taken on a HART, marked `!` if that is more than it has."""
    over = any(hart["busy_max"] > hart["usable"] for hart in harts)
    return f"{max(hart['busy_max'] for hart in harts)}{'!' * over}"


def _total(harts: Sequence[Hart], name: str) -> int:
    return sum(int(hart[name]) for hart in harts)


SPAN_HEADS = ("what took time", "count", "p50", "p99", "max")
SPAN_LABELS = {
    "msi-vsfile": "MSI to VS-file",
    "msi-swfile": "MSI to SW-file",
    "sgei-taken": "SGEI raised to handler",
    "sgei-served": "SGEI to owner runs",
    "attach": "SW-file to VS-file",
    "move": "VS-file moved to another HART",
    "fallback": "no line: goes on with SW-file",
    "refused": "no line: entry failed",
}
MET_LABELS = {
    "": "",
    "guest": ", in guest",
    "wfi": ", in WFI",
    "failed": ", no line",
    "runnable": ", no HART",
    "host": ", in host",
}
"""What its vCPU did when an interrupt came, see `MET_NAMES`."""
LOCKS_SHOWN = 3


def span_rows(result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """A row for each kind of span that occurred: how often, and how long; for each mode if there
    are several."""
    several = len({vm["mode_granted"] for vm in result["vms"]}) > 1
    for span in result["spans"]:
        label = f"{SPAN_LABELS[span['kind']]}{MET_LABELS[span['met']]}"
        label = f"{span['mode']}: {label}" if several and span["mode"] else label
        times = (_plain(span[name]) for name in ("p50_ns", "p99_ns", "max_ns"))
        yield label, f"{span['count']:,}", *times


VM_HEADS = ("VM", "mode", "vCPUs", "VS/guest", "VS-file", "SW-file", "WFI", "failed", "host")
OF_LIFE = ("vsfile_ns", "swfile_ns", "blocked_ns", "failed_ns", "host_ns")


def vm_rows(result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """A row for each VM, if there are a few, and one for all of a mode: the share of the time in
    the guest that is on a VS-file, and the shares of the whole life."""
    vms, few = result["vms"], len(result["vms"]) <= VMS_SHOWN
    for vm in vms if few else ():
        yield _vm_row(vm["name"], vm)
    for mode in dict.fromkeys((vm["mode_asked"], vm["mode_granted"]) for vm in vms):
        alike = [vm for vm in vms if (vm["mode_asked"], vm["mode_granted"]) == mode]
        if len(alike) > 1 or not few:
            yield _vm_row("all", {**alike[0], **_sums(alike)})


def _sums(vms: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {key: sum(vm[key] for vm in vms) for key in ("count", "life_ns", *OF_LIFE)}


def _vm_row(name: str, vm: dict[str, Any]) -> tuple[object, ...]:
    """The cells of a VM; in place of a mode that was refused stands the error."""
    mode = vm["mode_granted"] if vm["mode_granted"] == vm["mode_asked"] else "-EINVAL"
    guest, whole = vm["vsfile_ns"] + vm["swfile_ns"], vm["life_ns"]
    cells = (_share(vm["vsfile_ns"], guest), *(_share(vm[key], whole) for key in OF_LIFE))
    return name, mode, f"{vm['count']:,}", *cells


def refusals(result: dict[str, Any]) -> Iterator[str]:
    """Which VMs KVM has refused their mode, so that they run in another."""
    refused: dict[tuple[str, str], list[str]] = {}
    for vm in result["vms"]:
        if vm["mode_asked"] != vm["mode_granted"]:
            refused.setdefault((vm["mode_asked"], vm["mode_granted"]), []).append(vm["name"])
    for (asked, granted), names in refused.items():
        yield from indented(f"-EINVAL: refused {asked}, in {granted}: {', '.join(names)}", 0)


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "-"


def lock_lines(result: dict[str, Any]) -> Iterator[str]:
    """The locks with the longest waits."""
    waited = {name: use for name, use in result["locks"].items() if use["contended"]}
    longest = sorted(waited, key=lambda name: (-waited[name]["wait_ns_total"], name))[:LOCKS_SHOWN]
    waits = (f"{name} {_plain(waited[name]['wait_ns_total'])}" for name in longest)
    yield from indented(f"lock waits: {', '.join(waits) or 'none'}", 0)


def _plain(ns: int) -> str:
    """A time in ASCII, for mails."""
    return short_time(ns).replace("µ", "u")


MSI_HEADS = ("MSIs", "sent", "delivered", "merged", "pending", "dropped", "lost")
VMS_SHOWN = 8
"""Most VMs that have a row each; of more, only the sum is printed, and `--json` lists them all."""


def msi_rows(msis: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A row for each VM, or each [[vm]] table, if there are a few, and one for all; none if nothing
    was sent."""
    if not msis["all"]["sent"]:
        return
    shown = msis["vms"] if len(msis["vms"]) <= VMS_SHOWN else _by_table(msis["vms"])
    if 1 < len(shown) <= VMS_SHOWN:
        for name, row in shown.items():
            yield _row(name, row)
    yield _row("all", msis["all"])


def _by_table(vms: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The sums of the VMs of each [[vm]] table."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for name, row in vms.items():
        tables.setdefault(table_of(name), []).append(row)
    return {name: _sum(rows) for name, rows in tables.items()}


def _sum(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    rules: Counter[str] = Counter()
    for row in rows:
        rules.update(row["dropped"])
    return {head: _total(rows, head) for head in MSI_HEADS[1:] if head != "dropped"} | {
        "dropped": rules
    }


def dropped_line(msis: dict[str, Any]) -> str:
    """The number of MSIs that each rule dropped, "" if none did."""
    rules = ", ".join(f"{n:,} {rule}" for rule, n in msis["all"]["dropped"].items() if n)
    return f"dropped by rule: {rules}" if rules else ""


def by_sgei(msis: dict[str, int]) -> Iterator[str]:
    """The number of MSIs that took an SGEI; nothing if none was sent."""
    if msis["sent"]:
        yield f"{msis['sgei']:,} of {count(msis['sent'], 'MSI')} took an SGEI"


def _row(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    numbers = {**row, "dropped": sum(row["dropped"].values())}
    return name, *(f"{numbers[head]:,}" for head in MSI_HEADS[1:])
