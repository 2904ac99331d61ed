"""A sweep as text of 80 columns: from the JSON document of `hgeisim sweep`."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from hgeisim.report.estimates import estimate, meanings
from hgeisim.report.grid import Grid, Part
from hgeisim.report.layout import WIDTH, count, indented

Document = dict[str, Any]
LETTERS = "xyzuvw"
POINTS_SHOWN_MAX = 64
"""Most points that have a row in the text."""


def parts(document: Document) -> Iterator[Part]:
    """The text of the command."""
    yield from wrap(document["title"] or document["scenario"], WIDTH)
    points, many = len(document["points"]), document["replications"]
    first, last = document["seeds"]
    words = f"{count(points, 'point')}, {count(many, 'replication')} each, seeds {first} to {last}"
    yield from indented(f"{words}; {_kept(document)}", 0)
    what = "means" if document["quantile"] is None else f"quantiles of {document['quantile']:g} %"
    yield f"{what}, with intervals of {document['level']:g} % confidence, each by itself"
    yield ""
    for letter, axis in zip(LETTERS, document["axes"], strict=False):
        yield f"{letter}  {axis['key']}"
    yield ""
    yield table(document)
    if points > POINTS_SHOWN_MAX:
        yield f"the first {POINTS_SHOWN_MAX} points; --csv and --json have all"
    yield ""
    yield from meanings(document["metrics"])
    if found := document["findings"]:
        runs = count(points * many, "run")
        words = ", ".join(f"{i} in {times}" for i, times in found.items())
        yield ""
        yield from indented(f"findings, of {runs}: {words}", 0)


def _kept(document: Document) -> str:
    total = len(document["points"]) * document["replications"]
    return f"{document['made']} of {total} runs made now, all kept in {document['file']}"


def table(document: Document) -> Grid:
    """A row for each point; a metric to each column."""
    keys, metrics = [axis["key"] for axis in document["axes"]], document["metrics"]
    rows = [
        (
            *(point["values"][key] for key in keys),
            *(_cell(point["metrics"][each["name"]], each["unit"]) for each in metrics),
        )
        for point in document["points"][:POINTS_SHOWN_MAX]
    ]
    heads = LETTERS[: len(keys)] if len(keys) <= len(LETTERS) else keys
    return Grid((*heads, *(each["name"] for each in metrics)), rows)


def _cell(found: Document | None, unit: str) -> str:
    """An estimate; the unit of a plain number stands below the table."""
    return estimate(found, unit if unit in ("share", "ns") else "count")
