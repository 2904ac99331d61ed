"""A user's own patch beside its base: what an exploration adds to its document, and the lines.

Each finding gets its standing against the base; those that only the base shows are listed as gone;
the clean twin, the scenario without its scripted disturbances, has findings of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.finding import GONE, NOT_KNOWN, PRE_EXISTING, UNKNOWN, Cause, Standing
from hgeisim.checks.known import known_facts
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.patch_trial import AgainstBase, Trial
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, EXHAUSTED, SAMPLED
from hgeisim.report.counterexample import finding_blocks, finding_facts
from hgeisim.report.findings import (
    bounds_facts,
    bounds_text,
    in_order,
    named,
    nothing_found,
    possible_cause,
)
from hgeisim.report.layout import count, indented
from hgeisim.scenario.canonical import left_out


def add_trial(result: dict[str, Any], against: AgainstBase) -> None:
    """Add to the document of an exploration how each finding compares with the base, the findings
    that are gone, and the clean twin."""
    standings = against.standings()
    result["base"] = _base_facts(against.base, against.trial)
    result["never_entered"] = against.never_entered
    causes = against.causes()
    for finding in result["findings"]:
        i = finding["id"]
        standing = standings.get(i, Standing(UNKNOWN))  # unknown if stopped before the comparison
        finding |= _compared(against, i, standing, causes.get(i, NOT_KNOWN))
    result["gone"] = _gone(against.base, standings)
    if "lock_order" in result:
        result["lock_order"]["new_edges"] = against.locks.new_edges
    result["clean_twin"] = _twin(result["scenario"], against, against.twin)
    if result["clean_twin"] and any(each["new"] for each in result["clean_twin"]["findings"]):
        result["verdict"] = "violation"


def _base_facts(base: Base, trial: Trial | None) -> dict[str, Any]:
    """The search of the base; a finding that it has not shown needs at least `levels` switches."""
    known, whole = base.known(), base.known().whole
    sampled = trial is not None and trial.sample is not None and base.recorded is None
    return {
        "variant": base.variant,
        "recorded": base.recorded is not None,
        "coverage": SAMPLED if sampled else EXHAUSTED if whole else BOUNDED,
        "states": base.states,
        "levels": known.others,
        "sampled": sampled or (trial is not None and bool(trial.also)),
    }


def _compared(
    against: AgainstBase, finding_id: str, standing: Standing, cause: Cause
) -> dict[str, Any]:
    """The standing of a finding.  A pre-existing one keeps the name and reason that it has on the
    base; other findings of a user's own file have neither."""
    made = {"standing": standing.word, "base_switches": bounds_facts(standing.base)}
    if standing.word == PRE_EXISTING:
        return made | _known(against.base, finding_id, cause)
    if against.of_own_file:
        return made | {"known_as": None, "reason": None}
    return made


def _known(base: Base, finding_id: str, cause: Cause) -> dict[str, str | None]:
    kernel = base.scenario.kernel
    return known_facts(finding_id, kernel.variant, kernel.realtime, cause)


def _gone(base: Base, standings: dict[str, Standing]) -> list[dict[str, Any]]:
    cause = possible_cause(base.scenario)
    return [
        {"id": i, **_known(base, i, cause), "base_switches": bounds_facts(each.base)}
        for i, each in standings.items()
        if each.word == GONE
    ]


def _twin(name: str, against: AgainstBase, twin: Trial | None) -> dict[str, Any] | None:
    """The findings of the clean twin, whose tokens name the scenario itself."""
    if twin is None:
        return None
    standings, verdict = twin.standings(), twin.verdict
    new = against.counting(standings)
    findings = [
        finding_facts(name, twin.scenario, c, i in new)
        | _compared(against, i, standings[i], c.finding.cause)
        for i, c in verdict.counterexamples.items()
    ]
    return {
        "left_out": left_out(against.scenario),
        "base": _base_facts(twin.base, twin),
        "coverage": verdict.coverage,
        "bound": verdict.bound,
        "states": verdict.states,
        "never_entered": against.not_in_twin,
        "findings": in_order(findings),
        "gone": _gone(twin.base, standings),
    }


def comparison_lines(result: dict[str, Any]) -> Iterator[str]:
    """The search of the base, the functions of the patch that were not reached, and the
    dependencies of locks that are new with it."""
    if "base" not in result:
        return
    yield from indented(f"compared with {_base(result['base'])}", 0)
    yield from _never_entered(result["never_entered"], "")
    for edge in result.get("lock_order", {}).get("new_edges", ()):
        yield from indented(edge, 0)


def _base(base: dict[str, Any]) -> str:
    variant = base["variant"]
    if base["coverage"] == "sampled":
        return f"{variant}, along the same schedules and as many random ones"
    if base["recorded"]:
        return f"{variant}, by the fewest switches; what it shows here is recorded"
    if base["coverage"] == "exhausted":
        return f"{variant}, by the fewest switches; {count(base['states'], 'state')}"
    made = count(base["levels"] - 1, "switch") if base["levels"] else ""
    up_to = f": every schedule of up to {made}" if made else ""
    beside = "; and as many random ones" if base["sampled"] else ""
    return f"{variant}, whose search was cut short{up_to}{beside}"


def _never_entered(functions: list[str], where: str) -> Iterator[str]:
    """The functions of the patch that were not tested."""
    if functions:
        words = f"functions of the patch that no task entered{where}: {', '.join(functions)}"
        yield from indented(words, 0)


def gone_lines(result: dict[str, Any]) -> Iterator[str]:
    """The findings that only the base shows, each with the question that this leaves."""
    variant = result.get("base", {}).get("variant")
    for finding in result.get("gone", ()):
        needed = bounds_text(finding["base_switches"])
        words = f"gone: {named(finding)}, {needed} in {variant}: is it mended, or hidden?"
        yield from indented(words, 0)


def twin_lines(twin: dict[str, Any]) -> Iterator[str]:
    """The clean twin: what it leaves out, how much of it was searched, and its findings."""
    bound = f", {twin['bound']}" if twin["bound"] else ""
    found = "; no finding" if nothing_found(twin["findings"]) else ""
    words = f"clean twin, without {', '.join(twin['left_out'])}: {twin['coverage']}{bound}"
    yield from indented(f"{words}; {count(twin['states'], 'state')}{found}", 0)
    yield from _never_entered(twin["never_entered"], " here")
    yield from gone_lines(twin)
    yield from finding_blocks(twin["findings"])
