"""Who owned which line from when to when, as far as the events of a trace tell.

A line counts as owned from the return of its allocation to the entry of its free, so for a little
less than in the kernel.  Two owners at once are therefore never an artefact of the probes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple


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
