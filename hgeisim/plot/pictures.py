"""Which pictures there are to make, and how each is drawn."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from matplotlib.figure import Figure

from hgeisim.plot.recording import Recording
from hgeisim.record.picture_kinds import KINDS, stem_of


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
        module, function = KINDS[self.kind].draw.split(":")
        draw = getattr(import_module(module), function)
        whose = () if self.hart is None else (self.hart,)
        figure: Figure = draw(recording, *whose)
        return figure


def missing(recording: Recording, kind: str) -> list[str]:
    """Names of the tables that a kind needs and a run has not."""
    return [name for name in KINDS[kind].needs if name not in recording.tables]


def fullest_hart(recording: Recording) -> int:
    """The HART that was exhausted for longest; of equals the first."""
    shares = [steps.exhausted_share for steps in recording.harts]
    return shares.index(max(shares))
