"""A counterexample of an exploration: a finding with its schedule, as data and as lines of text.

A data race comes as KCSAN reports it: what each of the two sides does, and its stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.known import known_facts
from hgeisim.drivers.explored.counterexample.token import Token, command, encode
from hgeisim.drivers.explored.explored_scenario import token_of
from hgeisim.drivers.explored.races.data_race import Race
from hgeisim.drivers.explored.strategies.verdict import Counterexample, switches
from hgeisim.report.findings import explanation, named, standing
from hgeisim.report.layout import count, indented
from hgeisim.scenario.schema import Scenario


def finding_facts(name: str, scenario: Scenario, c: Counterexample, new: bool) -> dict[str, Any]:
    """A finding with its schedule, as plain data."""
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


def race_facts(race: Race) -> dict[str, Any]:
    """A data race as plain data."""
    sides = [
        {
            "context": context,
            "hart": hart,
            "does": f"{'marked ' if access.marked else ''}{'write' if access.written else 'read'}",
            "locks": access.locks,
            "functions": list(access.functions),
        }
        for context, hart, access in race.sides
    ]
    return {"cell": race.cell, "before": race.before, "after": race.after, "sides": sides}


def finding_blocks(findings: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of each finding, with empty lines around them."""
    for finding in findings:
        yield ""
        yield from _finding_lines(finding)
    if findings:
        yield ""


def _finding_lines(finding: dict[str, Any]) -> Iterator[str]:
    alone = ", together with other schedules" if finding.get("alone") is False else ""
    shape = f"{count(finding['steps'], 'step')}, {count(finding['switches'], 'switch')}"
    yield from indented(f"{named(finding)}: {shape}{alone}{standing(finding)}", 0, 4)
    yield from explanation(finding)
    if race := finding.get("race"):
        yield from race_lines(race)
    if hang := finding.get("hang"):
        shown = f" by {hang['id']}" if "id" in hang else ""
        yield from indented(f"its hang: {hang['grade']}{shown}", 2)
    if finding["also_shows"]:
        yield from indented("on the way: " + ", ".join(finding["also_shows"]), 2)
    yield f"  {finding['replay']}"


def race_lines(race: dict[str, Any]) -> Iterator[str]:
    """Both sides of a data race, each with its stack, innermost function first."""
    for side in race["sides"]:
        where = f"{side['does']} by {side['context']} on HART {side['hart']}"
        yield from indented(f"{where}: {' < '.join(side['functions'])}", 2, 4)
