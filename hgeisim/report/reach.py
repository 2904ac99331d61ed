"""The parts of a kernel that a search has not reached, which limit what "no finding" means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hgeisim.checks.catalogue import SAID_BY_OWN_PATCHES, not_checked, severity_of
from hgeisim.checks.subjects import SUBJECTS, without_subject
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.model.system import EXPLORED
from hgeisim.drivers.explored.reach import Reach
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, SAMPLED
from hgeisim.drivers.vacuity import vacuous
from hgeisim.report.layout import count, indented
from hgeisim.report.run_tables import by_sgei


def add_reach(result: dict[str, Any], reach: Reach, base: Base | None) -> None:
    """Add the reach to the document of a search, and whether its verdict is vacuous.

    The verdict of a search that was cut short, or that began in the middle, is never vacuous: the
    rest may reach what this part has not.
    """
    a_part = result["coverage"] == BOUNDED or result["after"]
    why = "" if a_part else _why_vacuous(reach, base, result["coverage"])
    never_taken = reach.never_taken()
    sent, through_sgei = reach.msis()
    missed = sum(map(len, never_taken.values()))
    result["reach"] = {
        "vacuous": why,
        "so_far": result["coverage"] != "exhausted" or bool(result["stopped"]),
        "guest_entered": reach.a_guest_was_entered,
        "line_handed_out": reach.a_line_was_handed_out,
        "functions": len(reach.by_function),
        "never_entered": reach.never_entered,
        "first_missed": reach.first_missed(),
        "steps": reach.steps,
        "steps_taken": reach.steps - missed,
        "never_taken": {name: [s._asdict() for s in each] for name, each in never_taken.items()},
        "nothing_to_look_at": _idle(reach),
        "msis": {"sent": sent, "sgei": through_sgei},
    }
    if why:
        result["verdict"] = "vacuous"


def _why_vacuous(reach: Reach, base: Base | None, coverage: str) -> str:
    """The reason why a verdict is vacuous, else "".

    A sample is not vacuous for lack of a guest: another schedule may enter one.
    """
    guest = reach.a_guest_was_entered or coverage == SAMPLED
    line = reach.a_line_was_handed_out
    there = base.hands_out_a_line if base is not None and not line else None
    return vacuous(reach.scenario, guest, line, there)


def _idle(reach: Reach) -> list[str]:
    """The kinds of findings whose checks had nothing to look at, the worst first."""
    own = () if reach.space.system.own_patch else SAID_BY_OWN_PATCHES
    left_out = {*not_checked(EXPLORED), *own}
    kinds = (kind for kind in SUBJECTS if kind not in left_out)
    return sorted(without_subject(reach, kinds), key=severity_of)


def reach_lines(reach: dict[str, Any]) -> Iterator[str]:
    """The reach in at most four lines; the document has the rest."""
    entered = reach["functions"] - len(reach["never_entered"])
    words = "reached so far" if reach["so_far"] else "reached"
    words += f": {entered} of {count(reach['functions'], 'function')}"
    words += f", {reach['steps_taken']} of {count(reach['steps'], 'step')}"
    yield from indented("; ".join((words, *by_sgei(reach["msis"]))), 0)
    yield from _list("never entered", reach["first_missed"], 2)
    yield from _list("nothing to look at", reach["nothing_to_look_at"], 1)


def _list(title: str, names: Sequence[str], lines: int) -> Iterator[str]:
    """As many of the names as there is room for; nothing if there is room for none."""
    for shown in range(len(names), 0, -1):
        more = f", and {len(names) - shown} more" if shown < len(names) else ""
        listed = indented(f"{title}: {', '.join(names[:shown])}{more}", 0)
        if len(listed) <= lines:
            yield from listed
            return
