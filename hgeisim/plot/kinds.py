"""The kinds of pictures by name; apart, so that `hgeisim plot --help` need not import them."""

from __future__ import annotations

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
