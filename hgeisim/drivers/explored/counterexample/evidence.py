"""The evidence for a finding: its slice of the schedule, and what a reader must see to believe it.

If the content of an interrupt file was lost, the evidence follows it while its vCPU moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hgeisim.checks.catalogue import Severity, is_lock_order, severity_of
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.counterexample.completions import TooMany, WholeOrder, always_shows
from hgeisim.drivers.explored.counterexample.replay import Traced, TracedStep, trace
from hgeisim.drivers.explored.counterexample.slice import Slice, Weight, slice_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import Stuck, wait_cycle
from hgeisim.drivers.explored.strategies.lock_walks import lock_walks
from hgeisim.drivers.explored.strategies.strategy import Below
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.kernel.structs import Vcpu
from hgeisim.lockorder.report.violation import Report
from hgeisim.machine.shared import address_of, addresses
from hgeisim.scenario.streams import Streams
from hgeisim.watch.lock_report import finding_of

LEDGERS = {"set-up-lost": ("setup", "eie"), "sent-lost": ("owed", "eip")}
"""For each kind of loss the field of a guest's books, and the register that ought to have it."""


class Places(NamedTuple):
    """The cells that hold the lost bits of a vCPU from a step on (None: from the start)."""

    since: int | None
    cells: tuple[int, ...]


class Whereabouts(NamedTuple):
    """The vCPU, the bits that it lost, and where these were."""

    vcpu: Vcpu
    register: str
    bits: int
    history: tuple[Places, ...]


def whereabouts(space: Space, traced: Traced) -> Whereabouts | None:
    """Follow the bits that a finding reports as lost; None if it reports none."""
    book, register = LEDGERS.get(traced.finding.kind, ("", ""))
    final = space.fine.codebook.decode(traced.final)
    for vcpu in space.system.k.vcpus:
        if book and vcpu is not None and address_of(vcpu.ledger, book) in traced.cells:
            bits = final[address_of(vcpu.ledger, book)]
            history = tuple(_history(space, traced, vcpu, (register, bits)))
            return Whereabouts(vcpu, register, bits, history)
    return None


def _history(space: Space, traced: Traced, vcpu: Vcpu, what: tuple[str, int]) -> Iterator[Places]:
    register, bits = what
    names, start = space.system.memory.names, space.system.start
    registers = re.compile(rf"(hart\d+\.{register}\[\d+\]|.*(swfile|mrif)\.{register})$")
    cells = [cell for cell, name in enumerate(names) if registers.fullmatch(name)]
    cpu, hgei = (start[address_of(vcpu, f"vsfile_{part}")] for part in ("cpu", "hgei"))
    home = f"hart{cpu}.{register}[{hgei}]" if cpu >= 0 else f"{vcpu.name}.swfile.{register}"
    held = {cell for cell in cells if names[cell] == home and start[cell] & bits == bits}
    yield Places(None, tuple(sorted(held)))
    for place, step in enumerate(traced.steps):
        before = set(held)
        come = {c for c in cells if c in step.changes and step.changes[c][1] & bits == bits}
        gone = {c for c in held if c in step.changes and step.changes[c][1] & bits != bits}
        if not held or held & step.reads.keys():
            held |= come
        held -= gone
        if held != before:
            yield Places(place, tuple(sorted(held)))


CONTINUATIONS = 60
"""Schedules that are tried after each beginning, to see which step decides."""
DECIDING_POINTS_MAX, ATTEMPTS = 100_000, 3
"""Points to look at to prove that every schedule shows the finding after the step that decides, and
how often a later step is tried where one does not."""


SLEEP = "schedule"
REASON_TO_WAKE = re.compile(r"(owners\[\d+\]|vsfile_cpu|hgeip)$")
_OWNERS = re.compile(r"hgei(\d+)\.owners\[(\d+)\]")
_OF_A_LOCK = re.compile(r"lock\.\w+$")


class Window(NamedTuple):
    """Two steps of one context, between which others come that must not; `closes` is None if the
    context has not gone on when the finding shows."""

    opens: int
    closes: int | None


class Line(NamedTuple):
    """An HGEI line of a CPU."""

    cpu: int
    hgei: int


