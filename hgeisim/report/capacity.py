"""The answer of a search for capacity as text of 80 columns: from its JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from hgeisim.report.estimates import estimate, meanings
from hgeisim.report.grid import Grid, Part
from hgeisim.report.layout import WIDTH, indented
from hgeisim.scenario.table import format_duration

Document = dict[str, Any]
NAMES = {
    "lines": ("line per HART", "lines per HART"),
    "vcpus": ("vCPU", "vCPUs"),
    "oversubscription": ("vCPU for each HART", "vCPUs for each HART"),
}


def parts(document: Document) -> Iterator[Part]:
    """The text of the command."""
    yield from wrap(document["title"] or document["scenario"], WIDTH)
    until = format_duration(document["until_ns"])
    yield f"{document['variant']}, {document['harts']} HARTs, {until} each, {_left_out(document)}"
    yield ""
    yield curve(document)
    yield ""
    yield from indented(answer(document), 0)
    yield ""
    yield from meanings([document["metric"]])
    words = (
        f"all of this holds together with {document['level']:g} % confidence: each interval has "
        f"{document['single_level']:.2f} %; undecided counts as not kept"
    )
    yield from indented(words, 0)
    if not all(place["settled"] for place in document["places"]):
        yield "unsettled: MSER-5 finds no steady state, so nothing was left out"
    if not document["monotone"]:
        words = (
            f"{document['metric']['name']} is larger at a value that should be better, beyond "
            "doubt: the search is not to be trusted, look at all values with `hgeisim sweep`"
        )
        yield from indented(words, 0)
    if found := sorted({each for place in document["places"] for each in place["findings"]}):
        yield from indented(f"findings: {', '.join(found)}", 0)


def curve(document: Document) -> Grid:
    """The values that were visited, in their order."""
    unit = document["metric"]["unit"]
    rows = [
        (
            place["value"],
            estimate(place["estimate"], unit),
            place["verdict"],
            place["replications"],
            _cut(place),
        )
        for place in document["places"]
    ]
    heads = (document["key"], document["metric"]["name"], document["target"]["text"])
    return Grid((*heads, "runs", "left out"), rows)


def answer(document: Document) -> str:
    """The answer in a sentence."""
    value, target = document["answer"], document["target"]["text"]
    values = document["values"]
    if document["interrupted"]:
        return "interrupted: no answer yet"
    if not document["monotone"]:
        return f"no answer: {document['metric']['name']} does not go one way"
    if value is None:
        word = "not even" if len(values) > 1 else "not"
        best = max(values) if document["which"] == "smallest" else min(values)
        return f"{word} {named(document, best)}: {target} is not shown to be kept"
    said = f"{named(document, value)} {'is' if value == 1 else 'are'} "
    if document["which"] == "smallest":
        below = [each for each in values if each < value]
        said += f"enough for {target}"
        return said + (f"; {_other(document, max(below))}" if below else ", the fewest asked for")
    above = [each for each in values if each > value]
    said += f"possible with {target}"
    return said + (f"; {_other(document, min(above))}" if above else ", the most asked for")


def _other(document: Document, value: int) -> str:
    """The verdict on the next worse value."""
    place = next((each for each in document["places"] if each["value"] == value), None)
    if place is None or place["verdict"] == "undecided":
        return f"{named(document, value)}: undecided"
    return f"{named(document, value)} {'is' if value == 1 else 'are'} not"


def named(document: Document, value: int) -> str:
    """A value with what it counts."""
    one, many = NAMES.get(document["key"], ("", ""))
    return f"{value} {one if value == 1 else many}" if one else f"{document['key']} = {value}"


def _left_out(document: Document) -> str:
    by = document["warm_up"]
    return "all of it" if by == "none" else f"warm-up: {by}"


def _cut(place: Document) -> str:
    cut_ns = place["warm_up_ns"]
    return (format_duration(cut_ns) if cut_ns else "-") if place["settled"] else "unsettled"
