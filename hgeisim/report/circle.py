"""A circle of locks, drawn as one: from what somebody holds to what it wants, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgeisim.lockorder.report import Link, Report
from hgeisim.report.kernel_names import Functions
from hgeisim.report.layout import in_columns

LEFT = "  |    "


def circle(report: Report, functions: Functions) -> Iterator[str]:
    """The lines of the drawing, in the columns of a mail."""
    links, meet = report.chain, readers_meet(report.chain)
    for number, link in enumerate(links):
        who = holder(report, number)
        yield f"{'  +--> ' if number == 0 else LEFT}{link.source}"
        yield from in_columns(_holder(who, link, functions), f"{LEFT}  ")
        behind = ", behind a writer that waits for it" if link.target in meet else ""
        yield from in_columns(_wanting(link, functions) + behind, f"{LEFT}  ")
        yield "  +---------+" if number == len(links) - 1 else f"{LEFT}    v"


def holder(report: Report, number: int) -> str:
    """The context that has a lock of the circle and wants the next one."""
    return report.who.partition(" ")[0] if number == 0 else report.chain[number].who


def _holder(who: str, link: Link, functions: Functions) -> str:
    if link.owed:
        return f"{who} has to answer it"
    how = "for reading " if link.kind.startswith("S") else ""
    return f"held {how}by {who}, since {functions.named(link.since)},"


def _wanting(link: Link, functions: Functions) -> str:
    inside = f", after {' and '.join(link.through)}" if link.through else ""
    return f"which {_wants(link)} {link.target} in {functions.named(link.stack)}{inside}"


def _wants(link: Link) -> str:
    return {"rlock": "wants to read", "lock": "wants"}.get(link.verb, "waits for")


def readers_meet(links: Sequence[Link]) -> list[str]:
    """The locks of a circle that are held by a reader and wanted by another one."""
    behind = [links[-1], *links[:-1]]
    return [
        link.source
        for link, before in zip(links, behind, strict=True)
        if link.kind.startswith("S") and before.verb == "rlock"
    ]
