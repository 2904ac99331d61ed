"""The findings of a run, a search or a trace: in one order, and what nobody looked for.

Where only the scenario of a finding is known, also what can be its cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hgeisim.checks.catalogue import is_note, severity_of
from hgeisim.checks.finding import HAPPENINGS, Cause
from hgeisim.report.layout import count, indented
from hgeisim.scenario.action import VERBS
from hgeisim.scenario.schema import Scenario


def in_order(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The worst first; then those with the fewest switches, steps, and the earliest."""
    return sorted(findings, key=_rank)


def _rank(finding: dict[str, Any]) -> tuple[int, ...]:
    numbers = (finding.get(key, 0) for key in ("switches", "steps", "time_ns", "line"))
    return severity_of(finding["id"]), *numbers


def standing(finding: dict[str, Any]) -> str:
    """How a finding counts, as it follows its id: nothing where it is new."""
    if is_note(finding["id"]):
        return ", a note"
    if "standing" in finding:
        return f", {finding['standing']}{_base_switches(finding)}"
    return "" if finding["new"] else ", accepted"


def _base_switches(finding: dict[str, Any]) -> str:
    """How many switches the base needs for the same, if these are not as many."""
    base, own = finding["base_switches"], finding.get("switches")
    return f" (base: {bounds_text(base)})" if base and {*base.values()} != {own} else ""


def bounds_text(switches: dict[str, int]) -> str:
    """A number of switches, or between which two it is."""
    least, most = switches["least"], switches["most"]
    if least == most:
        return count(most, "switch", "es")
    return f"{least:,} to {most:,} switches"


def nothing_found(findings: Iterable[dict[str, Any]]) -> bool:
    """Whether there are none, but for notes."""
    return all(is_note(finding["id"]) for finding in findings)


def unlooked(kinds: Sequence[str]) -> Iterator[str]:
    """The line that names the kinds of findings which could not show here."""
    if kinds:
        yield from indented(f"not checked here: {', '.join(kinds)}", 0)


def possible_cause(scenario: Scenario) -> Cause:
    """All that may come before a finding: what only an action begins, if there is that action."""
    done = {action.verb for task in scenario.task for action in task.does}
    return Cause(frozenset(each for each in HAPPENINGS if each not in VERBS or each in done))
