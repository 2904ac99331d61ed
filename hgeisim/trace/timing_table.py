"""A calibration as a document for programs, and as a TOML table with its story in comments."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from hgeisim.scenario.table import format_duration, toml_value
from hgeisim.scenario.timing import Law
from hgeisim.trace.calibration import Calibration, Measure

WARNING = (
    "These are the times of the machine that left the traces, with the probes on. Those of an"
    " emulated machine or a machine model are not hardware's: the ratio between two of them means"
    " as little as each alone. Record on the hardware that you want to know about"
    " (`hgeisim trace record`)."
)
_WIDTH = 90


def document(made: Calibration) -> dict[str, Any]:
    """The calibration as plain data; `timing` is a [timing] table of a scenario, times in TOML's
    notation, `measured` what lies behind each entry, in ns."""
    entries = made.entries()
    return {
        "warning": WARNING,
        "traces": [{"file": file, "records": records} for file, records in made.files],
        "holes": made.holes,
        "timing": {entry: _plain(made.law(measure)) for entry, measure in entries.items()},
        "measured": {entry: _told(made, measure) for entry, measure in entries.items()},
        "not_measured": made.missing(),
        "others": {measure.name: _told(made, measure) for measure in made.others()},
    }


def text(result: dict[str, Any]) -> Iterator[str]:
    """The document as TOML, to be pasted into a scenario."""
    files = ", ".join(f"{each['file']} ({each['records']:,} records)" for each in result["traces"])
    yield from _comment(f"Measured by `hgeisim trace calibrate` in {files}.")
    yield from _comment(result["warning"])
    if result["holes"]:
        told = f"Events were lost in {result['holes']} of their places: what was under way there is"
        yield from _comment(f"{told} left out.")
    yield ""
    yield "[timing]"
    for entry, law in result["timing"].items():
        yield from _comment(_story(result["measured"][entry]))
        yield f"{entry} = {toml_value(law)}"
    yield ""
    yield from _comment("Not measured; the default stays, which is an assumption:")
    for entry, why in result["not_measured"].items():
        yield from _comment(f"  {entry}: {why}")
    if result["others"]:
        yield ""
        yield from _comment("Measured, too; a simulation has no entry for it, or a better one:")
    for name, told in result["others"].items():
        yield from _comment(f"  {name}: {_story(told)}")


def _told(made: Calibration, measure: Measure) -> dict[str, Any]:
    return {"how": measure.how, "at_most": measure.at_most, **made.facts(measure)}


def _plain(law: Law) -> dict[str, Any]:
    """A law as it stands in a scenario."""
    plain: dict[str, Any] = law.model_dump(mode="json")
    return {"distribution": plain.pop("distribution"), **plain}


def _story(told: dict[str, Any]) -> str:
    """What was measured, in a sentence; `at most` when more than the cost itself is in it."""
    times = ", ".join(
        f"{name} {format_duration(told[key])}"
        for name, key in (
            ("least", "min_ns"), ("5 %", "p5_ns"), ("half", "p50_ns"), ("95 %", "p95_ns"),
            ("most", "max_ns"),
        )
    )  # fmt: skip
    bound = "at most; " if told["at_most"] else ""
    return f"{told['how']}; {bound}{_times(told['count'])}: {times}"


def _comment(words: str) -> list[str]:
    indent = words[: len(words) - len(words.lstrip())]
    return wrap(words, _WIDTH, initial_indent="# ", subsequent_indent=f"#   {indent}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
