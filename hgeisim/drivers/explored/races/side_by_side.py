"""Data races in all states that a search reaches: two contexts could each make its next step, the
two steps access one cell, and nothing keeps them apart.

Whatever orders two accesses keeps one of them from being next while the other is: a lock, an IPI
that is waited for, a wake-up, the hotplug states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple, TypeAlias

from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.data_race import Access, Accesses, Race, Side, conflict
from hgeisim.drivers.explored.strategies.exhaustive import search_of
from hgeisim.drivers.explored.strategies.search import NOWHERE, Kinds, Progress, Search
from hgeisim.drivers.explored.strategies.verdict import Schedule, Verdict
from hgeisim.machine.shared import address_of

Kind: TypeAlias = tuple[int, tuple[Access, ...]]
"""What steps of one context have in common: the context, and their accesses."""
LONGEST = 64
"""Operations that one step may be long."""


def races_of(
    space: Space, states_max: int, progress: Progress | None = None
) -> tuple[Verdict, list[Race]]:
    """Search all states, `states_max` at most, and what races in them, one race for each id.

    A search goes in long steps; each race is then looked for in single operations.
    """
    verdict, found = Verdict(), dict[str, Race]()
    with verdict.kept():
        while not (search := search_of(space, verdict, frozenset())).run(states_max, progress):
            space.forget()
            verdict.start_again()
        singly = Singly(space.fine)
        for candidate in SideBySide(space).candidates(search):
            for race in singly.confirmed(candidate):
                found.setdefault(race.finding.id, race)
    return verdict, [*found.values()]


class Candidate(NamedTuple):
    """Steps of two contexts after a schedule, of which some accesses race."""

    one: Kind
    other: Kind
    schedule: Schedule


class SideBySide:
    """The steps of a space that access something plainly."""

    def __init__(self, space: Space) -> None:
        self.space = space
        accesses = Accesses(space)
        self.kinds: dict[Kind, list[Answer]] = {}
        for slot, state, answer in [*space.known()]:
            made = accesses.of(slot, state, answer)
            if made:
                self.kinds.setdefault((slot, made), []).append(answer)

    def candidates(self, search: Search) -> Iterator[Candidate]:
        """What races in the states of a search, the earliest state first."""
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
        """The kinds of which an access of one races with one of the other, the first context
        first."""
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
        """The races that a candidate stands for: both contexts go on to their accesses first."""
        one, other, schedule = candidate
        for a, b in product(one[1], other[1]):
            if conflict(a, b):
                gone, state = [*schedule], self.after(schedule)
                state = self._go_on(gone, state, one[0], a)
                state = self._go_on(gone, state, other[0], b)
                yield from self.at(state, tuple(gone))
                if a.late or b.late:
                    yield from self._late_ones(candidate, a if a.late else b)

    def _late_ones(self, candidate: Candidate, late: Access) -> Iterator[Race]:
        """The races of a late access: the other context goes on only after its step."""
        slot = candidate.one[0] if late in candidate.one[1] else candidate.other[0]
        gone = [*candidate.schedule]
        state = self._go_on(gone, self.after(candidate.schedule), slot, late)
        yield from self.at(state, tuple(gone))

    def after(self, schedule: Schedule) -> bytes:
        """The state after a schedule."""
        state = self.space.initial()
        for slot in schedule:
            state = after(state, self.space.ask(slot, state).writes or ())
        return state

    def _go_on(self, gone: list[int], state: bytes, slot: int, wanted: Access) -> bytes:
        """Let a context come to where its next step makes an access."""
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
        """What races in one state."""
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
        """The races of a late access with what each of some others does by itself after its step:
        nothing that comes later in the schedule orders it."""
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
    """For each context the place of what says where it is, and the HART for each code there;
    `NOWHERE` for interrupts, which come on top of whatever is on their HART."""
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
    """The HART of each context in a state, as `harts` says it."""
    places, table = harts(space)
    return [table[256 * slot + state[place]] for slot, place in enumerate(places)]


def apart(where: list[int], one: int, other: int) -> bool:
    """Whether two contexts are on two HARTs, or one may come on top of the other."""
    return one != other and (where[one] == NOWHERE or where[one] != where[other])
