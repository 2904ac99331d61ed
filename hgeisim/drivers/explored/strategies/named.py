"""All strategies by their names: those that search, and those that draw schedules."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.drivers.explored.strategies.sampling import SAMPLERS
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.switches import by_switches
from hgeisim.drivers.explored.strategies.verdict import Enough, Verdict


class Searching(Protocol):
    """Searches a space, up to so many states."""

    def __call__(
        self, space: Space, states_max: int, *, progress: Progress | None, enough: Enough
    ) -> Verdict:
        """What it has found."""


SEARCHES: dict[str, Searching] = {
    "portfolio": portfolio,
    "exhaustive": partial(exhaustive, avoid=frozenset()),
    "switches": by_switches,
}
NAMES = (*SEARCHES, *SAMPLERS)
