"""Kernels compared, as text of 80 columns: from the JSON document of `hgeisim compare`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from hgeisim.report.estimates import estimate, meanings, percent_of
from hgeisim.report.grid import Grid, Part
from hgeisim.report.layout import WIDTH, command_lines, count, indented
from hgeisim.scenario.table import format_duration

Document = dict[str, Any]
APART = 3
"""How many seeds are shown."""
SIDE_BY_SIDE = 2
"""How many kernels have room beside each other."""
STOPS = {
    "replications": "",
    "precision": ", enough for the precision",
    "at most": ", as many as allowed: the precision was not reached",
    "interrupted": ", then it was interrupted",
}


def parts(document: Document) -> Iterator[Part]:
    """The text of the command."""
    yield from head(document)
    for letter, variant in document["variants"].items():
        yield f"{letter}  {variant}"
    yield ""
    if len(document["variants"]) > SIDE_BY_SIDE:
        yield _one_below_the_other(document)
    else:
        yield estimates(document)
        yield ""
        yield _differences(document)
    yield ""
    yield from meanings(document["metrics"])
    yield from _notes(document)
    yield from _seeds(document)
    yield from _findings(document)
    if rule := document["fail_if"]:
        yield ""
        yield from indented(
            f"{'fails, for' if rule['holds'] else 'passes: not'} {rule['condition']}", 0
        )


def head(document: Document) -> Iterator[str]:
    """The title, and how the study was made."""
    yield from wrap(document["title"] or document["scenario"], WIDTH)
    first, last = document["seeds"]
    many = count(document["replications"], "replication")
    words = f"{many}, seeds {first} to {last}{STOPS[document['stopped']]}"
    yield from indented(f"{words}; {warm_up(document)}", 0)
    what = "means" if document["quantile"] is None else f"quantiles of {document['quantile']:g} %"
    yield f"{what}, with intervals of {document['level']:g} % confidence"


def warm_up(document: Document) -> str:
    """The part of each run that is left out."""
    until, cut = format_duration(document["until_ns"]), document["warm_up"]
    if not cut["settled"]:
        return f"all of {until}: MSER-5 finds no steady state"
    if not cut["ns"]:
        return f"all of {until}"
    by = " (MSER-5)" if cut["asked"] == "mser-5" else ""
    return f"{until} without the first {format_duration(cut['ns'])}{by}"


def estimates(document: Document) -> Grid:
    """The metrics of each kernel."""
    letters = list(document["variants"])
    rows = [
        (name, *(estimate(found[each], row["unit"]) for each in letters))
        for row in document["metrics"]
        for name, found in (
            (row["name"], row["variants"]),
            *((f"  {vm}", found) for vm, found in row["vms"].items()),
        )
    ]
    return Grid(("metric", *letters), rows)


def _one_below_the_other(document: Document) -> Grid:
    """The metrics of each kernel, and what it has more or less than the first one."""
    first, *others = document["variants"]
    rows: list[tuple[str, ...]] = []
    for row in document["metrics"]:
        for vm, found in {"": row["variants"], **row["vms"]}.items():
            rows.append((f"{row['name']}, {vm}" if vm else row["name"], "", "", "", ""))
            for letter in (first, *others):
                cells = ("", "", "") if vm or letter == first else _cells(row, letter)
                rows.append((f"  {letter}", estimate(found[letter], row["unit"]), *cells))
    return Grid(("metric", "", f"paired, less {first}", f"of {first}", ""), rows)


def _differences(document: Document) -> Grid:
    first, *others = document["variants"]
    heads = [part for other in others for part in (f"{other} - {first}", f"of {first}", "")]
    rows = [
        (row["name"], *(cell for other in others for cell in _cells(row, other)))
        for row in document["metrics"]
    ]
    return Grid(("paired difference", *heads), rows)


def _cells(row: Document, other: str) -> tuple[str, str, str]:
    found = row["differences"].get(other)
    if found is None:
        return "-", "", ""
    shown = estimate(found, row["unit"], difference=True)
    return shown, percent_of(found["of_first"]), verdict(found)


def verdict(found: Document) -> str:
    """The meaning of a difference: more, less, the same in all pairs, or perhaps chance."""
    low, high = found["low"], found["high"]
    if low is None or high is None:
        return "unknown"
    if low == high == 0:
        return "same"
    return "more" if low > 0 else "less" if high < 0 else "may be 0"


def _notes(document: Document) -> Iterator[str]:
    methods = {each["method"] for row in document["metrics"] for each in _intervals(row)}
    if "clopper-pearson" in methods:
        words = "(a..b) of a rare event: by Clopper-Pearson, with its trials taken as independent"
        yield from indented(words, 0)
    if len(document["variants"]) > 2:
        yield "the bounds of all differences of a metric hold together (Bonferroni)"


def _intervals(row: Document) -> Iterator[Document]:
    yield from filter(None, row["variants"].values())
    yield from row["differences"].values()


def _seeds(document: Document) -> Iterator[str]:
    """The seeds whose difference is farthest from the mean, and how to see one."""
    apart = document["seeds_apart"][:APART]
    if len(document["variants"]) != 2 or not apart:
        return
    metric, letters = document["metrics"][0], list(document["variants"])
    words = ", ".join(f"{each['seed']} ({_bare(each['value'], metric['unit'])})" for each in apart)
    yield ""
    title = f"farthest from the mean of {letters[1]} - {letters[0]} in {metric['name']}: seeds"
    yield from indented(f"{title} {words}", 0)
    for variant in document["variants"].values():
        again = shlex.split(document["replay"])
        again += ["--variant", variant, "--seed", str(apart[0]["seed"])]
        yield from (f"  {line}" for line in command_lines(again))


def _bare(value: float, unit: str) -> str:
    found = {"value": value, "low": None, "high": None, "method": ""}
    return estimate(found, unit, difference=True)


def _findings(document: Document) -> Iterator[str]:
    if any(document["findings"].values()):
        yield ""
    for letter, found in document["findings"].items():
        words = ", ".join(f"{i} in {many}" for i, many in found.items())
        if words:
            runs = count(document["replications"], "run")
            yield from indented(f"findings of {letter}, of {runs}: {words}", 0)
