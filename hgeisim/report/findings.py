"""The findings of a run, a search or a trace: their order, name, standing and explanation.

Also the line about kinds of findings that were not looked for, and the possible cause of a finding
if only its scenario is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hgeisim.checks.catalogue import is_note, severity_of
from hgeisim.checks.finding import HAPPENINGS, Bounds, Cause
from hgeisim.report.kernel_names import in_c
from hgeisim.report.layout import count, indented
from hgeisim.scenario.action import VERBS
from hgeisim.scenario.schema import Scenario


def in_order(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The worst first; then those with the fewest switches, steps, and the earliest."""
    return sorted(findings, key=_rank)


def _rank(finding: dict[str, Any]) -> tuple[int, ...]:
    numbers = (finding.get(key, 0) for key in ("switches", "steps", "time_ns", "line"))
    return severity_of(finding["id"]), *numbers


def named(finding: dict[str, Any]) -> str:
    """The id of a finding, with the name by which it is known."""
    return f"{finding['id']} ({finding['known_as']})" if finding["known_as"] else finding["id"]


def explanation(finding: dict[str, Any]) -> Iterator[str]:
    """The text of a finding, and the reason why it is accepted."""
    yield from indented(in_c(finding["text"]), 2)
    if finding["reason"]:
        yield from indented(f"known: {finding['reason']}", 2)


def standing(finding: dict[str, Any]) -> str:
    """How a finding counts, to follow its id: empty if it is new.

    The base's switches are given where it needs another number of them.
    """
    if is_note(finding["id"]):
        return ", a note"
    if "standing" in finding:
        base, own = finding["base_switches"], finding.get("switches")
        there = f" (base: {bounds_text(base)})" if base and {*base.values()} != {own} else ""
        return f", {finding['standing']}{there}"
    return "" if finding["new"] else ", accepted"


def bounds_facts(bounds: Bounds | None) -> dict[str, int] | None:
    """The least and the most switches that a finding needs, as plain data."""
    return bounds._asdict() if bounds is not None else None


def bounds_text(switches: dict[str, int]) -> str:
    """A number of switches, or the two numbers between which it lies."""
    least, most = switches["least"], switches["most"]
    return count(most, "switch") if least == most else f"{least:,} to {most:,} switches"


def nothing_found(findings: Iterable[dict[str, Any]]) -> bool:
    """Whether all findings are notes, or there are none."""
    return all(is_note(finding["id"]) for finding in findings)


def unlooked(kinds: Sequence[str]) -> Iterator[str]:
    """The line about the kinds of findings that could not show here."""
    if kinds:
        yield from indented(f"not checked here: {', '.join(kinds)}", 0)


BEGUN_BY = {"attribute": ("rw_attr", "get_eie", "set_eie")}
"""The actions that begin a happening, where it is not called as its only one."""


def possible_cause(scenario: Scenario) -> Cause:
    """Everything that may precede a finding: a happening that only an action begins counts if the
    scenario has that action."""
    done = {action.verb for task in scenario.task for action in task.does}
    verbs = {each: BEGUN_BY.get(each, (each,) if each in VERBS else ()) for each in HAPPENINGS}
    return Cause(frozenset(each for each, by in verbs.items() if not by or done & {*by}))
