"""Data races in all states that a search reaches, where two contexts can both step, their steps
access the same cell, and nothing keeps them apart.

Anything that orders two accesses keeps one of them from being next while the other is: a lock, an
IPI that is waited for, a wake-up, the hotplug states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple, TypeAlias

from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.data_race import Access, Accesses, Key, Race, Side, conflict
from hgeisim.drivers.explored.strategies.exhaustive import searches
from hgeisim.drivers.explored.strategies.search import NOWHERE, Kinds, Progress, Search
from hgeisim.drivers.explored.strategies.verdict import Schedule, Verdict
from hgeisim.machine.shared import address_of

Kind: TypeAlias = tuple[int, tuple[Access, ...]]
"""A kind of step: the context, and its accesses."""
LONGEST = 64
"""Operations of one step at most."""


def races_of(
    space: Space, states_max: int, progress: Progress | None = None
) -> tuple[Verdict, list[Race]]:
    """Search all states, `states_max` at most, for races; return one race for each id and the
    pieces of functions that it is in.

    The search makes long steps; each race is then confirmed in single operations.
    """
    verdict, found = Verdict(), dict[Key, Race]()
    with verdict.kept():
        search = next(s for s in searches(space, verdict) if s.run(states_max, progress))
        singly = Singly(space.fine)
        for candidate in SideBySide(space).candidates(search):
            for race in singly.confirmed(candidate):
                found.setdefault(race.key, race)
    return verdict, [*found.values()]


class Candidate(NamedTuple):
    """The kinds of two steps that are possible after a schedule, and that have racing accesses."""

    one: Kind
    other: Kind
    schedule: Schedule


class SideBySide:
    """The steps of a space that have plain accesses, by kind."""

    def __init__(self, space: Space) -> None:
        self.space = space
        accesses = Accesses(space)
        self.kinds: dict[Kind, list[Answer]] = {}
        for slot, state, answer in [*space.known()]:
            made = accesses.of(slot, state, answer)
            if made:
                self.kinds.setdefault((slot, made), []).append(answer)

    def candidates(self, search: Search) -> Iterator[Candidate]:
        """The pairs of steps that race in the states of a search, the earliest state first."""
        apart = self._conflicting()
        wanted = dict.fromkeys(kind for pair in apart for kind in pair)
        number = {kind: n for n, kind in enumerate(wanted, 1)}
        kind_of = {answer: number[kind] for kind in wanted for answer in self.kinds[kind]}
        late_kinds = [kind for kind in wanted if any(access.late for access in kind[1])]
        late = {answer for kind in late_kinds for answer in self.kinds[kind]}
        first = search.pairs(Kinds(kind_of, len(number) + 1, late), harts(self.space))
        at = {pair: first.get((number[pair[0]], number[pair[1]])) for pair in apart}
        reached = [(state, pair) for pair, state in at.items() if state is not None]
        for state, pair in sorted(reached, key=lambda each: each[0]):
            yield Candidate(*pair, search.schedule(state))

    def _conflicting(self) -> list[tuple[Kind, Kind]]:
        """The pairs of kinds with accesses that race, the lower slot first."""
        by_address = defaultdict[int, list[Kind]](list)
        for kind in self.kinds:
            for address in dict.fromkeys(access.address for access in kind[1]):
                by_address[address].append(kind)
        pairs = {
            (one, other): None
            for kinds in by_address.values()
            for one, other in combinations(sorted(kinds, key=lambda kind: kind[0]), 2)
            if one[0] != other[0] and any(conflict(a, b) for a in one[1] for b in other[1])
        }
        return [*pairs]


class Singly:
    """Looks for races in a space of single operations."""

    def __init__(self, space: Space) -> None:
        space.make_room()
        self.space, self.accesses = space, Accesses(space)

    def confirmed(self, candidate: Candidate) -> Iterator[Race]:
        """The races of a candidate, after both contexts have gone on to their accesses."""
        one, other, schedule = candidate
        for a, b in product(one[1], other[1]):
            if conflict(a, b):
                gone, begin = [*schedule], self.space.state_after(schedule)
                state = self._go_on(gone, begin, one[0], a)
                state = self._go_on(gone, state, other[0], b)
                yield from self.at(state, tuple(gone))
                if a.late or b.late:
                    # The other context may also go on only after the step of the late access.
                    late = a if a.late else b
                    slot, gone = one[0] if late in one[1] else other[0], [*schedule]
                    state = self._go_on(gone, begin, slot, late)
                    yield from self.at(state, tuple(gone))

    def _go_on(self, gone: list[int], state: bytes, slot: int, wanted: Access) -> bytes:
        """Let a context go on to where its next step makes an access, if it comes there."""
        came = [*gone]
        there = state
        for _ in range(LONGEST):
            answer = self.space.ask(slot, there)
            made = self.accesses.of(slot, there, answer)
            if any(each.same_place(wanted) for each in made):
                gone[:] = came
                return there
            if answer.writes is None:
                break
            there = after(there, answer.writes)
            came.append(slot)
        return state

    def at(self, state: bytes, schedule: Schedule) -> Iterator[Race]:
        """The races in one state, after a schedule."""
        able = [(slot, self.space.ask(slot, state)) for slot in range(len(self.space.locations))]
        made = [(slot, self.accesses.of(slot, state, answer)) for slot, answer in able]
        accessing, where = [each for each in made if each[1]], where_are(self.space, state)
        for slot, accesses in accessing:
            others = [other for other, _ in made if apart(where, slot, other)]
            for access in accesses:
                if access.late:
                    yield from self._beside(slot, access, others, state, schedule)
        for one, other in combinations(accessing, 2):
            if apart(where, one[0], other[0]):
                for a, b in product(one[1], other[1]):
                    if conflict(a, b):
                        yield self._race((one[0], a), (other[0], b), state, schedule)

    def _beside(
        self, slot: int, late: Access, others: list[int], state: bytes, schedule: Schedule
    ) -> Iterator[Race]:
        """The races of a late access with the accesses that other contexts make after its step,
        each by itself, so that nothing later in the schedule orders them."""
        there = after(state, self.space.ask(slot, state).writes or ())
        for other in others:
            at = there
            for _ in range(LONGEST):
                answer = self.space.ask(other, at)
                accesses = self.accesses.of(other, at, answer)
                raced = [access for access in accesses if conflict(late, access)]
                for access in raced:
                    yield self._race((slot, late), (other, access), state, schedule)
                if raced or answer.writes is None:
                    break
                at = after(at, answer.writes)

    def _race(
        self, one: tuple[int, Access], other: tuple[int, Access], state: bytes, schedule: Schedule
    ) -> Race:
        space, codebook = self.space, self.space.codebook
        if not one[1].written:
            one, other = other, one
        (slot, access), cells = one, codebook.decode(state)
        space.system.memory.begin_step(cells.copy())
        automata = space.system.automata
        sides = [Side(automata[n].name, automata[n].runner.cpu, a) for n, a in (one, other)]
        there = codebook.decode(after(state, space.ask(slot, state).writes or ()))
        address = access.address
        name, field = space.system.memory.names[address], self.accesses.fields[address]
        return Race(field, name, (sides[0], sides[1]), cells[address], there[address], schedule)


def harts(space: Space) -> tuple[list[int], bytes]:
    """For each context the place of the cell with its CPU, and the HART for each code there;
    `NOWHERE` for interrupts, which run on top of the other contexts of their HART."""
    system, places, table = space.system, list[int](), bytearray()
    for slot, automaton in enumerate(system.automata):
        interrupt = 0 <= slot - len(system.tasks) < 2 * len(system.k.hart)
        address = address_of(automaton.runner, "cpu")
        at = space.codebook.places.get(address)
        values = space.codebook.values[at[0]] if at else [space.system.start[address]]
        places.append(at[0] if at else 0)
        row = [NOWHERE] * 256 if interrupt else [*values, *[0] * 256][:256]
        if not at and not interrupt:
            row = [values[0]] * 256
        table += bytes(row)
    return places, bytes(table)


def where_are(space: Space, state: bytes) -> list[int]:
    """The HART of each context in a state, as in `harts`."""
    places, table = harts(space)
    return [table[256 * slot + state[place]] for slot, place in enumerate(places)]


def apart(where: list[int], one: int, other: int) -> bool:
    """Whether two contexts are on different HARTs, or the first may run on top of the other."""
    return one != other and (where[one] == NOWHERE or where[one] != where[other])
