"""HGEI lines in a trace: who owned which one when, what became of it, and how many there are.

A line counts as owned from the return of its allocation to the entry of its free, so for a little
less than in the kernel.  Two owners at once are therefore never an artefact of the probes.

A failed allocation proves how many lines a HART can hand out: all were owned.  Elsewhere it is at
least the highest line that was seen, and less than the pages from one HART's guest files to the
next.
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
    """A time on the trace's clock, and the line of the file: the order of the trace."""

    time_ns: int
    line: int


class Doubt(NamedTuple):
    """Where the events contradict each other, or the kernel went wrong; `line` of the file."""

    line: int
    text: str


@dataclass(slots=True)
class Ownership:
    """A line of a HART that a vCPU (by its number, 0: not known) owned.

    `end` is None for one that lasts to the end of the trace.  `start_known` is False for one that
    began before the trace or in a hole of it, `end_known` for one whose end was not seen.
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
    """A line of a HART: its owner now, and since when that is known."""

    owner: Ownership | None
    told: Moment


@dataclass
class Lines:
    """Every line that was ever told of; nothing is known of the others.

    `unknown_until` is the begin of the trace, or where events were lost last: what was told before
    may have changed unseen, and is then believed less than what is told now.
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
            if place.told >= self.unknown_until:
                self._doubt(at, hart, line, f"is handed out, but {_name(place.owner)} owns it")
            place.owner.end = at
        self._own(Ownership(hart, line, vcpu, at), at)

    def freed(self, at: Moment, hart: int, line: int) -> None:
        """Note that a line was given back."""
        place = self._place(hart, line)
        if place.owner is None and place.told >= self.unknown_until:
            self._doubt(at, hart, line, "is freed, but nobody owns it")
            return
        owner = place.owner or self._own_since_unknown(at, hart, line, 0)
        owner.end, owner.end_known = at, True
        self._put(hart, line, None, at)

    def seen(self, at: Moment, hart: int, line: int, vcpu: int) -> None:
        """Note an event that names the line as that of a vCPU."""
        place = self._place(hart, line)
        sure, owner = place.told >= self.unknown_until, place.owner
        if owner is not None and owner.vcpu in (0, vcpu):
            owner.vcpu, place.told = vcpu, at
        elif not sure:
            if owner is not None:
                owner.end = self.unknown_until
            self._own_since_unknown(at, hart, line, vcpu)
        else:
            whose = f"{_name(owner)} owns it" if owner else "nobody owns it"
            self._doubt(at, hart, line, f"is used by vCPU {vcpu}, but {whose}")

    def is_unheard_of(self, hart: int, line: int) -> bool:
        """Whether nothing was told of a line yet."""
        return (hart, line) not in self._places

    def count(self, hart: int) -> int:
        """How many lines of a HART are owned now."""
        return self._owned[hart]

    def hart_of(self, vcpu: int) -> int:
        """The HART on which a vCPU got its last line and still owns it; -1 for none."""
        owned = [place.owner for place in self._places.values() if place.owner is not None]
        mine = [owner for owner in owned if owner.vcpu == vcpu != 0]
        return max(mine, key=lambda owner: owner.start).hart if mine else -1

    def _place(self, hart: int, line: int) -> _Place:
        return self._places.get((hart, line)) or _Place(None, _NEVER)

    def _put(self, hart: int, line: int, owner: Ownership | None, told: Moment) -> None:
        self._owned[hart] += (owner is not None) - (self._place(hart, line).owner is not None)
        self._places[hart, line] = _Place(owner, told)

    def _own(self, ownership: Ownership, told: Moment) -> Ownership:
        self.ownerships.append(ownership)
        self._put(ownership.hart, ownership.line, ownership, told)
        return ownership

    def _own_since_unknown(self, at: Moment, hart: int, line: int, vcpu: int) -> Ownership:
        """Own a line from where nothing was known of it."""
        start = self.unknown_until
        return self._own(Ownership(hart, line, vcpu, start, start_known=False), at)

    def _doubt(self, at: Moment, hart: int, line: int, text: str) -> None:
        self.doubts.append(Doubt(at.line, f"HART {hart} line {line} {text}"))


_NEVER = Moment(-1, 0)


def _name(owner: Ownership) -> str:
    return f"vCPU {owner.vcpu}" if owner.vcpu else "a vCPU"


@dataclass
class Vcpu:
    """A vCPU: `number` counts from 1 as they appear; `pointer` names it in the trace.

    `comm` and `pid` are those of the thread that runs it, "" and 0 before it was seen.
    """

    number: int
    pointer: str
    comm: str = ""
    pid: int = 0


class Allocation(NamedTuple):
    """A call of kvm_riscv_aia_alloc_hgei that returned: with a line, or a negative errno.

    `old_hart` is where the vCPU had a line, -1 for nowhere; `owned` how many lines of the HART were
    owned before.
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
        """Whether the vCPU got a line while it had one elsewhere."""
        return not self.failed and self.old_hart >= 0


class Freed(NamedTuple):
    """A line was given back: kvm_riscv_aia_free_hgei was entered."""

    at: Moment
    hart: int
    line: int


class Sgei(NamedTuple):
    """A HART took an SGEI; `mask` are the lines that were pending and enabled."""

    at: Moment
    hart: int
    mask: int


class Released(NamedTuple):
    """A vCPU lost its VS-file, and its line with it; `by_hotplug`: kvm_riscv_aia_disable did it."""

    at: Moment
    hart: int
    vcpu: int
    line: int
    by_hotplug: bool


class Window(NamedTuple):
    """When a HART had no HGEI: from kvm_riscv_aia_disable to the return of the next enable.

    CPU hotplug does so, and KVM when the last VM goes.  `start` is None when it was so before the
    trace, `end` when it is so after it.
    """

    hart: int
    start: Moment | None
    end: Moment | None


@dataclass
class Occupancy:
    """Everything told of the lines, each list in order of time.

    `pages` holds the host page number of each line's guest file, where it was mapped; `unanswered`
    counts allocations whose return is missing.
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
        """The highest number of a HART that is named; -1 for none."""
        harts = [each.hart for each in self.ownerships]
        harts += [each.hart for each in self.allocations]
        harts += [each.hart for each in self.frees]
        harts += [each.hart for each in self.releases]
        return max(harts, default=-1)


_PAGE_SHIFT = 12
_INDEX_BITS_MAX = 6


@dataclass(frozen=True)
class Machine:
    """The HARTs, and for each whether its number of lines is `proven`, by the trace or the user."""

    topology: Topology
    proven: tuple[bool, ...]


def machine_of(occupancy: Occupancy, harts: int, source: str, given: Sequence[int] = ()) -> Machine:
    """Return what is known of a machine with at least so many HARTs.

    `given` are the lines of each HART, or of all when it is one number, if the user knows them.
    """
    highest = _highest_lines(occupancy, harts)
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

    The page of line L of HART H is base + (H << bits) + L.  0 if the pages do not tell, or do not
    lie like this (more than one group of HARTs).
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


def _highest_lines(occupancy: Occupancy, harts: int) -> list[int]:
    highest = [0] * harts
    for owner in occupancy.ownerships:
        highest[owner.hart] = max(highest[owner.hart], owner.line)
    return highest


def _is_proven(occupancy: Occupancy, hart: int, highest: int) -> bool:
    """Whether an allocation failed there while all lines that were ever seen were owned."""
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
