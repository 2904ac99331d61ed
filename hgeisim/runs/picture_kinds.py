"""The kinds of pictures of a run, and the names of their files.

Apart from the drawing, so that `hgeisim plot --help` need not import it, and so that a run knows
which files in its folder are pictures.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class PictureKind(NamedTuple):
    """A kind of picture: a sentence on it, and `module:function` that draws it from a `Recording`.

    `needs` are the tables that it cannot do without; `timeline_only` ones look at no table, so that
    none need be read.  One `of_hart` is of the lines of one HART, whose number the function gets.
    """

    shows: str
    draw: str
    needs: tuple[str, ...] = ()
    timeline_only: bool = False
    of_hart: bool = False


KINDS: dict[str, PictureKind] = {
    "occupancy": PictureKind(
        "how the lines of each HART fill up",
        "hgeisim.plot.occupancy:occupancy_figure",
        timeline_only=True,
    ),
    "exhaustion": PictureKind(
        "which HART was out of lines when, as a heat map",
        "hgeisim.plot.exhaustion:exhaustion_figure",
        timeline_only=True,
    ),
    "lines": PictureKind(
        "who owned each line of one HART, and who got none",
        "hgeisim.plot.lines:lines_figure",
        ("owners",),
        of_hart=True,
    ),
    "locks": PictureKind("waits and holds", "hgeisim.plot.locks:locks_figure", ("locks",)),
    "latency": PictureKind(
        "MSIs, SGEIs and vCPUs that look for a VS-file",
        "hgeisim.plot.latency:latency_figure",
        ("spans", "vcpus"),
    ),
    "summary": PictureKind("a run on one page", "hgeisim.plot.summary:summary_figure"),
}
"""The kinds by name; a new one is a row here and its function."""
SUFFIXES = (".png", ".svg")
"""Of the files that a picture is written to."""


def stem_of(kind: str, hart: int | None = None) -> str:
    """The file name of a picture, without its suffix; `hart` is None for the whole machine."""
    return kind if hart is None else f"{kind}-hart{hart}"


def is_picture(name: str) -> bool:
    """Whether a file in a run folder has a name that `hgeisim plot` gives."""
    stem, dot, suffix = name.rpartition(".")
    kind = re.sub(r"-hart[0-9]+\Z", "", stem)
    return dot + suffix in SUFFIXES and kind in KINDS
