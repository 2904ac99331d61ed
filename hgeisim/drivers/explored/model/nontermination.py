"""Contexts that step for ever: each by itself (endless), or round for each other (livelock).

An endless context is in a loop that nobody else can end.  In a livelock, no end can be reached from
where the contexts are: a finite system goes on for ever only in a cycle, and a sound wait in a
cycle has a way out, since whoever polls, or tries again, comes out once another context has
stepped.  So what counts is a set of states that no schedule leaves and in which none ends, be that
a good end, a deadlock or an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import TypeAlias
from weakref import WeakKeyDictionary

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.space import Space

KIND = "endless"
LONGEST = 10_000
"""Steps that a context is followed by itself."""
REACHED_MAX = 2_000
"""States that are looked at for one that ends."""


class Loop:
    """A context that comes back to a state by itself, and where it is meanwhile."""

    def __init__(self, space: Space, slot: int) -> None:
        self.automaton = space.system.automata[slot]
        self.functions: list[tuple[str, ...]] = []

    def finding(self) -> Finding:
        """It is about the innermost function that all of the loop is in; an interrupt that is taken
        again and again is at rest in between."""
        depths = zip(*filter(None, self.functions), strict=False)
        common = [names[0] for names in takewhile(lambda names: len({*names}) == 1, depths)]
        name = self.automaton.name
        function = common[-1] if common else name
        return Finding(KIND, function, f"{name} goes round in {function} for ever")


class LoneRuns:
    """Whether contexts come round by themselves, asked of many states: each is followed once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.known: list[dict[bytes, bool]] = [{} for _ in space.locations]

    def all_go_round(self, state: bytes) -> bool:
        """Whether some context can step, and each that can goes round: else `endless` finds
        nothing."""
        able = _able(self.space, state)
        return bool(able) and all(self._goes_round(slot, state) for slot in able)

    def _goes_round(self, slot: int, state: bytes) -> bool:
        known, met = self.known[slot], dict[bytes, None]()
        while state not in known and state not in met:
            met[state] = None
            answer = self.space.ask(slot, state)
            if answer.writes is None or answer.crashes:
                known[state] = False
            else:
                state = after(state, answer.writes)
        round_again = known.get(state, True)
        known.update(dict.fromkeys(met, round_again))
        return round_again


def endless(space: Space, state: bytes) -> tuple[Finding, ...]:
    """The findings of a state from which all that can step goes round by itself, and from which
    they never come out together."""
    loops: list[Loop] = []
    able = _able(space, state)
    for slot in able:
        loop = _loop(space, slot, state, able)
        if loop is None:
            return ()
        loops.append(loop)
    return tuple(loop.finding() for loop in loops) if _is_closed(space, state) else ()


def _is_closed(space: Space, state: bytes) -> bool:
    """Whether nothing ends in the states that are reached from one, or in very many of them: two
    that take turns at a lock draw new tickets for long."""
    seen, queue = {state}, [state]
    while queue and len(seen) < REACHED_MAX:
        here = queue.pop()
        steps = [answer for answer in space.answers(here) if answer.writes is not None]
        if not steps or any(step.crashes for step in steps):
            return False
        new = dict.fromkeys(after(here, step.writes or ()) for step in steps)
        queue += [there for there in new if there not in seen]
        seen.update(new)
    return True


def _able(space: Space, state: bytes) -> list[int]:
    answers = enumerate(space.answers(state))
    return [slot for slot, answer in answers if answer.writes is not None]


def _loop(space: Space, slot: int, state: bytes, able: list[int]) -> Loop | None:
    """What a context does by itself, from a state on until it comes to one again; None when it
    ends, waits, crashes, or lets another one go on."""
    met: dict[bytes, int] = {}
    loop = Loop(space, slot)
    while state not in met:
        answer = space.ask(slot, state)
        let_go = met and not set(_able(space, state)) <= {*able}
        if answer.writes is None or answer.crashes or let_go or len(met) == LONGEST:
            return None
        met[state] = len(met)
        node = loop.automaton.nodes[space.codebook.decode(state)[loop.automaton.location]]
        loop.functions.append(node.functions if node else ())
        state = after(state, answer.writes)
    del loop.functions[: met[state]]
    return loop


LIVELOCK = "livelock"
CELLS = 4
"""Cells that a text names."""
NOWHERE = b""
Step: TypeAlias = tuple[int, Answer, bytes]
"""A context, what it does, and the state after it."""


