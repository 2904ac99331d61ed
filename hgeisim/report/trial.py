"""What a comparison with the base adds to the document of an exploration."""

from __future__ import annotations

from typing import Any

from hgeisim.checks.cause import NOT_KNOWN, Cause
from hgeisim.checks.known import known_facts
from hgeisim.checks.standing import GONE, PRE_EXISTING, UNKNOWN, Bounds, Standing
from hgeisim.drivers.explored.against_base import AgainstBase
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, EXHAUSTED, SAMPLED
from hgeisim.drivers.explored.trial import Trial
from hgeisim.report.causes import possible
from hgeisim.report.exploration import finding_of
from hgeisim.report.findings import in_order
from hgeisim.scenario.clean_twin import left_out


def add_trial(result: dict[str, Any], against: AgainstBase) -> None:
    """Add how each finding compares, what is gone, and the clean twin."""
    standings = against.standings()
    result["base"] = _base(against.base, against.trial)
    result["never_entered"] = against.never_entered
    causes = against.causes()
    for finding in result["findings"]:
        i = finding["id"]
        standing = standings.get(i, Standing(UNKNOWN))  # where it was stopped before that
        finding |= _compared(against, i, standing, causes.get(i, NOT_KNOWN))
    result["gone"] = _gone(against.base, standings)
    if "lock_order" in result:
        result["lock_order"]["new_edges"] = against.locks.new_edges
    result["clean_twin"] = _twin(result["scenario"], against, against.twin)
    if result["clean_twin"] and any(each["new"] for each in result["clean_twin"]["findings"]):
        result["verdict"] = "violation"


def _base(base: Base, trial: Trial | None) -> dict[str, Any]:
    """What is known of the base; `levels`: what it has not shown needs as many switches."""
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
    """How a finding compares.  What is pre-existing is known as it is of the base; nothing else is
    known of a user's own file."""
    made = {"standing": standing.word, "base_switches": _bounds(standing.base)}
    if standing.word == PRE_EXISTING:
        return made | _known(against.base, finding_id, cause)
    if against.of_own_file:
        return made | {"known_as": None, "reason": None}
    return made


def _known(base: Base, finding_id: str, cause: Cause) -> dict[str, str | None]:
    kernel = base.scenario.kernel
    return known_facts(finding_id, kernel.variant, kernel.realtime, cause)


def _gone(base: Base, standings: dict[str, Standing]) -> list[dict[str, Any]]:
    gone = [(i, each) for i, each in standings.items() if each.word == GONE]
    cause = possible(base.scenario)
    return [
        {"id": i, **_known(base, i, cause), "base_switches": _bounds(each.base)} for i, each in gone
    ]


def _bounds(bounds: Bounds | None) -> dict[str, int] | None:
    return bounds._asdict() if bounds is not None else None


def _twin(name: str, against: AgainstBase, twin: Trial | None) -> dict[str, Any] | None:
    """The findings of the clean twin, whose tokens name the scenario itself."""
    if twin is None:
        return None
    standings, verdict = twin.standings(), twin.verdict
    new = against.counting(standings)
    findings = [
        finding_of(name, twin.scenario, c, i in new)
        | _compared(against, i, standings[i], c.finding.cause)
        for i, c in verdict.counterexamples.items()
    ]
    return {
        "left_out": left_out(against.scenario),
        "base": _base(twin.base, twin),
        "coverage": verdict.coverage,
        "bound": verdict.bound,
        "states": verdict.states,
        "never_entered": against.not_in_twin,
        "findings": in_order(findings),
        "gone": _gone(twin.base, standings),
    }
