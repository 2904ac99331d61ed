"""One finding of several, and the mail about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any

from hgeisim.library.arguments import wrong

if TYPE_CHECKING:
    from hgeisim.drivers.explored.counterexample.token import Token
    from hgeisim.drivers.explored.model.space import Space
    from hgeisim.scenario.schema import Scenario


def chosen(findings: Iterable[dict[str, Any]], wanted: str | None) -> dict[str, Any]:
    """The finding that a mail is about: the one that is asked for, else the worst new one, else the
    worst.  InputError: the finding is not among them."""
    from hgeisim.machine.kernel_name import present_id  # noqa: PLC0415

    known = list(findings)
    if wanted is None and known:
        return next((each for each in known if each["new"]), known[0])
    wished = (wanted, present_id(wanted or ""))
    for each in known:
        if each["id"] in wished:
            return each
    shown = ", ".join(each["id"] for each in known) or "nothing"
    raise wrong(("mail", "finding"), wanted or "", f"does not show; here: {shown}")


def beginning(document: Mapping[str, Any]) -> list[str]:
    """The lines before the finding: that the verdict is vacuous, if it is."""
    from hgeisim.report.mail_head import vacuous_head  # noqa: PLC0415

    why = document["reach"]["vacuous"]
    return list(vacuous_head(why)) if why else []


def room(*, full: bool, before: Sized = ()) -> int | None:
    """The number of lines that a mail has behind those before it; None for as many as it needs."""
    from hgeisim.report.mail import LINES  # noqa: PLC0415

    return None if full else LINES - len(before)


def schedule_mail(
    space: Space, scenario: Scenario, token: Token, finding: dict[str, Any], lines: int | None
) -> list[str]:
    """The mail about a finding of a schedule, as a document has it."""
    from hgeisim.drivers.explored.counterexample.evidence import evidence  # noqa: PLC0415
    from hgeisim.drivers.explored.counterexample.replay import NotShown  # noqa: PLC0415
    from hgeisim.report.kernel_names import distance  # noqa: PLC0415
    from hgeisim.report.mail import About, mail, race_mail  # noqa: PLC0415

    if "race" in finding:
        return [*race_mail(scenario, token, finding)]
    try:
        shown = evidence(space, token.schedule, finding["id"], distance)
    except NotShown:
        allowed = "shows only together with other schedules: no schedule alone is evidence for it"
        raise wrong(("mail", "mail"), finding["id"], allowed) from None
    return mail(space, shown, About(scenario, token, finding.get("standing") or ""), lines)
