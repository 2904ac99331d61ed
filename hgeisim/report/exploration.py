"""The result of an exploration: a document for programs, and lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.catalogue import not_checked
from hgeisim.checks.known import known_facts
from hgeisim.drivers.explored.compiled.library import engine
from hgeisim.drivers.explored.counterexample.shrink import switches
from hgeisim.drivers.explored.counterexample.token import Token, command, encode
from hgeisim.drivers.explored.explorable import token_of
from hgeisim.drivers.explored.model.system import EXPLORED
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Verdict, ended
from hgeisim.report.data_race import race_lines
from hgeisim.report.findings import nothing_found, standing, unlooked
from hgeisim.report.layout import count, indented
from hgeisim.report.reach import reach_lines
from hgeisim.report.trial_lines import comparison_lines, gone_lines, twin_line
from hgeisim.scenario.schema import Scenario

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
            finding_of(name, scenario, c, c.finding.id in new)
            for c in verdict.counterexamples.values()
        ],
        "not_checked": not_checked(EXPLORED),
    }


def finding_of(name: str, scenario: Scenario, c: Counterexample, new: bool) -> dict[str, Any]:
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
