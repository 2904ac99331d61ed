"""Contexts that step for ever: each by itself (endless), or because of each other (livelock).

An endless context is in a loop that no other context can end.  In a livelock, no schedule reaches
an end from where the contexts are.  A finite system goes on for ever only in a cycle, and a sound
wait in a cycle has a way out: a context that polls or retries gets out once another context has
stepped.  So a livelock is a set of states that no schedule leaves and in which none ends, be that
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
from hgeisim.machine.kernel_name import subject

ENDLESS, LIVELOCK = "endless", "livelock"
LONGEST = 10_000
"""Steps for which a context is followed by itself."""
REACHED_MAX = 2_000
"""States in which an end is looked for."""
CELLS_MAX = 4
"""Cells that a text names."""
NOWHERE = b""
Step: TypeAlias = tuple[int, Answer, bytes]
"""A context, its answer, and the state after that."""


def innermost_common(kernel: type, chains: Iterable[tuple[str, ...]]) -> str:
    """The innermost function of a kernel that all call chains share, "" if there is none.

    Empty chains do not count: an interrupt that is taken again and again is at rest in between.
    """
    depths = zip(*filter(None, chains), strict=False)
    common = [names[0] for names in takewhile(lambda names: len({*names}) == 1, depths)]
    return subject(kernel, tuple(common))


class LoneRuns:
    """Answers for many states whether contexts loop by themselves; follows each context once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.known: list[dict[bytes, bool]] = [{} for _ in space.locations]

    def all_go_round(self, state: bytes) -> bool:
        """Whether some context can step, and all that can loop; else `endless` finds nothing."""
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
    """The findings of a state from which each context that can step loops by itself, and which no
    schedule leads out of."""
    found: list[Finding] = []
    able = _able(space, state)
    for slot in able:
        loop = _loop(space, slot, state, able)
        if loop is None:
            return ()
        name = space.system.automata[slot].name
        function = innermost_common(type(space.system.k), loop) or name
        found.append(Finding(ENDLESS, function, f"{name} goes round in {function} for ever"))
    return tuple(found) if _is_closed(space, state) else ()


def _is_closed(space: Space, state: bytes) -> bool:
    """Whether none of the states reached from one is an end, or none of very many: two contexts
    that take turns at a lock keep drawing new tickets."""
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


def _loop(space: Space, slot: int, state: bytes, able: list[int]) -> list[tuple[str, ...]] | None:
    """The call chains in the loop of a context that is followed by itself; None if it ends, waits,
    crashes, or lets another context go on."""
    met: dict[bytes, int] = {}
    chains: list[tuple[str, ...]] = []
    while state not in met:
        answer = space.ask(slot, state)
        let_go = met and not set(_able(space, state)) <= {*able}
        if answer.writes is None or answer.crashes or let_go or len(met) == LONGEST:
            return None
        met[state] = len(met)
        node = space.node(slot, state)
        chains.append(node.functions if node else ())
        state = after(state, answer.writes)
    return chains[met[state] :]


class WaysOut:
    """Answers for many states whether an end can be reached; searches each state once.

    `lead_out` are states from which an end can be reached, `caught` those from which none can.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.lead_out, self.caught = set[bytes](), set[bytes]()

    def has_one(self, state: bytes) -> bool:
        """Search depth first for an end."""
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
        """Yield the states after one, and None for an end, good or bad."""
        steps = list(_steps(self.space, state))
        if not steps:
            yield None
        for _, answer, there in steps:
            yield None if answer.crashes else there


KNOWN = WeakKeyDictionary[Space, WaysOut]()
"""The ways out of spaces that were asked about; the states are those of `Space.whole`."""


class Round:
    """The states of a cycle with a given start, and the steps between them."""

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
        """The steps of a state that stay in the cycle."""
        return ((slot, there) for slot, _, there in self.steps[state] if there in self.states)

    def schedule(self) -> tuple[int, ...]:
        """A way once round, back to the start, in which each context steps."""
        here, schedule = self.start, list[int]()
        for slot in self.slots:
            if slot not in schedule:
                part, here = self._way(here, slot)
                schedule += part
        if here != self.start:
            schedule += self._way(here, None)[0]
        return tuple(schedule)

    def _way(self, state: bytes, slot: int | None) -> tuple[list[int], bytes]:
        """The shortest way that ends with a step of a context, or (None) back at the start."""
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
    """The states that are reached from one, in order."""
    found, queue = {start: None}, [start]
    for here in queue:
        new = [there for there in onward.get(here, ()) if there not in found]
        queue += dict.fromkeys(new)
        found |= dict.fromkeys(new)
    return found


def no_end_from(space: Space, cells: Sequence[int]) -> bool:
    """Whether no schedule comes to an end from a state, given by all of its cells.

    The search makes long steps; in single operations contexts would draw new tickets of a lock for
    very long.
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
    """The end of a schedule in single operations, from where it was in its last state before."""

    def __init__(self, space: Space, way: Sequence[Step]) -> None:
        self.space = space
        self.state = way[-1][2] if way else NOWHERE
        first = next((n for n, step in enumerate(way) if step[2] == self.state), 0)
        self.before = [step[2] for step in way[first:-1]]
        self.steps = list(way[first + 1 :])

    def findings(self, space: Space) -> tuple[Finding, ...]:
        """The livelock, if no schedule ends from here; but if each context of a user's patch loops
        by itself, that is `endless` instead."""
        if not self.steps or not no_end_from(space, self.space.codebook.decode(self.state)):
            return ()
        alone = space.system.own_patch and endless(self.space, self.state)
        return () if alone else (self._finding(),)

    def _finding(self) -> Finding:
        """The livelock, named after the innermost function that each context does not leave."""
        automata = self.space.system.automata
        inside = {slot: self._function(slot) for slot in sorted({step[0] for step in self.steps})}
        whom = ", ".join(f"{automata[slot].name} in {name}" for slot, name in inside.items())
        on = ", ".join(self._cells()) or "nothing that they share"
        how = "go round for each other" if len(inside) > 1 else "goes round"
        text = f"no schedule comes to an end any more: {whom} {how}, on {on}"
        return Finding(LIVELOCK, "+".join(sorted({*inside.values()})), text)

    def _function(self, slot: int) -> str:
        pairs = zip(self.before, self.steps, strict=True)
        nodes = (self.space.node(slot, state) for state, step in pairs if step[0] == slot)
        chains = (node.functions for node in nodes if node is not None)
        automaton = self.space.system.automata[slot]
        return innermost_common(automaton.kernel, chains) or automaton.name

    def _cells(self) -> list[str]:
        """The names of cells that one context writes and another reads, words of locks last."""
        written = [(slot, answer.written) for slot, answer, _ in self.steps]
        shared = 0
        for slot, answer, _ in self.steps:
            for other, cells in written:
                shared |= cells & answer.reads if other != slot else 0
        codebook, own = self.space.codebook, self.space.locations
        places = ((a, place) for a, at in codebook.places.items() if a not in own for place in at)
        names = dict.fromkeys(codebook.names[a] for a, p in places if shared >> p & 1)
        return sorted(names, key=lambda name: "lock." in name)[:CELLS_MAX]


def findings_in_round(space: Space, schedule: Iterable[int]) -> tuple[Finding, ...]:
    """The livelock of a schedule in single operations that ends with a cycle, if it is one."""
    fine, way = space.fine, list[Step]()
    state = fine.initial()
    for slot in schedule:
        answer = fine.ask(slot, state)
        state = after(state, answer.writes or ())
        way.append((slot, answer, state))
    return LastRound(fine, way).findings(space)
