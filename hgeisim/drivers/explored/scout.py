"""A look around before a search: short walks, to see what contexts write and contend for.

A search has to begin again when it learns that late; what some hundred walks have seen, it knows
before it begins.  The walks find nothing that the search would not, and are the same each time.

On a walk the first context in a random order goes on for as long as it can, and is put last at
random points: few switches of context reach most of what can happen (Burckhardt and others, "A
randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
"""

from __future__ import annotations

from collections.abc import Callable

from hgeisim.drivers.explored.answer import after
from hgeisim.drivers.explored.space import Space
from hgeisim.scenario.streams import Streams

WALKS_WITHOUT_NEWS = 250
"""So many walks in a row that taught nothing are the last."""
RUN_MEAN = 32
"""Steps that a context makes before it is put last, on average."""


def scout(space: Space) -> None:
    """Learn steps along random walks, then forget them, but not who contends for what."""
    below = Streams(0).stream("scout").below
    space.make_room()
    walks = 0
    while walks < WALKS_WITHOUT_NEWS:
        known = space.lessons
        _walk(space, below)
        walks = walks + 1 if space.lessons == known else 0
    space.forget()


def _walk(space: Space, below: Callable[[int], int]) -> None:
    order = list(range(len(space.locations)))
    for last in range(len(order) - 1, 0, -1):
        other = below(last + 1)
        order[last], order[other] = order[other], order[last]
    state: bytes | None = space.initial()
    while state is not None:
        state = _step(space, state, order, below)


def _step(
    space: Space, state: bytes, order: list[int], below: Callable[[int], int]
) -> bytes | None:
    """Let the first context step that can; None when none can."""
    for place, slot in enumerate(order):
        writes = space.ask(slot, state).writes
        if writes is not None:
            if not below(RUN_MEAN):
                order.append(order.pop(place))
            return after(state, writes)
    return None