@dataclass(frozen=True)
class Evidence:
    """The steps of a schedule that a reader must see, and their meaning; steps count from 0.

    `kept` are the steps to show.  After step `decides` every schedule shows the finding, whatever
    comes next (None if that holds from the start); it is proven if `decides_all`, else sampled.
    `lines` are the HGEI lines of the steps shown, `lost` says where lost bits had been, and `cycle`
    which contexts wait for each other in a deadlock.  `stands` maps the last steps of contexts to
    the operations at which they are stuck, and `sleepers` are the last steps in which those that
    sleep looked for a reason to wake.  `lock_report` is the validator's report of a lock-order
    finding.
    """

    traced: Traced
    slice: Slice
    kept: tuple[int, ...]
    decides: int | None
    windows: tuple[Window, ...]
    lines: tuple[Line, ...]
    lost: Whereabouts | None
    cycle: tuple[Stuck, ...] = ()
    stands: Mapping[int, str] = field(default_factory=dict)
    sleepers: frozenset[int] = frozenset()
    decides_all: bool = True
    lock_report: Report | None = None

    @property
    def essential(self) -> tuple[int, ...]:
        """The steps without which nothing can be understood, where there is little room."""
        ends = {i for each in self.slice.order if each.weight == 1 for i in (each.first, each.then)}
        needed = {*ends, self.decides, *self.kept[-1:], *self.stands}
        return tuple(i for i in self.kept if i in needed)


def evidence(space: Space, schedule: Schedule, finding_id: str, weight: Weight) -> Evidence:
    """The evidence in a schedule for a finding.  Raises `NotShown` if it does not show it."""
    below = Streams(0).stream("evidence").below
    traced = trace(space, schedule, finding_id)
    found = slice_of(space, traced, below, weight)
    decides, decides_all = _decides(space, traced, below)
    stands = _stands(space, traced) if traced.at_end else {}
    sleepers = frozenset(_sleepers(space, traced, stands))
    kept = _kept(space, traced, found, weight) | stands.keys() | sleepers
    if decides is not None:
        kept.add(decides)
    lines = tuple(_lines(space, traced, kept))
    if severity_of(finding_id) in (Severity.ISOLATION, Severity.OWNERSHIP):
        kept.update(_handed_over(space, traced, lines))
    cycle = wait_cycle(space, traced.final) if traced.finding.kind == "deadlock" else ()
    cause = cause_of(space, schedule, finding_id)
    return Evidence(
        traced._replace(finding=replace(traced.finding, cause=cause)),
        found,
        tuple(sorted(kept)),
        decides,
        tuple(_windows(traced, found)),
        lines,
        whereabouts(space, traced),
        cycle,
        stands,
        sleepers,
        decides_all,
        _lock_report(space, traced),
    )


def _lock_report(space: Space, traced: Traced) -> Report | None:
    """The report of a lock-order finding, from the validator along this schedule alone."""
    if not is_lock_order(traced.finding.id):
        return None
    walks = lock_walks(space, [traced.schedule], 0, lambda _: 0)
    reports = walks.order.validator.reports
    return next((each for each in reports if finding_of(each).id == traced.finding.id), None)


def _decides(space: Space, traced: Traced, below: Below) -> tuple[int | None, bool]:
    """The first step after which every schedule shows the finding, and whether that is proven: by
    bisection over samples, until a step is found for which every schedule was tried."""
    place = _bisected(space, traced, below, -1)
    for _ in range(0 if is_lock_order(traced.finding.id) else ATTEMPTS):
        try:
            if _always_shows_after(space, traced, place):
                return (place if place >= 0 else None), True
        except TooMany:
            break
        place = _bisected(space, traced, below, place + 1)
    return (place if place >= 0 else None), False


def _always_shows_after(space: Space, traced: Traced, place: int) -> bool:
    if place == len(traced.schedule) - 1 and not traced.at_end:
        return True
    state = space.fine.state_after(traced.schedule[: place + 1])
    whole = WholeOrder(space, traced.finding.id, ())
    return whole.failing(DECIDING_POINTS_MAX, state) is None


def _bisected(space: Space, traced: Traced, below: Below, low: int) -> int:
    high = len(traced.schedule) - 1
    while low < high:
        middle = (low + high) // 2
        first = traced.schedule[: middle + 1]
        if always_shows(space, first, traced.finding.id, CONTINUATIONS, below):
            high = middle
        else:
            low = middle + 1
    return high


