"""Why HARTs had no line left, as text and as a document: the worst spans of time, then the worst
holders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hgeisim.report.grid import Grid
from hgeisim.report.layout import count, indented
from hgeisim.runs.exhaustions import Exhaustion, Offender, offenders
from hgeisim.runs.occupancy_steps import Steps
from hgeisim.runs.recording import Recording
from hgeisim.runs.units import percent, short_time

HOLDERS_SHOWN, HARTS_SHOWN, OFFENDERS_SHOWN = 8, 4, 8
HOLDER_HEADS = ("line", "holder", "since", "held", "WFI", "failed")
OFFENDER_HEADS = ("vCPU", "held", "of it idle")
NO_IDLE = "what holders did was not recorded: a run with `--record all` has idle.csv"
FATES = {
    "fallback": "went on with a SW-file (AUTO)",
    "refused": "failed the entry (HWACCEL, KVM_EXIT_FAIL_ENTRY)",
}
"""What came of a request that got no line."""


def document(recording: Recording, found: Sequence[Exhaustion]) -> dict[str, Any]:
    """All of it, as plain values."""
    return {
        "exhaustions": [each.document() for each in found],
        "offenders": [vars(each) for each in offenders(found)],
        "idle_known": "idle" in recording.tables,
    }


def parts(recording: Recording, found: Sequence[Exhaustion], top: int) -> Iterator[Grid | str]:
    """The text, with tables in it: `top` spans of time."""
    yield from recording.title.splitlines()
    yield ""
    yield from indented(_sum(found), 0)
    for each in found[:top]:
        yield ""
        yield from _exhaustion(recording, each)
    if len(found) > top:
        yield ""
        yield from indented(f"... and {len(found) - top:,} more: --top, --hart, --json", 0)
    if found:
        yield ""
        yield from _offenders(recording, offenders(found)[:OFFENDERS_SHOWN])


def _sum(found: Sequence[Exhaustion]) -> str:
    if not found:
        return "no HART that has lines was ever out of them"
    lasted, harts = sum(each.lasted_ns for each in found), len({each.hart for each in found})
    times = "once" if len(found) == 1 else f"{len(found):,} times"
    refused = sum(each.refused for each in found)
    return (
        f"{count(harts, 'HART')} out of lines {times}, {_time(lasted)} in all; "
        f"{count(refused, 'request')} got none"
    )


def _exhaustion(recording: Recording, each: Exhaustion) -> Iterator[Grid | str]:
    span = f"from {_time(each.start_ns)} to {_time(each.end_ns)}"
    words = f"HART {each.hart}: no line {span} ({_time(each.lasted_ns)})"
    yield from indented(f"{words}, {count(each.refused, 'request')} got none", 0)
    yield from indented(_rule(recording.steps[each.hart]), 2)
    for kind, number in each.refusals.items():
        yield from indented(f"{number:,} {FATES[kind]}", 2)
    yield Grid(HOLDER_HEADS, list(_holder_rows(recording, each)))
    if (more := len(each.holders) - HOLDERS_SHOWN) > 0:
        yield f"  ... and {count(more, 'holder')} more"
    yield from indented(_elsewhere(each), 2)


def _rule(steps: Steps) -> str:
    """Why kvm_riscv_aia_alloc_hgei has nothing to give."""
    lines = "its line is taken" if steps.lines == 1 else f"all of its {steps.lines} lines are taken"
    if not steps.withheld:
        return f"{lines} (alloc_hgei: -ENOENT)"
    kept = "1 is kept" if steps.withheld == 1 else f"{steps.withheld} are kept"
    return f"{lines} (alloc_hgei: -ENOENT), and {kept} back by the kernel's count"


def _holder_rows(recording: Recording, each: Exhaustion) -> Iterator[tuple[str, ...]]:
    known = "idle" in recording.tables
    for holder in each.holders[:HOLDERS_SHOWN]:
        idle = (_of(ns, holder.held_ns) for ns in (holder.blocked_ns, holder.failed_ns))
        times = (_time(holder.since_ns), _of(holder.held_ns, each.lasted_ns))
        yield (str(holder.line), holder.name, *times, *(idle if known else ("?", "?")))


def _elsewhere(each: Exhaustion) -> str:
    if not each.free_ns:
        return "no other HART had a free line"
    shown = list(each.free_harts.items())[:HARTS_SHOWN]
    harts = ", ".join(f"HART {hart} {_of(ns, each.lasted_ns)}" for hart, ns in shown)
    more = len(each.free_harts) - len(shown)
    others = f" and {count(more, 'other')}" if more else ""
    return f"another HART had a free line for {_of(each.free_ns, each.lasted_ns)}: {harts}{others}"


def _offenders(recording: Recording, worst: Sequence[Offender]) -> Iterator[Grid | str]:
    if "idle" not in recording.tables:
        yield from indented(NO_IDLE, 0)
        return
    yield "Held a line that others lacked, with no use for it (WFI, or a failed entry):"
    rows = [(each.name, _time(each.held_ns), _of(each.idle_ns, each.held_ns)) for each in worst]
    yield Grid(OFFENDER_HEADS, rows)


def _of(part_ns: int, whole_ns: int) -> str:
    return percent(part_ns / whole_ns) if whole_ns else "-"


def _time(ns: int) -> str:
    return short_time(ns).replace("µ", "u")
