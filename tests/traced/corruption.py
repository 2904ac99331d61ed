"""Corrupted traces: excerpts of real ones with one change, which none of these kernels can leave.

Left out, because they leave a legal trace, or one that looks legal:

* any change to a thread without later events on lines: the trace may as well be cut there;
* two allocations swapped that had the same result, a release swapped with itself: nothing changes;
* a lost `lread`: one may be missing;
* a lost `kick`, `inject`, `run`, `wakeon`, `vload` or `vput`: nothing has to follow from most of
  them (a kick lost in an SGEI handler is noticed, but that is not what is asked here);
* a wrong mask of `sgei`, or a wrong vCPU kicked, where kicks are not recorded: only those show it;
* a failed allocation moved as a whole to another CPU that is full as well: it fails there, too;
* a whole release left out of a vCPU that never asks for a line again: HWACCEL does not release.

Every corruption is chosen by its place alone, never by the verdict of a check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

_RECORD = re.compile(r" *(.+?)-(\d+) +\[(\d+)\] +\S+ +([\d.]+): (\w+): ?(.*)\n").fullmatch
_OF_LINES = (
    *("alloc", "alloc_ret", "free", "rel", "rel_ret", "ioremap", "iounmap", "run"),
    *("upd", "upd_ret", "dis", "dis_ret", "en"),
)
"""Events of a thread that must agree with its earlier ones."""
_OF_RELEASE = ("rel", "iounmap", "free", "free_ret", "rel_ret")
_VGEIN_LOW = 0x3000
"""The two lowest bits of VGEIN in hstatus."""


class Line(NamedTuple):
    """A line of a trace in parts; `thread` is the pid, `event` is "" for a comment."""

    number: int
    text: str
    thread: str = ""
    cpu: int = -1
    time: str = ""
    event: str = ""
    arguments: str = ""

    def value(self, name: str) -> int:
        """An argument that is a number."""
        found = re.search(rf"\b{name}=(-?\w+)", self.arguments)
        assert found, f"{self.text} has no {name}"
        return int(found[1], 0)

    def having(self, name: str, value: object) -> str:
        """The text with another value."""
        return re.sub(rf"\b{name}=-?[\w~]+", f"{name}={value}", self.text)

    def at(self, other: Line) -> str:
        """The text with the time of another line."""
        return self.text.replace(f" {self.time}: ", f" {other.time}: ", 1)


@dataclass(frozen=True)
class Corruption:
    """A corruption: its kind, its line, and the changed lines by number."""

    kind: str
    line: int
    changes: dict[int, str]


class Trace:
    """A trace, line by line."""

    def __init__(self, text: str) -> None:
        numbered = enumerate(text.splitlines(keepends=True), 1)
        self.lines = [_line(number, each) for number, each in numbered]
        self.last = {e.thread: e.number for e in self.lines if e.event in _OF_LINES}

    def of(self, *events: str) -> Iterator[Line]:
        """The events with some names whose threads have later events on lines."""
        for each in self.lines:
            if each.event in events and self.last.get(each.thread, 0) > each.number:
                yield each

    def after(self, line: Line) -> list[Line]:
        """All lines after one."""
        return self.lines[line.number :]

    def corrupted(self, corruption: Corruption) -> str:
        """The text with a corruption."""
        return "".join(corruption.changes.get(e.number, e.text) for e in self.lines)


def _line(number: int, text: str) -> Line:
    found = _RECORD(text)
    if not found:
        return Line(number, text)
    return Line(number, text, found[2], int(found[3]), found[4], found[5], found[6])


def wrong_lines(trace: Trace) -> Iterator[Corruption]:
    """Another line is handed out, freed, released or entered."""
    for each in trace.of("alloc_ret"):
        for wrong in (1, 2, 3, 4, -2):
            if wrong != each.value("ret"):
                changes = {each.number: each.having("ret", wrong)}
                yield Corruption("wrong line", each.number, changes)
    for each in trace.of("free", "rel"):
        name = "hgei" if each.event == "free" else "vs_hgei"
        if each.value(name) > 0:
            changes = {each.number: each.having(name, each.value(name) % 3 + 1)}
            yield Corruption("wrong line", each.number, changes)
    for each in trace.of("run"):
        wrong_hstatus = hex(each.value("hstatus") ^ _VGEIN_LOW)
        changes = {each.number: each.having("hstatus", wrong_hstatus)}
        yield Corruption("wrong line", each.number, changes)


def wrong_cpus(trace: Trace) -> Iterator[Corruption]:
    """Another CPU is named: where a line is asked for, handed out, freed or used, or was before."""
    for name, *events in (
        ("cpu", "alloc", "alloc_ret", "free", "run"),
        ("old_cpu", "alloc"),
        ("vs_cpu", "rel", "upd"),
    ):
        for each in trace.of(*events):
            if each.value(name) >= 0:
                changes = {each.number: each.having(name, (each.value(name) + 1) % 4)}
                yield Corruption("wrong CPU", each.number, changes)


def dropped_frees(trace: Trace) -> Iterator[Corruption]:
    """A line is not given back."""
    for each in trace.of("free"):
        yield Corruption("dropped free", each.number, {each.number: ""})


def doubled_frees(trace: Trace) -> Iterator[Corruption]:
    """A line is given back twice: immediately, or after the next event of the thread."""
    for each in trace.of("free"):
        yield Corruption("doubled free", each.number, {each.number: each.text * 2})
        later = next(e for e in trace.after(each) if e.thread == each.thread)
        if later.cpu == each.cpu:
            changes = {later.number: later.text + each.at(later)}
            yield Corruption("doubled free", each.number, changes)


def early_frees(trace: Trace) -> Iterator[Corruption]:
    """A vCPU that moves gives its old line back before it asks for the new one."""
    asked: dict[str, Line] = {}
    for each in trace.of("alloc", "free"):
        first = asked.pop(each.thread, None)
        if each.event == "alloc":
            asked[each.thread] = each
        elif first is not None and first.value("old_cpu") == each.value("cpu"):
            changes = {first.number: each.at(first) + first.text, each.number: ""}
            yield Corruption("early free", first.number, changes)


def swapped_allocations(trace: Trace) -> Iterator[Corruption]:
    """Two allocations of a CPU, one after the other, have each other's results."""
    last: dict[int, Line] = {}
    for each in trace.of("alloc_ret"):
        other = last.get(each.value("cpu"))
        if other is not None and other.value("ret") != each.value("ret"):
            changes = {
                other.number: other.having("ret", each.value("ret")),
                each.number: each.having("ret", other.value("ret")),
            }
            yield Corruption("swapped allocations", each.number, changes)
        last[each.value("cpu")] = each


