"""Two run folders side by side, HART by HART: a trace and its simulation, or any other two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.runs.measures import hart_summaries
from hgeisim.runs.recording import Recording

HEADS = ("HART", "lines", "max", "alloc", "fail", "free", "SGEI", "released")
COMPARED = ("busy_max", "alloc", "fail", "free", "sgei", "release")
"""The numbers that are compared, by their keys in a summary, in the order of the table."""


def document(names: tuple[str, str], runs: tuple[Recording, Recording]) -> dict[str, Any]:
    """The numbers of both runs, each as a pair: of the first run and of the second.

    InputError: the runs have different numbers of HARTs.
    """
    first, second = (hart_summaries(run.timeline) for run in runs)
    if len(first) != len(second):
        allowed = f"must have {len(first)} HARTs, as {names[0]} has"
        raise InputError([Problem(names[1], "", f"{len(second)} HARTs", allowed)])
    pairs = list(zip(first, second, strict=True))
    keys = ("lines", *COMPARED)
    harts = [{"hart": a["hart"], **{key: [a[key], b[key]] for key in keys}} for a, b in pairs]
    total = {
        key: [sum(hart[key][side] for hart in harts) for side in (0, 1)]
        for key in keys
        if key != "busy_max"
    }
    return {
        "runs": [
            {
                "folder": name,
                "title": run.manifest["scenario"].get("title", ""),
                "variant": run.manifest["variant"],
                "end_ns": run.timeline.end_ns,
            }
            for name, run in zip(names, runs, strict=True)
        ],
        "harts": harts,
        "total": total,
    }


def head(result: dict[str, Any]) -> Iterator[str]:
    """Name the two runs, in a line each."""
    for place, run in zip(("left", "right"), result["runs"], strict=True):
        name = run["title"] or run["folder"]
        yield f"{place + ':':7}{name} ({run['variant']}, {run['end_ns'] / 1e9:.3f} s)"


def rows(result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """The table: a row for each HART and one for all.

    A cell has `left / right`; a number of lines that is the same in both stands once.
    """
    for hart in result["harts"]:
        yield hart["hart"], _lines(hart["lines"]), *(_pair(hart[key]) for key in COMPARED)
    total = result["total"]
    counted = (_pair(total[key]) for key in COMPARED if key != "busy_max")
    yield "all", _lines(total["lines"]), "", *counted


def _lines(values: list[int]) -> str:
    return f"{values[0]}" if values[0] == values[1] else _pair(values)


def _pair(values: list[int]) -> str:
    return f"{values[0]:,} / {values[1]:,}"