def _kept(space: Space, traced: Traced, found: Slice, weight: Weight) -> set[int]:
    """The ends of the order, the last step, and the steps from which the data of these came."""
    names, steps = space.system.memory.names, traced.steps
    data = {a for step in steps for a in step.changes if weight(names[a]) == 1}
    kept = {i for each in found.order for i in (each.first, each.then) if i < len(steps)}
    if not traced.at_end:
        kept.add(len(steps) - 1)
    looked_at = (cell for cell in sorted(traced.cells) if not _OF_A_LOCK.search(names[cell]))
    wanted = [(len(steps), cell) for cell in looked_at]
    wanted += [(i, cell) for i in sorted(kept) for cell in sorted(data & _seen(steps, i))]
    while wanted:
        place, cell = wanted.pop()
        writer = next((i for i in reversed(range(place)) if cell in steps[i].changes), None)
        if writer is not None and writer not in kept:
            kept.add(writer)
            wanted += [(writer, each) for each in sorted(data & _seen(steps, writer))]
    return kept


def _lines(space: Space, traced: Traced, kept: set[int]) -> Iterator[Line]:
    """The lines that steps give to a vCPU as its VS-file, take from it, or hand over."""
    places = {
        (address_of(vcpu, "vsfile_cpu"), address_of(vcpu, "vsfile_hgei"))
        for vcpu in space.system.k.vcpus
        if vcpu is not None
    }
    found = dict[Line, None]()
    for place in sorted(kept):
        step = traced.steps[place]
        for cpu, hgei in sorted(places):
            new = step.writes.get(cpu, -1)
            if cpu in step.changes:
                seen = step.writes if new >= 0 else step.reads
                found[Line(seen.get(cpu, -1), seen.get(hgei, -1))] = None
        changed = (_OWNERS.fullmatch(space.system.memory.names[cell]) for cell in step.changes)
        found |= {Line(int(each[1]), int(each[2])): None for each in changed if each}
    # A patch may have written the numbers of a line that does not exist.
    controls = space.system.k.hgei
    here = (line for line in found if 0 <= line.cpu < len(controls))
    return (line for line in here if 0 <= line.hgei < len(controls[line.cpu].owners))


def _handed_over(space: Space, traced: Traced, lines: tuple[Line, ...]) -> Iterator[int]:
    """The steps that change the owner of a line or its free bit."""
    owners = {
        address
        for cpu, hgei in lines
        for address in addresses(space.system.k.hgei[cpu], "owners", "free_bitmap")
        if space.system.memory.names[address].endswith((f"[{hgei}]", "free_bitmap"))
    }
    return (i for i, step in enumerate(traced.steps) if not owners.isdisjoint(step.changes))


def _stands(space: Space, traced: Traced) -> dict[int, str]:
    """The operations at which unfinished contexts are stuck, by the last steps of the contexts."""
    made = dict[int, str]()
    for slot in space.fine.pending(traced.final):
        node, last = space.fine.node(slot, traced.final), traced.last_of(slot)
        if last is not None and node is not None and (node.waiting or node.op.voluntary):
            made[last] = str(node.op)
    return made


def _sleepers(space: Space, traced: Traced, stands: Mapping[int, str]) -> Iterator[int]:
    """For each context that sleeps the last step that read where its VS-file is, or whether that
    has something pending."""
    names = space.system.memory.names
    for last in (last for last, op in stands.items() if op == SLEEP):
        own = (i for i in range(last, -1, -1) if traced.schedule[i] == traced.schedule[last])
        for i in own:
            if any(REASON_TO_WAKE.search(names[cell]) for cell in traced.steps[i].reads):
                yield i
                break


def _seen(steps: tuple[TracedStep, ...], place: int) -> set[int]:
    """The cells that a step and the steps before it in the same call of a function have read."""
    step, seen = steps[place], set[int]()
    for earlier in reversed(steps[: place + 1]):
        if earlier.happened.event.slot == step.happened.event.slot:
            if earlier.functions != step.functions:
                break
            seen.update(earlier.reads)
    return seen


def _windows(traced: Traced, found: Slice) -> list[Window]:
    """The windows in which a context pauses after a step that others need, until after the steps
    that it depends on; windows about the data of the kernel come first."""
    slots, rated = traced.schedule, list[tuple[int, Window]]()
    for back in found.order:
        opening = [
            out
            for out in found.order
            if out.then <= back.first < back.then
            and slots[out.first] == back.edge.then.slot
            and out.first < back.then
        ]
        if opening:
            out = max(opening, key=lambda each: each.first)
            closes = back.then if back.comes else None
            rated.append((out.weight + back.weight, Window(out.first, closes)))
    return [window for _, window in sorted(rated, key=lambda each: each[0])]
