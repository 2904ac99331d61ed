"""Data races along sampled schedules: accesses that no chain of events orders, however far apart.

Vector clocks, as in Flanagan and Freund, "FastTrack: efficient and precise dynamic race detection",
PLDI 2009.  Here every cell that is not accessed plainly orders: a context that reads it comes after
the one that wrote it.  Locks, IPIs, wake-ups and the states of hotplug are all cells, so none is
missing.  READ_ONCE orders as well, and a HART orders the contexts on it; this hides some races, but
reports none that is not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.drivers.explored.model.cached_step import Answer
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.data_race import (
    Access,
    Accesses,
    Key,
    Race,
    Side,
    conflict,
    first_of_each,
)
from hgeisim.drivers.explored.strategies.strategy import Step, Strategy, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule, without_memory


@dataclass
class Sample:
    """The races of some schedules, one for each id and the pieces of functions that it is in;
    `stopped` is the error that ended them."""

    all: dict[Key, Race] = field(default_factory=dict)
    schedules: int = 0
    stopped: BaseException | None = None

    @property
    def races(self) -> dict[str, Race]:
        """The first one of each id."""
        return first_of_each(self.all.values())


def races_along(space: Space, strategy: Strategy) -> Sample:
    """The races along the schedules of a strategy, in single operations."""
    made, fine = Sample(), space.fine
    fine.make_room()
    accesses = Accesses(fine)
    try:
        for schedule in schedules(fine, strategy):
            for race in HappensBefore(fine, accesses).races(schedule):
                made.all.setdefault(race.key, race)
            made.schedules += 1
    except BaseException as error:  # noqa: BLE001 - raised again by the caller
        made.stopped = without_memory(error)
    return made


class Made(NamedTuple):
    """An access that was made: the side of a race that it may be, the time of its context, and the
    values of its cell before and after that step."""

    slot: int
    time: int
    side: Side
    values: tuple[int, int]


class HappensBefore:
    """The vector clocks of one schedule.

    `clocks` has for each context the latest time of every context that it knows, and `written` the
    same for each place of a state, as its writers knew it; `made` has the last accesses of each
    kind to each plain cell.
    """

    def __init__(self, space: Space, accesses: Accesses) -> None:
        self.space, self.accesses = space, accesses
        width = len(space.locations)
        self.clocks = [[int(slot == own) for slot in range(width)] for own in range(width)]
        self.written: dict[int, list[int]] = {}
        self.made = defaultdict[int, dict[tuple[int, Access], Made]](dict)

    def races(self, schedule: Iterable[Step]) -> Iterator[Race]:
        """Follow a schedule, and yield its races."""
        gone = list[int]()
        for step in schedule:
            gone.append(step.slot)
            answer = self.space.ask(step.slot, step.before)
            self._acquire(step.slot, answer)
            for made in self._made_in(step, answer):
                others = self.made[made.side.access.address]
                for earlier in others.values():
                    ordered = earlier.time <= self.clocks[made.slot][earlier.slot]
                    if not ordered and conflict(earlier.side.access, made.side.access):
                        yield self._race(earlier, made, tuple(gone))
                others[made.slot, made.side.access] = made
            self._release(step.slot, answer)

    def _acquire(self, slot: int, answer: Answer) -> None:
        """Join the clock of a context with those of the cells that its step touches."""
        clock = self.clocks[slot]
        for place in _places((answer.reads | answer.written) & ~self.accesses.places):
            if place in self.written:
                clock[:] = map(max, clock, self.written[place])

    def _release(self, slot: int, answer: Answer) -> None:
        """Join the clocks of the cells that a step writes with that of its context, and advance
        the latter."""
        clock = self.clocks[slot]
        for place in _places(answer.written & ~self.accesses.places):
            self.written[place] = [*map(max, clock, self.written.get(place, clock))]
        clock[slot] += 1

    def _made_in(self, step: Step, answer: Answer) -> Iterator[Made]:
        """The accesses of a step."""
        accesses = self.accesses.of(step.slot, step.before, answer)
        if not accesses:
            return
        codebook, automaton = self.space.codebook, self.space.system.automata[step.slot]
        before, after = codebook.decode(step.before), codebook.decode(step.after)
        self.space.system.memory.begin_step(before)
        for access in accesses:
            side = Side(automaton.name, automaton.runner.cpu, access)
            values = before[access.address], after[access.address]
            yield Made(step.slot, self.clocks[step.slot][step.slot] + access.late, side, values)

    def _race(self, earlier: Made, later: Made, gone: Schedule) -> Race:
        """The race of two accesses, with a write first."""
        one, other = (earlier, later) if earlier.side.access.written else (later, earlier)
        address = one.side.access.address
        name = self.space.system.memory.names[address]
        sides = one.side, other.side
        return Race(self.accesses.fields[address], name, sides, *one.values, gone)


def _places(bits: int) -> Iterator[int]:
    """The places of the bits in a mask."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
