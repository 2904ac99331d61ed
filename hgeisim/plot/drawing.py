"""A picture of a run: as it is asked for, and as it was drawn.

`Picture` is a kind, and a HART if it needs one; `Drawing` is in memory, to be saved, or to be shown
by a notebook.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from hgeisim.errors import InputError, Problem
from hgeisim.plot.style import picture_of, save
from hgeisim.runs.picture_kinds import KINDS, SUFFIXES, stem_of
from hgeisim.runs.recording import Recording


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


@dataclass(frozen=True)
class Drawing:
    """A picture of a run; a notebook shows it when it is the last thing in a cell."""

    figure: Figure

    def save(self, path: str | Path) -> None:
        """Write it as PNG or SVG, by the suffix; InputError when that cannot be."""
        place = Path(path)
        if place.suffix.lower() not in SUFFIXES:
            allowed = f"must end in {' or '.join(SUFFIXES)}"
            raise InputError([Problem(str(path), "", "", allowed)])
        save(self.figure, place)

    def _repr_png_(self) -> bytes:
        return picture_of(self.figure, "png")
