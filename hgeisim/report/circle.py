"""A circle of locks, drawn as one: from what somebody holds to what it wants, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hgeisim.drivers.explored.counterexample.standstill import Stuck
from hgeisim.lockorder.report import Link, Report
from hgeisim.report.kernel_names import Functions, op_text
from hgeisim.report.layout import in_columns

LEFT = "  |    "


def circle(report: Report, functions: Functions) -> Iterator[str]:
    """The lines of the drawing, in the columns of a mail."""
    links, meet = report.chain, readers_meet(report.chain)
    yield from drawn(
        (
            _shown(link.source),
            _holder(holder(report, number), link, functions),
            _wanting(link, functions)
            + (", behind a writer that waits for it" if link.target in meet else ""),
        )
        for number, link in enumerate(links)
    )


def standstill(stuck: Sequence[Stuck], functions: Functions) -> Iterator[str]:
    """The same for contexts that have come to stand."""
    names = {each.slot: each.context for each in stuck}
    yield from drawn(
        (
            f"{each.context} on CPU{each.cpu}, in {functions.named(each.functions)}",
            _held(each),
            f"waits for {_awaited(each)}, which {names[each.of]} "
            f"{'has to answer' if (each.wants or '').startswith('IPI') else 'keeps'}",
        )
        for each in stuck
    )


def _held(each: Stuck) -> str:
    locks = f"holds {' and '.join(map(op_text, each.holds)) or 'no lock'},"
    return f"{locks} has interrupts off," if each.hardirq else locks


def _awaited(each: Stuck) -> str:
    return f"CPU{each.cpu}" if each.wants is None else op_text(each.wants.removeprefix("lock "))


def drawn(places: Iterable[Sequence[str]]) -> Iterator[str]:
    """Places with what stands below each, an arrow from one to the next, and from the last to the
    first."""
    everywhere = list(places)
    for number, (head, *below) in enumerate(everywhere):
        yield from in_columns(head, "  +--> " if number == 0 else LEFT, f"{LEFT}  ")
        for words in below:
            yield from in_columns(words, f"{LEFT}  ")
        yield "  +---------+" if number == len(everywhere) - 1 else f"{LEFT}    v"


def holder(report: Report, number: int) -> str:
    """The context that has a lock of the circle and wants the next one."""
    return report.who.partition(" ")[0] if number == 0 else report.chain[number].who


def _holder(who: str, link: Link, functions: Functions) -> str:
    if link.owed:
        return f"{who} has to give it,"
    how = "for reading " if link.kind.startswith("S") else ""
    return f"held {how}by {who}, since {functions.named(link.since)},"


def _wanting(link: Link, functions: Functions) -> str:
    inside = f", after {' and '.join(link.through)}" if link.through else ""
    return f"which {_wants(link)} {_shown(link.target)} in {functions.named(link.stack)}{inside}"


def _shown(lock: str) -> str:
    """A lock by its class; waiting for other CPUs is like one."""
    return "the answer to an IPI" if lock == "@ipi" else lock


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
