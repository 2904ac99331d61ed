"""Contexts that go on stepping for ever, each by itself, in a loop that nobody else can end."""

from __future__ import annotations

from itertools import takewhile

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.answer import after
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
