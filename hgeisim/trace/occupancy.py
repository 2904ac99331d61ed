"""HGEI lines in a trace: who owned each one and when, what became of it, and how many there are.

A line counts as owned from the return of its allocation to the entry of its free, which is a little
less than in the kernel.  So two owners of a line at the same time are never an artefact of the
probes.

A failed allocation proves how many lines a HART can hand out: all of them were owned.  On other
HARTs the number is at least the highest line that was seen, and less than the number of pages from
one HART's guest files to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import HartSpec, Topology


class Moment(NamedTuple):
    """A time on the trace's clock and the line of the file; together, the order of the trace."""

    time_ns: int
    line: int


class Doubt(NamedTuple):
    """A place where events contradict each other, or the kernel went wrong; `line` of the file."""

    line: int
    text: str


@dataclass(slots=True)
class Ownership:
    """A span in which a vCPU (by its number, 0: not known) owned a line of a HART.

    `end` is None if it lasts to the end of the trace.  `start_known` is False if it began before
    the trace or in a hole of it, `end_known` is False if its end was not seen.
    """

    hart: int
    line: int
    vcpu: int
    start: Moment
    end: Moment | None = None
    start_known: bool = True
    end_known: bool = False


@dataclass
class _Place:
    """A line of a HART: its owner now, and when an event last showed that."""

    owner: Ownership | None
    shown_at: Moment


@dataclass
class Lines:
    """All lines that an event has named; nothing is known of the others.

    `unknown_until` is the beginning of the trace, or the last place where events were lost: what
    was shown before may have changed unseen, so a later event that contradicts it is believed.
    """

    unknown_until: Moment
    ownerships: list[Ownership] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    _places: dict[tuple[int, int], _Place] = field(default_factory=dict)
    _owned: Counter[int] = field(default_factory=Counter)

    def taken(self, at: Moment, hart: int, line: int, vcpu: int) -> None:
        """Note that a line was handed out."""
        place = self._place(hart, line)
        if place.owner is not None:
            if place.shown_at >= self.unknown_until:
                self._doubt(at, hart, line, f"is handed out, but {_name(place.owner)} owns it")
            place.owner.end = at
        self._own(Ownership(hart, line, vcpu, at), at)

    def freed(self, at: Moment, hart: int, line: int) -> None:
        """Note that a line was given back."""
        place = self._place(hart, line)
        if place.owner is None and place.shown_at >= self.unknown_until:
            self._doubt(at, hart, line, "is freed, but nobody owns it")
            return
        owner = place.owner or self._own_since_unknown(at, hart, line, 0)
        owner.end, owner.end_known = at, True
        self._put(hart, line, None, at)

    def seen(self, at: Moment, hart: int, line: int, vcpu: int) -> None:
        """Note an event that names the line as that of a vCPU."""
        place = self._place(hart, line)
        sure, owner = place.shown_at >= self.unknown_until, place.owner
        if owner is not None and owner.vcpu in (0, vcpu):
            owner.vcpu, place.shown_at = vcpu, at
        elif not sure:
            if owner is not None:
                owner.end = self.unknown_until
            self._own_since_unknown(at, hart, line, vcpu)
        else:
            whose = f"{_name(owner)} owns it" if owner else "nobody owns it"
            self._doubt(at, hart, line, f"is used by vCPU {vcpu}, but {whose}")

    def is_unseen(self, hart: int, line: int) -> bool:
        """Whether no event has named a line yet."""
        return (hart, line) not in self._places

    def count(self, hart: int) -> int:
        """The number of lines of a HART that are owned now."""
        return self._owned[hart]

    def hart_of(self, vcpu: int) -> int:
        """The HART of the latest line that a vCPU still owns; -1 for none."""
        owned = [place.owner for place in self._places.values() if place.owner is not None]
        mine = [owner for owner in owned if owner.vcpu == vcpu != 0]
        return max(mine, key=lambda owner: owner.start).hart if mine else -1

    def _place(self, hart: int, line: int) -> _Place:
        return self._places.get((hart, line)) or _Place(None, _NEVER)

    def _put(self, hart: int, line: int, owner: Ownership | None, shown_at: Moment) -> None:
        self._owned[hart] += (owner is not None) - (self._place(hart, line).owner is not None)
        self._places[hart, line] = _Place(owner, shown_at)

    def _own(self, ownership: Ownership, shown_at: Moment) -> Ownership:
        self.ownerships.append(ownership)
        self._put(ownership.hart, ownership.line, ownership, shown_at)
        return ownership

    def _own_since_unknown(self, at: Moment, hart: int, line: int, vcpu: int) -> Ownership:
        """Let a vCPU own a line since the last moment at which nothing was known of it."""
        start = self.unknown_until
        return self._own(Ownership(hart, line, vcpu, start, start_known=False), at)

    def _doubt(self, at: Moment, hart: int, line: int, text: str) -> None:
        self.doubts.append(Doubt(at.line, f"HART {hart} line {line} {text}"))


_NEVER = Moment(-1, 0)


def _name(owner: Ownership) -> str:
    return f"vCPU {owner.vcpu}" if owner.vcpu else "a vCPU"