def missing_releases(trace: Trace) -> Iterator[Corruption]:
    """imsic_release is missing: its entry alone, or everything that it did."""
    for each in trace.of("rel"):
        if each.value("vs_cpu") >= 0:
            yield Corruption("missing release", each.number, {each.number: ""})
            if _asks_again(trace, each):
                gone = {line.number: "" for line in _of_release(trace, each)}
                yield Corruption("missing release", each.number, gone)


def swapped_releases(trace: Trace) -> Iterator[Corruption]:
    """Two releases of one CPU hotplug change places."""
    for one, other in pairwise(trace.of("rel")):
        first, second = list(_of_release(trace, one)), list(_of_release(trace, other))
        events = [[e.event for e in group] for group in (first, second)]
        between = trace.lines[one.number : other.number]
        ends = any(e.event == "dis_ret" for e in between)
        if one.thread == other.thread and events[0] == events[1] and not ends:
            changes = {a.number: b.at(a) for a, b in zip(first, second, strict=True)}
            changes |= {b.number: a.at(b) for a, b in zip(first, second, strict=True)}
            yield Corruption("swapped releases", one.number, changes)


def wrong_kicks(trace: Trace) -> Iterator[Corruption]:
    """An SGEI kicks another vCPU than the owner, or is for another line."""
    vcpus = sorted({_vcpu(e) for e in trace.lines if e.event == "alloc"})
    records = [e for e in trace.lines if e.event]
    for each, after in pairwise(records):
        if each.event == "sgei" and after.event == "kick" and after.cpu == each.cpu:
            wrong = vcpus[(vcpus.index(_vcpu(after)) + 1) % len(vcpus)]
            changes = {after.number: after.having("vcpu", wrong)}
            yield Corruption("wrong kick", after.number, changes)
            shifted = each.value("mask") << 1
            yield Corruption("wrong kick", each.number, {each.number: each.having("mask", shifted)})


def _vcpu(line: Line) -> str:
    found = re.search(r"\bvcpu=(\S+)", line.arguments)
    assert found, f"{line.text} has no vcpu"
    return found[1]


def _of_release(trace: Trace, release: Line) -> Iterator[Line]:
    """The events of one imsic_release, with the sweep on the CPU of the VS-file."""
    cpu, line = release.value("vs_cpu"), release.value("vs_hgei")
    for each in trace.lines[release.number - 1 :]:
        own = each.thread == release.thread and each.event in _OF_RELEASE
        if own or (each.event == "lread" and each.cpu == cpu and each.value("hgei") == line):
            yield each
        if own and each.event == "rel_ret":
            return


def _asks_again(trace: Trace, release: Line) -> bool:
    """Whether the vCPU asks for a line later."""
    later = (e for e in trace.after(release) if e.event == "alloc")
    return any(_vcpu(each) == _vcpu(release) for each in later)


KINDS: tuple[Callable[[Trace], Iterator[Corruption]], ...] = (
    *(wrong_lines, wrong_cpus, dropped_frees, doubled_frees, early_frees),
    *(swapped_allocations, missing_releases, swapped_releases, wrong_kicks),
)


def corruptions(trace: Trace, most: int) -> Iterator[Corruption]:
    """At most `most` of each kind, spread evenly over a trace."""
    for kind in KINDS:
        every = list(kind(trace))
        count = min(most, len(every))
        yield from (every[i * len(every) // count] for i in range(count))
