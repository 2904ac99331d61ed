"""A picture in memory: to save, or for a notebook to show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from hgeisim.errors import InputError, Problem
from hgeisim.plot.style import picture_of, save
from hgeisim.record.picture_kinds import SUFFIXES


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
