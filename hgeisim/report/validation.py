"""A validation as text of 80 columns: from its JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.report.grid import Grid, Part
from hgeisim.report.layout import indented

Document = dict[str, Any]


def parts(document: Document) -> Iterator[Part]:
    """The text of the command."""
    given = ", ".join(f"{name} {_shown(value)}" for name, value in document["parameters"].items())
    yield from indented(f"{document['case']}: {given}", 0)
    yield from indented(f"simulated: {document['simulated']}", 0)
    yield _runs(document)
    yield ""
    yield results(document)
    yield ""
    for each in _sources(document):
        yield from indented(each, 0)
    wide = [each["name"] for each in document["quantities"] if each["verdict"] == "wide"]
    if wide:
        yield from indented(f"wide: needs more replications: {', '.join(wide)}", 0)
    if document["interrupted"]:
        yield "interrupted: from the replications made so far"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _runs(document: Document) -> str:
    number, first = document["replications"], document["seed"]
    if number == 1:
        return "nothing in it is random: one run"
    return f"{number} replications, seeds {first} to {first + number - 1}"


def results(document: Document) -> Grid:
    """The table of exact and simulated numbers."""
    rows = [
        (
            f"{each['name']}{_unit(each['unit'])}",
            _number(each["exact"]),
            _number(each["simulated"]),
            "..".join(_number(bound) for bound in each["interval"]),
            "-" if each["half_width"] is None else f"{each['half_width']:.2%}",
            each["verdict"],
        )
        for each in document["quantities"]
    ]
    heads = ("", "exact", "simulated", f"{document['level']:g} % interval", "+-", "exact is")
    return Grid(heads, rows)


def _unit(unit: str) -> str:
    return f", {unit}" if unit in ("ns", "1/us") else ""


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if 0 < abs(value) < 0.001:
        return f"{value:.3g}"
    places = sum(abs(value) < limit for limit in (1, 10, 100, 1000)) + 1
    return f"{value:.{places}f}"


def _sources(document: Document) -> Iterator[str]:
    """The source of each exact value, those with the same one together."""
    by_source: dict[str, list[str]] = {}
    for each in document["quantities"]:
        by_source.setdefault(each["source"], []).append(each["name"])
    yield from (f"exact by {source}: {', '.join(n)}" for source, n in by_source.items())
