"""A calibration as a document for programs, and as a commented TOML table for scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from hgeisim.scenario.table import format_duration, toml_value
from hgeisim.scenario.timing import Law
from hgeisim.trace.calibration import Calibration
from hgeisim.trace.duration import Measure

WARNING = (
    "These are the times of the machine that left the traces, with the probes on. The times of an"
    " emulated machine or a machine model are not hardware's, and their ratios mean as little as"
    " the times themselves. Record on the hardware that you want to know about"
    " (`hgeisim trace record`)."
)
_WIDTH = 90


def document(made: Calibration) -> dict[str, Any]:
    """The calibration as plain data.

    `timing` is a scenario's [timing] table, with times in TOML's notation; `measured` has the
    measured times behind each of its entries, in ns.
    """
    entries = made.entries()
    return {
        "warning": WARNING,
        "traces": [{"file": file, "records": records} for file, records in made.files],
        "holes": made.holes,
        "timing": {entry: _plain(made.law(measure)) for entry, measure in entries.items()},
        "measured": {entry: _facts(made, measure) for entry, measure in entries.items()},
        "not_measured": made.missing(),
        "others": {measure.name: _facts(made, measure) for measure in made.others()},
    }


def text(result: dict[str, Any]) -> Iterator[str]:
    """The document as TOML, to be pasted into a scenario."""
    files = ", ".join(f"{each['file']} ({each['records']:,} records)" for each in result["traces"])
    yield from _comment(f"Measured by `hgeisim trace calibrate` in {files}.")
    yield from _comment(result["warning"])
    if result["holes"]:
        lost = f"Events were lost in {result['holes']} places"
        yield from _comment(f"{lost}; operations under way there are left out.")
    yield ""
    yield "[timing]"
    for entry, law in result["timing"].items():
        yield from _comment(_story(result["measured"][entry]))
        yield f"{entry} = {toml_value(law)}"
    yield ""
    yield from _comment("Not measured; these keep their defaults, which are assumptions:")
    for entry, why in result["not_measured"].items():
        yield from _comment(f"  {entry}: {why}")
    if result["others"]:
        yield ""
        yield from _comment("Also measured; a simulation has no entry for these, or a better one:")
    for name, facts in result["others"].items():
        yield from _comment(f"  {name}: {_story(facts)}")


def _facts(made: Calibration, measure: Measure) -> dict[str, Any]:
    return {"how": measure.how, "at_most": measure.at_most, **made.facts(measure)}


def _plain(law: Law) -> dict[str, Any]:
    """A law as a scenario has it, with `distribution` first."""
    plain: dict[str, Any] = law.model_dump(mode="json")
    return {"distribution": plain.pop("distribution"), **plain}


def _story(facts: dict[str, Any]) -> str:
    """One sentence on a measure; "at most" if it includes more than the cost itself."""
    times = ", ".join(
        f"{name} {format_duration(facts[key])}"
        for name, key in (
            ("min", "min_ns"), ("p5", "p5_ns"), ("median", "p50_ns"), ("p95", "p95_ns"),
            ("max", "max_ns"),
        )
    )  # fmt: skip
    bound = "at most; " if facts["at_most"] else ""
    often = "once" if facts["count"] == 1 else f"{facts['count']:,} times"
    return f"{facts['how']}; {bound}{often}: {times}"


def _comment(words: str) -> list[str]:
    indent = words[: len(words) - len(words.lstrip())]
    return wrap(words, _WIDTH, initial_indent="# ", subsequent_indent=f"#   {indent}")
