"""What a search learns before it begins."""

from __future__ import annotations

from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.sampling import RUN_MEAN, Draw
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.drivers.explored.strategies.walk import walks_of
from hgeisim.scenario.streams import Streams

WITHOUT_NEWS = 250
"""The warm-up ends after this many schedules in a row that taught nothing."""
MOST = 20_000
"""The most schedules that it makes."""


def warm_up(space: Space, verdict: Verdict | None = None) -> None:
    """Make some hundred schedules to see what contexts write and contend for, and forget the rest.

    A search has to begin again when it learns that late.  What the schedules show can happen, so it
    is told at once, but the search will find it as well.  They are always the same.
    """
    verdict = verdict or Verdict()
    space.make_room()
    draw = Draw(Streams(0).stream("scout"), RUN_MEAN)
    without_news, known = 0, space.lessons
    for walk in walks_of(space, MOST, draw, verdict):
        walk()
        without_news = without_news + 1 if space.lessons == known else 0
        known = space.lessons
        if without_news == WITHOUT_NEWS:
            break
    space.forget()
    verdict.start_again()
