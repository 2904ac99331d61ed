"""The result of an exploration: a document for programs, and lines for people.

A document gets what else is known: the data races, as KCSAN tells them, with what each side does
and its stack; and how a user's own patch compares with its base.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from hgeisim.checks.catalogue import not_checked
from hgeisim.checks.finding import GONE, NOT_KNOWN, PRE_EXISTING, UNKNOWN, Bounds, Cause, Standing
from hgeisim.checks.known import known_facts
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.compiled.library import engine
from hgeisim.drivers.explored.counterexample.shrink import switches
from hgeisim.drivers.explored.counterexample.token import Token, command, encode
from hgeisim.drivers.explored.explored_scenario import token_of
from hgeisim.drivers.explored.model.system import EXPLORED, RACED
from hgeisim.drivers.explored.patch_trial import AgainstBase, Trial
from hgeisim.drivers.explored.races.data_race import Race, Side
from hgeisim.drivers.explored.races.trial import Races
from hgeisim.drivers.explored.strategies.verdict import (
    BOUNDED,
    EXHAUSTED,
    SAMPLED,
    Counterexample,
    Verdict,
    ended,
)
from hgeisim.report.findings import (
    bounds_text,
    in_order,
    nothing_found,
    possible_cause,
    standing,
    unlooked,
)
from hgeisim.report.layout import count, indented
from hgeisim.report.reach import reach_lines
from hgeisim.scenario.canonical import left_out
from hgeisim.scenario.schema import Scenario


def race_facts(race: Race) -> dict[str, Any]:
    """A race as plain data."""
    sides = [_side(side) for side in race.sides]
    return {"cell": race.cell, "before": race.before, "after": race.after, "sides": sides}


def _side(side: Side) -> dict[str, Any]:
    access = side.access
    return {
        "context": side.context,
        "hart": side.hart,
        "does": f"{'marked ' if access.marked else ''}{'write' if access.written else 'read'}",
        "locks": access.locks,
        "functions": list(access.functions),
    }


def race_lines(race: dict[str, Any]) -> Iterator[str]:
    """Both stacks, the inner functions first."""
    for side in race["sides"]:
        where = f"{side['does']} by {side['context']} on HART {side['hart']}"
        yield from indented(f"{where}: {' < '.join(side['functions'])}", 2, 4)


def comparison_lines(result: dict[str, Any]) -> Iterator[str]:
    """How the base was searched, and what the patch has that was not reached, or is new to it."""
    if "base" not in result:
        return
    yield from indented(f"compared with {_base(result['base'])}", 0)
    yield from never_entered(result["never_entered"], "")
    for edge in result.get("lock_order", {}).get("new_edges", ()):
        yield from indented(edge, 0)


def gone_lines(result: dict[str, Any]) -> Iterator[str]:
    """What only the base shows, with the question that this leaves."""
    variant = result.get("base", {}).get("variant")
    for finding in result.get("gone", ()):
        name = f" ({finding['known_as']})" if finding["known_as"] else ""
        needed = bounds_text(finding["base_switches"])
        words = f"gone: {finding['id']}{name}, {needed} in {variant}: is it mended, or hidden?"
        yield from indented(words, 0)


def twin_line(twin: dict[str, Any]) -> Iterator[str]:
    """What the clean twin is, and how much of it was searched."""
    bound = f", {twin['bound']}" if twin["bound"] else ""
    found = "; no finding" if nothing_found(twin["findings"]) else ""
    words = f"clean twin, without {', '.join(twin['left_out'])}: {twin['coverage']}{bound}"
    yield from indented(f"{words}; {count(twin['states'], 'state')}{found}", 0)
    yield from never_entered(twin["never_entered"], " here")
    yield from gone_lines(twin)


def never_entered(functions: list[str], where: str) -> Iterator[str]:
    """The functions of the patch that were not tested."""
    if functions:
        words = f"functions of the patch that no task entered{where}: {', '.join(functions)}"
        yield from indented(words, 0)


def _base(base: dict[str, Any]) -> str:
    variant = base["variant"]
    if base["coverage"] == "sampled":
        return f"{variant}, along the same schedules and as many random ones"
    if base["recorded"]:
        return f"{variant}, by the fewest switches; what it shows here is recorded"
    if base["coverage"] == "exhausted":
        return f"{variant}, by the fewest switches; {count(base['states'], 'state')}"
    made = count(base["levels"] - 1, "switch", "es") if base["levels"] else ""
    up_to = f": every schedule of up to {made}" if made else ""
    beside = "; and as many random ones" if base["sampled"] else ""
    return f"{variant}, whose search was cut short{up_to}{beside}"


COVERED = {
    "exhausted": "every interleaving, up to the order of independent steps",
    "bounded": "no further than",
    "sampled": "only",
}


def document(name: str, scenario: Scenario, verdict: Verdict, new: list[str]) -> dict[str, Any]:
    """Everything an exploration has to say, as plain data."""
    return {
        "scenario": name,
        "variant": scenario.kernel.variant,
        "preemption": scenario.kernel.preemption,
        "harts": len(scenario.topology.harts),
        "tasks": [task.name for task in scenario.task],
        "verdict": "violation" if new else verdict.coverage,
        "coverage": verdict.coverage,
        "bound": verdict.bound,
        "states": verdict.states,
        "transitions": verdict.transitions,
        "ends": verdict.ends,
        "engine": engine(),
        "stopped": ended(verdict.stopped) if verdict.stopped else "",
        "findings": [
            finding_facts(name, scenario, c, c.finding.id in new)
            for c in verdict.counterexamples.values()
        ],
        "not_checked": not_checked(EXPLORED),
    }


def finding_facts(name: str, scenario: Scenario, c: Counterexample, new: bool) -> dict[str, Any]:
    """A finding with its schedule."""
    kernel = scenario.kernel
    return {
        "id": c.finding.id,
        "text": c.finding.text,
        "new": new,
        **known_facts(c.finding.id, kernel.variant, kernel.realtime, c.finding.cause),
        "steps": len(c.schedule),
        "switches": switches(c.schedule),
        "also_shows": list(c.also_shows),
        **replay_facts(token_of(name, scenario, c.schedule)),
    }


def replay_facts(token: Token) -> dict[str, str]:
    """A token, and the command that replays it."""
    return {"token": encode(token), "replay": command(token)}


def text(result: dict[str, Any]) -> Iterator[str]:
    """The document as lines of at most 80 columns, but for the tokens."""
    yield (
        f"{result['scenario']} on {result['variant']}, preemption {result['preemption']}: "
        f"{count(len(result['tasks']), 'task')} on {count(result['harts'], 'HART')}"
    )
    yield from _verdict(result)
    yield from _lock_order(result)
    yield from _data_races(result)
    yield from comparison_lines(result)
    if result["stopped"]:
        yield from indented(_unfinished(result), 0)
    yield from _finding_blocks(result["findings"])
    if nothing_found(result["findings"]):
        yield "no finding so far" if result["stopped"] else "no finding"
    yield from gone_lines(result)
    twin = result.get("clean_twin")
    if twin:
        yield from twin_line(twin)
        yield from _finding_blocks(twin["findings"])
    yield from reach_lines(result["reach"])
    yield from unlooked(result["not_checked"])


def _finding_blocks(findings: list[dict[str, Any]]) -> Iterator[str]:
    for finding in findings:
        yield ""
        yield from _finding_lines(finding)
    if findings:
        yield ""


def _verdict(result: dict[str, Any]) -> Iterator[str]:
    covered = " ".join(filter(None, (COVERED[result["coverage"]], result["bound"])))
    if result["after"]:
        covered = f"after the {count(result['after'], 'step')} of the token {covered}"
    word, verdict = result["coverage"], result["verdict"]
    if verdict != word:
        word = f"{verdict} ({word})"
    if verdict == "vacuous":
        covered = f"{result['reach']['vacuous']}; {covered}"
    counts = ", ".join(
        count(result[key], word)
        for key, word in (("states", "state"), ("transitions", "step"), ("ends", "end"))
    )
    yield from indented(f"{word}: {covered}; {counts}", 0)


def _lock_order(result: dict[str, Any]) -> Iterator[str]:
    """How much of the lock order was seen; a document may come without."""
    order = result.get("lock_order")
    if order:
        schedules = f"{count(order['schedules'], 'schedule')}{order['cut']}"
        start = ", from the start" if result["after"] else ""
        yield from indented(
            f"lock order{start}: {order['coverage']}: {COVERED[order['coverage']]} {schedules}; "
            f"{count(order['classes'], 'class', 'es')}, "
            f"{count(order['dependencies'], 'dependency').replace('dependencys', 'dependencies')}",
            0,
        )


def _data_races(result: dict[str, Any]) -> Iterator[str]:
    """How data races were looked for; a document may come without."""
    looked = result.get("data_races")
    if looked:
        ways = []
        if looked["states"]:
            ways.append(f"steps side by side in {count(looked['states'], 'state')}")
        if looked["schedules"]:
            ways.append(f"order of events in {count(looked['schedules'], 'drawn schedule')}")
        yield from indented(f"data races: {', '.join(ways)}{looked['cut']}", 0)


def _unfinished(result: dict[str, Any]) -> str:
    """What was left undone when an exploration was stopped."""
    left = "schedules may be longer than they need be"
    if "lock_order" not in result:
        left = f"lock order was not looked at, and {left}"
    return f"it {result['stopped']}: {left}"


def _finding_lines(finding: dict[str, Any]) -> Iterator[str]:
    name = f" ({finding['known_as']})" if finding["known_as"] else ""
    alone = ", together with other schedules" if finding.get("alone") is False else ""
    shape = f"{count(finding['steps'], 'step')}, {count(finding['switches'], 'switch', 'es')}"
    yield from indented(f"{finding['id']}{name}: {shape}{alone}{standing(finding)}", 0, 4)
    yield from indented(finding["text"], 2)
    if finding["reason"]:
        yield from indented(f"known: {finding['reason']}", 2)
    if race := finding.get("race"):
        yield from race_lines(race)
    if hang := finding.get("hang"):
        shown = f" by {hang['id']}" if "id" in hang else ""
        yield from indented(f"its hang: {hang['grade']}{shown}", 2)
    if finding["also_shows"]:
        yield from indented("on the way: " + ", ".join(finding["also_shows"]), 2)
    yield f"  {finding['replay']}"


def add_races(
    result: dict[str, Any], scenario: Scenario, races: Races, new: Collection[str]
) -> None:
    """Add the findings and the coverage to the document of an exploration."""
    result["data_races"] = {
        "coverage": races.coverage,
        "states": races.states,
        "schedules": races.schedules,
        "cut": f", where it {ended(races.stopped)}" if races.stopped else "",
    }
    result["not_checked"] = not_checked(RACED)
    for finding_id, race in races.found.items():
        shown = Counterexample(race.finding, race.schedule)
        made = finding_facts(result["scenario"], scenario, shown, finding_id in new)
        made["replay"] += " --races"
        result["findings"].append(made | {"race": race_facts(race)})


def add_trial(result: dict[str, Any], against: AgainstBase) -> None:
    """Add how each finding compares, what is gone, and the clean twin."""
    standings = against.standings()
    result["base"] = _base_facts(against.base, against.trial)
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


def _base_facts(base: Base, trial: Trial | None) -> dict[str, Any]:
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
    cause = possible_cause(base.scenario)
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
