"""The evidence for a finding: its slice of the schedule, and what a reader must see to believe it.

Where the content of an interrupt file was lost, it says where that was while its vCPU moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hgeisim.checks.catalogue import Severity, is_lock_order, severity_of
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.counterexample.completions import TooMany, WholeOrder, always_shows
from hgeisim.drivers.explored.counterexample.replay import Access, Traced, trace
from hgeisim.drivers.explored.counterexample.slice import Slice, Weight, slice_of
from hgeisim.drivers.explored.model.cached_step import after
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
"""What the books of a guest call what is lost, and the register that ought to have it."""


class Places(NamedTuple):
    """The cells that have the lost bits of a vCPU from a step on (None: from the start)."""

    since: int | None
    cells: tuple[int, ...]


class Whereabouts(NamedTuple):
    """The vCPU, what it lost, and where that was."""

    vcpu: Vcpu
    register: str
    bits: int
    history: tuple[Places, ...]


def whereabouts(space: Space, traced: Traced) -> Whereabouts | None:
    """Follow what a finding says was lost; None if it says no such thing."""
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
"""Points that are looked at, to see whether really nothing comes after it without the finding; and
how often another step is tried where something does."""


SLEEP = "schedule"
LOOK = re.compile(r"(owners\[\d+\]|vsfile_cpu|hgeip)$")
_OWNERS = re.compile(r"hgei(\d+)\.owners\[(\d+)\]")
_OF_A_LOCK = re.compile(r"lock\.\w+$")


class Window(NamedTuple):
    """Two steps of one context, between which others come that must not; `closes` is None when it
    has not gone on when the finding shows."""

    opens: int
    closes: int | None


class Line(NamedTuple):
    """An HGEI line of a CPU."""

    cpu: int
    hgei: int


@dataclass(frozen=True)
class Evidence:
    """Steps are counted from 0.

    `kept` are those to show; after step `decides` every schedule shows the finding, whatever comes
    (None if even the start is after it), as far as was tried unless `decides_all`.
    `lines` are those that the steps shown are about, `lost` is where what was lost had been,
    `circle` who waits for whom in a deadlock, `lock_report` the validator's report of a lock-order
    finding.
    `stands` has the operations before which contexts stand in the end, by their last steps, and
    `looks` the last steps in which those that sleep looked for a reason not to.
    """

    traced: Traced
    slice: Slice
    kept: tuple[int, ...]
    decides: int | None
    windows: tuple[Window, ...]
    lines: tuple[Line, ...]
    lost: Whereabouts | None
    circle: tuple[Stuck, ...] = ()
    stands: Mapping[int, str] = field(default_factory=dict)
    looks: frozenset[int] = frozenset()
    decides_all: bool = True
    lock_report: Report | None = None

    @property
    def essential(self) -> tuple[int, ...]:
        """The steps without which nothing can be understood, for where there is no more room."""
        ends = {i for each in self.slice.order if each.weight == 1 for i in (each.first, each.then)}
        telling = (self.decides, self.kept[-1], *self.stands)
        return tuple(i for i in self.kept if i in ends or i in telling)


def evidence(space: Space, schedule: Schedule, finding_id: str, weight: Weight) -> Evidence:
    """Look at a schedule that shows a finding.  Raises `NotShown` if it does not."""
    below = Streams(0).stream("evidence").below
    traced = trace(space, schedule, finding_id)
    found = slice_of(space, traced, below, weight)
    decides, decides_all = _decides(space, traced, below)
    stands = _stands(space, traced) if traced.at_end else {}
    looks = frozenset(_looks(space, traced, stands))
    kept = _kept(space, traced, found, weight) | stands.keys() | looks
    if decides is not None:
        kept.add(decides)
    lines = tuple(_lines(space, traced, kept))
    if severity_of(finding_id) in (Severity.ISOLATION, Severity.OWNERSHIP):
        kept.update(_handed_over(space, traced, lines))
    windows = tuple(_windows(traced, found))
    lost = whereabouts(space, traced)
    circle = wait_cycle(space, traced.final) if traced.finding.kind == "deadlock" else ()
    shown = tuple(sorted(kept))
    report = _lock_report(space, traced)
    cause = cause_of(space, schedule, finding_id)
    traced = traced._replace(finding=replace(traced.finding, cause=cause))
    made = Evidence(traced, found, shown, decides, windows, lines, lost, circle, stands, looks)
    return replace(made, decides_all=decides_all, lock_report=report)


def _lock_report(space: Space, traced: Traced) -> Report | None:
    """The report of a lock-order finding, from the validator along this schedule alone."""
    if not is_lock_order(traced.finding.id):
        return None
    walks = lock_walks(space, [traced.schedule], 0, lambda _: 0)
    reports = walks.order.validator.reports
    return next((each for each in reports if finding_of(each).id == traced.finding.id), None)


def _decides(space: Space, traced: Traced, below: Below) -> tuple[int | None, bool]:
    """The first step after which everything shows the finding, and whether everything was tried: by
    bisection over samples, until one that is tried as a whole does not fail."""
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
    state = _state_after(space, traced.schedule[: place + 1])
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


def _state_after(space: Space, schedule: Schedule) -> bytes:
    state = space.fine.initial()
    for slot in schedule:
        state = after(state, space.fine.ask(slot, state).writes or ())
    return state


def _kept(space: Space, traced: Traced, found: Slice, weight: Weight) -> set[int]:
    """The ends of the order, the last step, and the steps from which their data came."""
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
        writer = _last_change(steps[:place], cell)
        if writer is not None and writer not in kept:
            kept.add(writer)
            wanted += [(writer, each) for each in sorted(data & _seen(steps, writer))]
    return kept


def _lines(space: Space, traced: Traced, kept: set[int]) -> Iterator[Line]:
    """The lines that steps give to a vCPU as its VS-file, take away from one, or hand over."""
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
    return (line for line in found if _exists(space, line))


def _exists(space: Space, line: Line) -> bool:
    """Whether the machine has a line; a patch may have written any number."""
    hgei = space.system.k.hgei
    return 0 <= line.cpu < len(hgei) and 0 <= line.hgei < len(hgei[line.cpu].owners)


def _handed_over(space: Space, traced: Traced, lines: tuple[Line, ...]) -> Iterator[int]:
    """The steps that change the owner of a line, or whether it is free."""
    owners = {
        address
        for cpu, hgei in lines
        for address in addresses(space.system.k.hgei[cpu], "owners", "free_bitmap")
        if space.system.memory.names[address].endswith((f"[{hgei}]", "free_bitmap"))
    }
    return (i for i, step in enumerate(traced.steps) if not owners.isdisjoint(step.changes))


def _stands(space: Space, traced: Traced) -> dict[int, str]:
    """What contexts that have not come to an end stand before, by their last steps."""
    fine, made = space.fine, dict[int, str]()
    for slot in fine.pending(traced.final):
        automaton, last = fine.system.automata[slot], traced.last_of(slot)
        node = automaton.nodes[fine.codebook.value(automaton.location, traced.final)]
        if last is not None and node is not None and (node.waiting or node.op.voluntary):
            made[last] = str(node.op)
    return made


def _looks(space: Space, traced: Traced, stands: Mapping[int, str]) -> Iterator[int]:
    """The last step of each sleeper that read where its VS-file is, or whether it has something."""
    names = space.system.memory.names
    for last, op in stands.items():
        slot = traced.schedule[last]
        own = (i for i in range(last, -1, -1) if traced.schedule[i] == slot)
        looks = (
            i for i in own if any(map(LOOK.search, map(names.__getitem__, traced.steps[i].reads)))
        )
        if op == SLEEP and (look := next(looks, None)) is not None:
            yield look


def _seen(steps: tuple[Access, ...], place: int) -> set[int]:
    """The cells that a step and those before it in the same call of a function have read."""
    step, seen = steps[place], set[int]()
    for earlier in reversed(steps[: place + 1]):
        if earlier.happened.event.slot == step.happened.event.slot:
            if earlier.functions != step.functions:
                break
            seen.update(earlier.reads)
    return seen


def _last_change(steps: tuple[Access, ...], cell: int) -> int | None:
    return next((i for i in reversed(range(len(steps))) if cell in steps[i].changes), None)


def _windows(traced: Traced, found: Slice) -> list[Window]:
    """Where a context is left after a step that others need, and goes on after what they did; those
    first that are about the data of the kernel."""
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
