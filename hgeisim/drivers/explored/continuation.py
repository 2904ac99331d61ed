"""A space that begins where a schedule of another one has led."""

from __future__ import annotations

from hgeisim.drivers.explored.model.answer import after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.strategy import CannotStep
from hgeisim.drivers.explored.strategies.verdict import Schedule


def continued(space: Space, schedule: Schedule) -> Space:
    """What can happen after a schedule in single operations; the space that it is of is used up.

    Raises `CannotStep` where a context cannot step in its turn.
    """
    fine, system = space.fine, space.system
    state = fine.initial()
    for number, slot in enumerate(schedule):
        if slot >= len(system.automata):
            raise CannotStep(number, f"context {slot}")
        answer = fine.ask(slot, state)
        if answer.writes is None:
            raise CannotStep(number, system.automata[slot].name)
        state = after(state, answer.writes)
    system.start = fine.codebook.decode(state)
    return Space(system, space.checks, merging=True)
