"""The mail about a data race: both stacks, the value, and how to come there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.token import Token
from hgeisim.report.kernel_names import cell_name
from hgeisim.report.layout import in_columns
from hgeisim.report.mail import replay_lines
from hgeisim.report.mail_head import consequence, finding_head, labelled, machine
from hgeisim.scenario.schema import Scenario


def race_mail(scenario: Scenario, token: Token, finding: dict[str, Any]) -> Iterator[str]:
    """All lines; `finding` as a document has it."""
    kind, _, about = finding["id"].partition(":")
    race, standing = finding["race"], finding.get("standing") or ""
    told = Finding(kind, about, finding["text"])
    yield from finding_head(told, scenario.kernel, standing=standing)
    yield from machine(scenario)
    for side in race["sides"]:
        yield ""
        locks = " and ".join(side["locks"]) or "no lock"
        yield from in_columns(
            f"{side['does']} of {cell_name(race['cell'])} by {side['context']} on "
            f"CPU{side['hart']}, with {locks}:"
        )
        yield from (f"  {name}" for name in side["functions"])
    yield ""
    same = "the same" if race["before"] == race["after"] else f"{race['before']} -> {race['after']}"
    yield from labelled("Value", same)
    yield from consequence(finding["id"])
    yield from replay_lines(token, "--races")
