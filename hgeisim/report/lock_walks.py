"""What an exploration says about lock order, beside what its search found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hgeisim.drivers.explored.strategies.lock_walks import LockWalks
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, SAMPLED, Counterexample, ended
from hgeisim.lockorder.circle import circle_of
from hgeisim.report.exploration import finding_of
from hgeisim.scenario.schema import Scenario

CONFIRMED, NO_SCHEDULE, NOT_TRIED = "confirmed", "no schedule in scope", "not tried"
"""Whether the search has shown the hang that a circle of locks predicts."""


def add_lock_order(
    result: dict[str, Any],
    scenario: Scenario,
    walks: LockWalks,
    new: Collection[str],
) -> None:
    """Add the findings and the coverage to the document of an exploration.

    `alone` tells whether the schedule of a finding shows it without the others, where that was
    tried; `cut` what ended the sample early.  Its verdict is never more than `sampled`.
    """
    sizes = walks.order.validator.sizes
    result["lock_order"] = {
        "coverage": SAMPLED,
        "schedules": walks.schedules,
        "cut": f", where it {ended(walks.stopped)}" if walks.stopped else "",
        "classes": sizes.classes,
        "dependencies": sizes.dependencies,
    }
    hangs = [*result["findings"]]
    for finding_id, (finding, schedule) in walks.findings.items():
        shown = Counterexample(finding, schedule)
        made = finding_of(result["scenario"], scenario, shown, finding_id in new)
        made["alone"] = walks.alone.get(finding_id)
        made["hang"] = hang(finding_id, hangs, result["coverage"])
        result["findings"].append(made)


def hang(finding_id: str, hangs: list[dict[str, Any]], coverage: str) -> dict[str, str] | None:
    """Whether the search has shown the hang that a circle of locks predicts, and in which schedule;
    None for what is no circle."""
    circle = circle_of(finding_id)
    if circle is None:
        return None
    classes = {*circle.classes}
    for each in hangs:
        kind, _, about = each["id"].partition(":")
        if kind == "deadlock" and classes & {*about.split("+")}:
            return {"grade": CONFIRMED, "id": each["id"], "token": each["token"]}
    return {"grade": NO_SCHEDULE if coverage == EXHAUSTED else NOT_TRIED}
