"""The result of an exploration: a document for programs, and lines for people.

Data races are added to it as another search found them; lock_order.py adds the lock order, reach.py
what was reached, and trial.py how a user's own patch compares with its base.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from hgeisim.checks.catalogue import not_checked
from hgeisim.drivers.explored.compiled.library import engine
from hgeisim.drivers.explored.model.system import EXPLORED, RACED
from hgeisim.drivers.explored.races.trial import Races
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Verdict, ended
from hgeisim.report.counterexample import finding_blocks, finding_facts, race_facts
from hgeisim.report.findings import nothing_found, unlooked
from hgeisim.report.layout import count, indented
from hgeisim.report.reach import reach_lines
from hgeisim.report.real_code import code_facts, code_lines
from hgeisim.report.trial import comparison_lines, gone_lines, twin_lines
from hgeisim.scenario.schema import Scenario

COVERED = {
    "exhausted": "every interleaving, up to the order of independent steps",
    "bounded": "no further than",
    "sampled": "only",
}


def document(name: str, scenario: Scenario, verdict: Verdict, new: list[str]) -> dict[str, Any]:
    """The verdict and the findings of a search as plain data; `new` are the ids that count."""
    return {
        "scenario": name,
        "variant": scenario.kernel.variant,
        "preemption": scenario.kernel.preemption,
        **code_facts(scenario.kernel.variant),
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


def add_races(
    result: dict[str, Any], scenario: Scenario, races: Races, new: Collection[str]
) -> None:
    """Add the data races and how they were looked for to the document of an exploration."""
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
        made["replay"] += " --races"  # a plain replay does not look for races
        result["findings"].append(made | {"race": race_facts(race)})


def text(result: dict[str, Any]) -> Iterator[str]:
    """The document as lines of at most 80 columns, except for the tokens."""
    yield (
        f"{result['scenario']} on {result['variant']}, preemption {result['preemption']}: "
        f"{count(len(result['tasks']), 'task')} on {count(result['harts'], 'HART')}"
    )
    yield from _verdict(result)
    yield from code_lines(result)
    yield from _lock_order(result)
    yield from _data_races(result)
    yield from comparison_lines(result)
    if result["stopped"]:
        left = "schedules may be longer than they need be"
        if "lock_order" not in result:
            left = f"lock order was not looked at, and {left}"
        yield from indented(f"it {result['stopped']}: {left}", 0)
    yield from finding_blocks(result["findings"])
    if nothing_found(result["findings"]):
        yield "no finding so far" if result["stopped"] else "no finding"
    yield from gone_lines(result)
    if twin := result.get("clean_twin"):
        yield from twin_lines(twin)
    yield from reach_lines(result["reach"])
    yield from unlooked(result["not_checked"])


def _verdict(result: dict[str, Any]) -> Iterator[str]:
    scope = f"{COVERED[result['coverage']]} {result['bound']}".rstrip()
    if result["after"]:
        scope = f"after the {count(result['after'], 'step')} of the token {scope}"
    word, verdict = result["coverage"], result["verdict"]
    if verdict != word:
        word = f"{verdict} ({word})"
    if verdict == "vacuous":
        scope = f"{result['reach']['vacuous']}; {scope}"
    counts = ", ".join(
        count(result[key], word)
        for key, word in (("states", "state"), ("transitions", "step"), ("ends", "end"))
    )
    yield from indented(f"{word}: {scope}; {counts}", 0)


def _lock_order(result: dict[str, Any]) -> Iterator[str]:
    """How much of the lock order was seen, if the document says it."""
    order = result.get("lock_order")
    if order:
        schedules = f"{count(order['schedules'], 'schedule')}{order['cut']}"
        start = ", from the start" if result["after"] else ""
        yield from indented(
            f"lock order{start}: {order['coverage']}: {COVERED[order['coverage']]} {schedules}; "
            f"{count(order['classes'], 'class')}, "
            f"{count(order['dependencies'], 'dependency')}",
            0,
        )


def _data_races(result: dict[str, Any]) -> Iterator[str]:
    """How data races were looked for, if the document says it."""
    looked = result.get("data_races")
    if looked:
        ways = []
        if looked["states"]:
            ways.append(f"steps side by side in {count(looked['states'], 'state')}")
        if looked["schedules"]:
            ways.append(f"order of events in {count(looked['schedules'], 'drawn schedule')}")
        yield from indented(f"data races: {', '.join(ways)}{looked['cut']}", 0)