class WaysOut:
    """Whether an end can be reached from states, asked of many: each is left once.

    `lead_out` are states from which one can, `caught` those from which none can.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.lead_out, self.caught = set[bytes](), set[bytes]()

    def has_one(self, state: bytes) -> bool:
        """Go on as far as one can, the first context first, and back where nothing is left."""
        if state in self.lead_out or state in self.caught:
            return state in self.lead_out
        way, met = [(state, self._onward(state))], {state}
        while way:
            there = next(way[-1][1], NOWHERE)
            if there == NOWHERE:
                way.pop()
            elif there is None or there in self.lead_out:
                self.lead_out.update(each for each, _ in way)
                return True
            elif there not in met and there not in self.caught:
                met.add(there)
                way.append((there, self._onward(there)))
        self.caught |= met
        return False

    def _onward(self, state: bytes) -> Iterator[bytes | None]:
        """Yield the states after one; None for an end, good or not."""
        steps = list(_steps(self.space, state))
        if not steps:
            yield None
        for _, answer, there in steps:
            yield None if answer.crashes else there


KNOWN = WeakKeyDictionary[Space, WaysOut]()
"""The ways out of a space, for many questions about it; its states are those of `Space.whole`."""


class Round:
    """The states between which contexts go round, from one of them on, and the steps there."""

    def __init__(self, space: Space, start: bytes) -> None:
        self.space, self.start = space, start
        steps, before = dict[bytes, list[Step]](), dict[bytes, list[bytes]]()
        queue = deque([start])
        while queue:
            here = queue.popleft()
            if here not in steps:
                steps[here] = list(_steps(space, here))
                for _, _, there in steps[here]:
                    before.setdefault(there, []).append(here)
                    queue.append(there)
        self.states, self.steps = _reached(start, before), steps
        self.is_closed = len(self.states) == len(steps)
        self.slots = sorted({slot for here in self.states for slot, _ in self._inside(here)})

    def _inside(self, state: bytes) -> Iterator[tuple[int, bytes]]:
        """Steps that stay in the round."""
        return ((slot, there) for slot, _, there in self.steps[state] if there in self.states)

    def schedule(self) -> tuple[int, ...]:
        """One time round: each context steps, and all comes back to the start."""
        here, schedule = self.start, list[int]()
        for slot in self.slots:
            if slot not in schedule:
                part, here = self._way(here, slot)
                schedule += part
        if here != self.start:
            schedule += self._way(here, None)[0]
        return tuple(schedule)

    def _way(self, state: bytes, slot: int | None) -> tuple[list[int], bytes]:
        """The shortest way to a step of a context, with it, or back to the start."""
        ways = {state: list[int]()}
        queue = deque([state])
        while True:
            here = queue.popleft()
            for each, there in self._inside(here):
                way = [*ways[here], each]
                if each == slot or (slot is None and there == self.start):
                    return way, there
                if there not in ways:
                    ways[there] = way
                    queue.append(there)


def _steps(space: Space, state: bytes) -> Iterator[Step]:
    for slot in range(len(space.locations)):
        answer = space.ask(slot, state)
        if answer.writes is not None:
            yield slot, answer, after(state, answer.writes)


def _reached(start: bytes, onward: dict[bytes, list[bytes]]) -> dict[bytes, None]:
    """What is reached from a state, in order."""
    found, queue = {start: None}, [start]
    for here in queue:
        new = [there for there in onward.get(here, ()) if there not in found]
        queue += dict.fromkeys(new)
        found |= dict.fromkeys(new)
    return found


def no_end_from(space: Space, cells: Sequence[int]) -> bool:
    """Whether no schedule comes to an end from a state, given as all of its cells.

    Long steps are made for that: single ones draw new tickets of a lock for very long.
    """
    whole = space.whole
    while True:
        ways = KNOWN.setdefault(whole, WaysOut(whole))
        leads_out = ways.has_one(whole.codebook.encode(cells))
        if not whole.outdated:
            return not leads_out
        del KNOWN[whole]
        whole.forget()
        whole.make_room()


class LastRound:
    """The end of a schedule in single operations, since it was in its last state before."""

    def __init__(self, space: Space, way: Sequence[Step]) -> None:
        """`way` has the context of each step, what it did, and the state after it."""
        self.space = space
        self.state = way[-1][2] if way else NOWHERE
        first = next((n for n, step in enumerate(way) if step[2] == self.state), 0)
        self.before = [step[2] for step in way[first:-1]]
        self.steps = list(way[first + 1 :])

    def findings(self, space: Space) -> tuple[Finding, ...]:
        """The finding, if it is one: nothing comes to an end any more, and it is not that each
        context of a user's patch goes round by itself, which is `endless`."""
        if not self.steps or not no_end_from(space, self.space.codebook.decode(self.state)):
            return ()
        alone = space.system.own_patch and endless(self.space, self.state)
        return () if alone else (self._finding(),)

    def _finding(self) -> Finding:
        """It is about the innermost function that each context does not leave."""
        automata = self.space.system.automata
        inside = {slot: self._function(slot) for slot in sorted({step[0] for step in self.steps})}
        whom = ", ".join(f"{automata[slot].name} in {name}" for slot, name in inside.items())
        on = ", ".join(self._cells()) or "nothing that they share"
        how = "go round for each other" if len(inside) > 1 else "goes round"
        text = f"no schedule comes to an end any more: {whom} {how}, on {on}"
        return Finding(LIVELOCK, "+".join(sorted({*inside.values()})), text)

    def _function(self, slot: int) -> str:
        automaton, decode = self.space.system.automata[slot], self.space.codebook.decode
        pairs = zip(self.before, self.steps, strict=True)
        states = (state for state, step in pairs if step[0] == slot)
        nodes = (automaton.nodes[decode(state)[automaton.location]] for state in states)
        depths = zip(*(node.functions for node in nodes if node and node.functions), strict=False)
        common = [names[0] for names in takewhile(lambda names: len({*names}) == 1, depths)]
        return common[-1] if common else automaton.name

    def _cells(self) -> list[str]:
        """What one of them writes and another reads, by name, the words of locks last."""
        written = [(slot, answer.written) for slot, answer, _ in self.steps]
        shared = 0
        for slot, answer, _ in self.steps:
            for other, cells in written:
                shared |= cells & answer.reads if other != slot else 0
        codebook, own = self.space.codebook, self.space.locations
        places = ((a, place) for a, at in codebook.places.items() if a not in own for place in at)
        names = dict.fromkeys(codebook.names[a] for a, p in places if shared >> p & 1)
        return sorted(names, key=lambda name: "lock." in name)[:CELLS]


def findings_in_round(space: Space, schedule: Iterable[int]) -> tuple[Finding, ...]:
    """The finding of a schedule in single operations that ends with one time round."""
    fine, way = space.fine, list[Step]()
    state = fine.initial()
    for slot in schedule:
        answer = fine.ask(slot, state)
        state = after(state, answer.writes or ())
        way.append((slot, answer, state))
    return LastRound(fine, way).findings(space)
