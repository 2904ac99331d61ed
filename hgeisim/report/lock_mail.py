"""Lock-order findings in a mail: a cycle of locks drawn as a cycle, any other report by CPUs.

The arrows of a cycle lead from the lock that a context holds to the one that it wants, and back to
the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.terminal_states import Stuck
from hgeisim.kernel.variants import find_variant
from hgeisim.lockorder.report.cpu_columns import cpu_columns
from hgeisim.lockorder.report.text import hints
from hgeisim.lockorder.report.violation import Link, LockView, Report
from hgeisim.report.kernel_names import Functions, in_c
from hgeisim.report.layout import in_columns
from hgeisim.report.lock_order import Check
from hgeisim.report.mail_head import consequence, finding_head, labelled
from hgeisim.scenario.schema import Kernel
from hgeisim.watch.lock_report import finding_of

LEFT = "  |    "


def drawn_cycle(report: Report, functions: Functions) -> Iterator[str]:
    """The drawing of a cycle of locks, in the columns of a mail."""
    links, meet = report.chain, readers_meet(report.chain)
    yield from drawn(
        (
            _shown(link.source),
            _held_by(waiting(report, number), link, functions),
            _wanted(link, functions)
            + (", behind a writer that waits for it" if link.target in meet else ""),
        )
        for number, link in enumerate(links)
    )


def standstill(stuck: Sequence[Stuck], functions: Functions) -> Iterator[str]:
    """The drawing of contexts that wait for each other in a deadlock."""
    names = {each.slot: each.context for each in stuck}
    yield from drawn(
        (
            f"{each.context} on CPU{each.cpu}, in {functions.named(each.functions)}",
            _stuck_holding(each),
            f"waits for {_awaited(each)}, which {names[each.of]} "
            f"{'has to answer' if (each.wants or '').startswith('IPI') else 'keeps'}",
        )
        for each in stuck
    )


def _stuck_holding(each: Stuck) -> str:
    locks = f"holds {' and '.join(map(in_c, each.holds)) or 'no lock'},"
    return f"{locks} has interrupts off," if each.hardirq else locks


def _awaited(each: Stuck) -> str:
    return f"CPU{each.cpu}" if each.wants is None else in_c(each.wants.removeprefix("lock "))


def drawn(places: Iterable[Sequence[str]]) -> Iterator[str]:
    """Places with their lines below them, an arrow from each to the next and from the last to the
    first."""
    everywhere = list(places)
    for number, (head, *below) in enumerate(everywhere):
        yield from in_columns(head, "  +--> " if number == 0 else LEFT, f"{LEFT}  ")
        for words in below:
            yield from in_columns(words, f"{LEFT}  ")
        yield "  +---------+" if number == len(everywhere) - 1 else f"{LEFT}    v"


def waiting(report: Report, number: int) -> str:
    """The context that holds the lock of a link and wants the next one of the cycle."""
    return report.who.partition(" ")[0] if number == 0 else report.chain[number].who


def _held_by(who: str, link: Link, functions: Functions) -> str:
    if link.owed:
        return f"{who} has to give it,"
    how = "for reading " if link.kind.startswith("S") else ""
    return f"held {how}by {who}, since {functions.named(link.since)},"


def _wanted(link: Link, functions: Functions) -> str:
    wants = {"rlock": "wants to read", "lock": "wants"}.get(link.verb, "waits for")
    inside = f", after {' and '.join(link.through)}" if link.through else ""
    return f"which {wants} {_shown(link.target)} in {functions.named(link.stack)}{inside}"


def _shown(lock: str) -> str:
    """A lock by its class; the validator treats waiting for other CPUs as a lock, `@ipi`."""
    return "the answer to an IPI" if lock == "@ipi" else lock


def readers_meet(links: Sequence[Link]) -> list[str]:
    """The locks of a cycle that one reader holds and another reader wants."""
    behind = [links[-1], *links[:-1]]
    return [
        link.source
        for link, before in zip(links, behind, strict=True)
        if link.kind.startswith("S") and before.verb == "rlock"
    ]


def lock_lines(finding: Finding, report: Report, functions: Functions) -> Iterator[str]:
    """The body of the mail: the drawing, the window or the place, and the consequence."""
    lines = list(lock_drawing(report, functions))
    if report.kind != "circular":
        yield from _place(report, functions)
    yield from lines
    yield from [""] if lines else []
    if report.kind == "circular":
        yield from _when(report, functions)
    yield from consequence(finding.id, ways_out(report))


def lock_drawing(report: Report, functions: Functions) -> Iterator[str]:
    """A cycle as a cycle, any other report with a column for each CPU, if it can be drawn."""
    if report.kind == "circular":
        yield from drawn_cycle(report, functions)
    else:
        for line in cpu_columns(report):
            lead = "  " + line[: len(line) - len(line.lstrip())]
            yield from in_columns(line.strip(), lead, lead + "  ")


def ways_out(report: Report) -> str:
    """The changes that would remove a report, as a sentence; empty if none is known."""
    ways = ", ".join(hints(report))
    return ways and f"{ways[0].upper()}{ways[1:]}."


def _when(report: Report, functions: Functions) -> Iterator[str]:
    """The places where all contexts of a cycle must be at one time, and the acquisition that
    decides."""
    where = (
        f"{waiting(report, number)} inside {functions.named(link.since)}"
        for number, link in enumerate(report.chain)
    )
    yield from labelled("Window", f"{' and '.join(where)}, all at one time")
    between = readers_meet(report.chain)
    for lock in between:
        word = lock.rpartition(">")[2]
        writers = ", ".join(functions.naming(word, "write_lock_irqsave")) or "any"
        after = f"a writer of {lock} that queues after the first reader: {writers}"
        yield from labelled("Decides", f"{after}. Without one, two readers do not wait.")
    if not between:
        last = "the last of them that takes its first lock: from then on each waits for the next"
        yield from labelled("Decides", last)


def _place(report: Report, functions: Functions) -> Iterator[str]:
    for label, view in (("Has", report.holding), ("Wants", report.wanted)):
        yield from labelled(label, _held(view, functions)) if view else ()
    for note in (*report.notes, *report.gates):
        yield from labelled("", note)
    yield ""


def _held(view: LockView, functions: Functions) -> str:
    where = f" in {functions.named(view.stack)}" if view.stack else ""
    how = {"R": " for reading", "r": " for reading"}.get(view.mode, "")
    return f"{view.cls}{how}{where}"


def survey_mail(check: Check, finding_id: str, report: Report) -> Iterator[str]:
    """The mail about a finding of `locks check`, without the command."""
    variant = check.after.kernel
    yield from finding_head(finding_of(report), Kernel(variant=variant), finding_id in check.known)
    yield from labelled("Seen", check.coverage)
    yield ""
    yield from lock_lines(finding_of(report), report, Functions(find_variant(variant)))
    yield ""
