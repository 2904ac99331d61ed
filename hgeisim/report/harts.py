"""The HARTs of a run as tables that fit a terminal: each of a few, groups and the worst of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

SHOWN_MAX = 16
"""So many HARTs, or groups of them, are told one by one."""
WORST = 8
"""So many HARTs of a bigger machine are told beside its groups."""
HEADS = ("lines", "max", "mean", "exhausted", "alloc", "fail", "free", "SGEI")
COUNTS = ("alloc", "fail", "free", "sgei")

Hart = dict[str, Any]
"""What a summary says of one HART."""


class HartTable(NamedTuple):
    """A table with its title, "" where it needs none."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[object, ...]]


def hart_tables(harts: Sequence[Hart]) -> Iterator[HartTable]:
    """The tables of a run: one, or for a big machine its groups and its worst HARTs."""
    if len(harts) <= SHOWN_MAX:
        yield HartTable("", ("HART", *HEADS), [*map(hart_row, harts), total_row(harts)])
        return
    groups = [list(group) for _, group in groupby(harts, _kind)]
    shown = [_group(group) for group in groups] if 1 < len(groups) <= SHOWN_MAX else []
    title = "Equal neighbours together; mean, exhausted: averages"
    yield HartTable(title, ("HARTs", *HEADS), [*shown, ("all", *_group(harts)[1:])])
    order = sorted(harts, key=lambda hart: (-hart["exhausted"], -hart["fail"], hart["hart"]))
    worst = [hart_row(hart) for hart in order if hart["exhausted"]][:WORST]
    if worst:
        title = f"The {len(worst)} that were out of lines longest; --json tells all"
        yield HartTable(title, ("HART", *HEADS), worst)


def _kind(hart: Hart) -> tuple[int, int]:
    return hart["lines"], hart["guest_files"]


def hart_row(hart: Hart) -> tuple[object, ...]:
    """The cells of one HART."""
    return (
        hart["hart"],
        hart["lines"],
        _most([hart]),
        f"{hart['busy_mean']:.2f}",
        f"{hart['exhausted']:.1%}",
        *(hart[name] for name in COUNTS),
    )


def _group(harts: Sequence[Hart]) -> tuple[object, ...]:
    """Equal neighbours: `max` is that of the fullest one."""
    first, last, count = harts[0], harts[-1], len(harts)
    mean, exhausted = (sum(hart[key] for hart in harts) for key in ("busy_mean", "exhausted"))
    return (
        f"{first['hart']}-{last['hart']}" if count > 1 else first["hart"],
        _total(harts, "lines"),
        _most(harts),
        f"{mean / count:.2f}",
        f"{exhausted / count:.1%}",
        *(_total(harts, name) for name in COUNTS),
    )


def total_row(harts: Sequence[Hart]) -> tuple[object, ...]:
    """The cells of all HARTs together."""
    mean = f"{sum(hart['busy_mean'] for hart in harts):.2f}"
    counts = (_total(harts, name) for name in COUNTS)
    return ("all", _total(harts, "lines"), "", mean, "", *counts)


def _most(harts: Sequence[Hart]) -> str:
    """Most taken lines on a HART, marked where that is more than it has."""
    over = any(hart["busy_max"] > hart["lines"] for hart in harts)
    return f"{max(hart['busy_max'] for hart in harts)}{'!' * over}"


def _total(harts: Sequence[Hart], name: str) -> int:
    return sum(int(hart[name]) for hart in harts)
