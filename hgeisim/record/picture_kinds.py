"""The kinds of pictures of a run, and how their files are called.

Apart from the drawing, so that `hgeisim plot --help` need not import it, and so that a run knows
which files in its folder are pictures.
"""

from __future__ import annotations

import re

TABLES_OF: dict[str, tuple[str, ...]] = {
    "occupancy": (),
    "exhaustion": (),
    "lines": ("owners",),
    "locks": ("locks",),
    "latency": ("spans",),
    "summary": (),
}
"""Kinds, and the tables of a run that each needs besides the timeline."""
TIMELINE_ONLY = ("occupancy", "exhaustion")
"""Kinds that look at no table, so that none need be read."""
SUFFIXES = (".png", ".svg")
"""Of the files that a picture is written to."""


def stem_of(kind: str, hart: int | None = None) -> str:
    """The file name of a picture, without its suffix; `hart` is None for the whole machine."""
    return kind if hart is None else f"{kind}-hart{hart}"


def is_picture(name: str) -> bool:
    """Whether a file in a run folder has a name that `hgeisim plot` gives."""
    stem, dot, suffix = name.rpartition(".")
    kind = re.sub(r"-hart[0-9]+\Z", "", stem)
    return dot + suffix in SUFFIXES and kind in TABLES_OF
