"""In which order sections ran that the trace leaves open.

A call may go on as soon as the event of its probe is in the trace, and has done so when the next
event of its thread comes.  Here it goes on as late as it can: for its own next event, or before
another call enters the same section; and there both is tried, before it and after it.
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.context import Blocked
from hgeisim.drivers.traced.hypothesis import Hypothesis
from hgeisim.drivers.traced.probe import Sections

STATES_MAX = 4096
"""A migration storm on 4 HARTs has 4 at once; 12 lines given back at once are as many as this."""


class TooManyOrders(Exception):
    """The trace leaves so much open that more than `STATES_MAX` states are possible at once."""


def before(start: Hypothesis, sections: Sections, actor: int | None = None) -> list[Hypothesis]:
    """All states that may precede a section that `actor` enters, the latest order first."""
    found, keys = [start], set()
    for base in found:  # grows
        for after in one_more(base, sections, actor):
            key = after.key()
            if key not in keys:
                keys.add(key)
                found.append(after)
        if len(found) > STATES_MAX:
            raise TooManyOrders
    return found


def one_more(base: Hypothesis, sections: Sections, actor: int | None) -> Iterator[Hypothesis]:
    """Let each other call that may enter one of the sections do so, in a state of its own."""
    for other, context in base.contexts.items():
        if other != actor and context.may_go_on and context.sections & sections:
            after = base.fork()
            try:
                after.advance(other)
            except (Blocked, AssertionError):
                continue
            yield after