@dataclass
class Vcpu:
    """A vCPU: `number` counts from 1 in order of appearance; `pointer` names it in the trace.

    `comm` and `pid` are those of the thread that runs it, "" and 0 until that was seen.
    """

    number: int
    pointer: str
    comm: str = ""
    pid: int = 0


class Allocation(NamedTuple):
    """A call of kvm_riscv_aia_alloc_hgei that returned a line, or a negative errno.

    `old_hart` is the HART where the vCPU had a line, -1 for none; `owned` is the number of lines of
    the HART that were owned before.
    """

    at: Moment
    hart: int
    vcpu: int
    result: int
    old_hart: int
    owned: int

    @property
    def failed(self) -> bool:
        """Whether no line was handed out."""
        return self.result <= 0

    @property
    def is_migration(self) -> bool:
        """Whether the vCPU was given a line while it had one elsewhere."""
        return not self.failed and self.old_hart >= 0


class Freed(NamedTuple):
    """A freed line: kvm_riscv_aia_free_hgei was entered."""

    at: Moment
    hart: int
    line: int


class Sgei(NamedTuple):
    """An SGEI that a HART took; `mask` has the lines that were pending and enabled."""

    at: Moment
    hart: int
    mask: int


class Released(NamedTuple):
    """A vCPU's loss of its VS-file and line; `by_hotplug`: in kvm_riscv_aia_disable."""

    at: Moment
    hart: int
    vcpu: int
    line: int
    by_hotplug: bool


class Window(NamedTuple):
    """A period in which a HART had no HGEI: from kvm_riscv_aia_disable to the next enable's return.

    CPU hotplug causes it, and KVM when the last VM goes.  `start` is None if it began before the
    trace, `end` if it lasts to the end.
    """

    hart: int
    start: Moment | None
    end: Moment | None


@dataclass
class Occupancy:
    """Everything that a trace shows of the lines, each list in order of time.

    `pages` has the host page number of each line's guest file that was mapped; `unanswered` counts
    the allocations whose return is missing.
    """

    begin: Moment
    end: Moment
    vcpus: list[Vcpu] = field(default_factory=list)
    ownerships: list[Ownership] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    frees: list[Freed] = field(default_factory=list)
    sgeis: list[Sgei] = field(default_factory=list)
    releases: list[Released] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    pages: dict[tuple[int, int], int] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    unanswered: int = 0

    @property
    def highest_hart(self) -> int:
        """The highest HART number in any of the lists; -1 for none."""
        harts = [each.hart for each in self.ownerships]
        harts += [each.hart for each in self.allocations]
        harts += [each.hart for each in self.frees]
        harts += [each.hart for each in self.releases]
        return max(harts, default=-1)


_PAGE_SHIFT = 12
_INDEX_BITS_MAX = 6


@dataclass(frozen=True)
class Machine:
    """The HARTs, and whether each one's number of lines is `proven`, by the trace or the user."""

    topology: Topology
    proven: tuple[bool, ...]


def machine_of(occupancy: Occupancy, harts: int, source: str, given: Sequence[int] = ()) -> Machine:
    """Return what is known of a machine with at least `harts` HARTs.

    `given` are the lines of each HART, or one number for all HARTs, if the user knows them.
    """
    highest = [0] * harts
    for owner in occupancy.ownerships:
        highest[owner.hart] = max(highest[owner.hart], owner.line)
    bits = guest_index_bits(occupancy.pages)
    if given:
        lines = _given_lines(given, harts, source)
        proven = [True] * len(lines)
    else:
        proven = [_is_proven(occupancy, hart, highest[hart]) for hart in range(harts)]
        most = (1 << bits) - 1 if bits else max([1, *highest])
        lines = [
            line if known else max(line, most) for line, known in zip(highest, proven, strict=True)
        ]
    specs = tuple(HartSpec(count) for count in lines)
    index_bits = bits or max(lines).bit_length()
    return Machine(Topology(specs, index_bits, source), tuple(proven))


def guest_index_bits(pages: Mapping[tuple[int, int], int]) -> int:
    """Return how many bits of a host page number count guest files, from the pages of lines.

    The page of line L of HART H is base + (H << bits) + L.  Return 0 if the pages do not show the
    bits, or are not laid out like this (more than one group of HARTs).
    """
    bases = sorted({(hart, (hpa >> _PAGE_SHIFT) - line) for (hart, line), hpa in pages.items()})
    strides = {
        divmod(page - page_before, hart - hart_before) if hart > hart_before else (0, 1)
        for (hart_before, page_before), (hart, page) in pairwise(bases)
    }
    for bits in range(1, _INDEX_BITS_MAX + 1):
        if strides == {(1 << bits, 0)}:
            return bits
    return 0


def _is_proven(occupancy: Occupancy, hart: int, highest: int) -> bool:
    """Whether an allocation failed there while all lines ever seen there were owned."""
    return highest > 0 and any(
        each.failed and each.hart == hart and each.owned >= highest
        for each in occupancy.allocations
    )


def _given_lines(given: Sequence[int], harts: int, source: str) -> list[int]:
    if len(given) == 1:
        return [*given] * harts
    if len(given) < harts:
        allowed = f"must be one number, or one for each of the {harts} HARTs in {source}"
        raise InputError([Problem("--lines", "", ",".join(map(str, given)), allowed)])
    return [*given]
