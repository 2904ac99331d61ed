"""Which pictures there are, what each needs, and how each is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from matplotlib.figure import Figure

from hgeisim.plot.exhaustion import exhaustion_figure
from hgeisim.plot.latency import latency_figure
from hgeisim.plot.lines import lines_figure
from hgeisim.plot.locks import locks_figure
from hgeisim.plot.occupancy import occupancy_figure
from hgeisim.plot.recording import Recording
from hgeisim.plot.summary import summary_figure
from hgeisim.record.picture_kinds import TABLES_OF, stem_of

DRAW: Mapping[str, Callable[[Recording], Figure]] = {
    "occupancy": lambda recording: occupancy_figure(recording.timeline, recording.title),
    "exhaustion": exhaustion_figure,
    "locks": locks_figure,
    "latency": latency_figure,
    "summary": summary_figure,
}
"""How to draw each kind that is about the whole machine."""


class Picture(NamedTuple):
    """A picture to make; `hart` is whose lines it shows, None for those of the whole machine."""

    kind: str
    hart: int | None = None

    @property
    def stem(self) -> str:
        """Its file name without the suffix."""
        return stem_of(self.kind, self.hart)

    def draw(self, recording: Recording) -> Figure:
        """Draw it; the tables that it needs must be there."""
        if self.hart is not None:
            return lines_figure(recording, self.hart)
        return DRAW[self.kind](recording)


def missing(recording: Recording, kind: str) -> list[str]:
    """Names of the tables that a kind needs and a run has not."""
    return [name for name in TABLES_OF[kind] if name not in recording.tables]


def fullest_hart(recording: Recording) -> int:
    """The HART that was exhausted for longest; of equals the first."""
    shares = [steps.exhausted_share for steps in recording.harts]
    return shares.index(max(shares))
