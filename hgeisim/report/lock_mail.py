"""Lock order as evidence for a mail: a circle of locks as one, any other report as it hangs."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.kernel.variants import find_variant
from hgeisim.lockorder.drawing import drawing
from hgeisim.lockorder.hints import hints
from hgeisim.lockorder.report import LockView, Report
from hgeisim.report.circle import circle, holder, readers_meet
from hgeisim.report.kernel_names import Functions
from hgeisim.report.layout import in_columns
from hgeisim.report.lock_check import Check
from hgeisim.report.mail_head import consequence, finding_head, labelled
from hgeisim.scenario.schema import Kernel
from hgeisim.watch.lock_report import finding_of


def lock_lines(finding: Finding, report: Report, functions: Functions) -> Iterator[str]:
    """All of it, but for what ran and how to run it again."""
    lines = list(lock_drawing(report, functions))
    if report.kind != "circular":
        yield from _place(report, functions)
    yield from lines
    yield from [""] if lines else []
    if report.kind == "circular":
        yield from _when(report, functions)
    yield from consequence(finding.id, ways_out(report))


def lock_drawing(report: Report, functions: Functions) -> Iterator[str]:
    """A circle as one, anything else by CPUs, if it can be drawn."""
    if report.kind == "circular":
        yield from circle(report, functions)
    else:
        for line in drawing(report):
            lead = "  " + line[: len(line) - len(line.lstrip())]
            yield from in_columns(line.strip(), lead, lead + "  ")


def ways_out(report: Report) -> str:
    """What would make a report go away, as a sentence; empty where nothing is known."""
    told = ", ".join(hints(report))
    return told and f"{told[0].upper()}{told[1:]}."


def _when(report: Report, functions: Functions) -> Iterator[str]:
    """When all of them have to be where, and which acquisition decides."""
    where = (
        f"{holder(report, number)} inside {functions.named(link.since)}"
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
    if report.holding:
        yield from labelled("Has", _held(report.holding, functions))
    if report.wanted:
        yield from labelled("Wants", _held(report.wanted, functions))
    for note in (*report.notes, *report.gates):
        yield from labelled("", note)
    yield ""


def _held(view: LockView, functions: Functions) -> str:
    where = f" in {functions.named(view.stack)}" if view.stack else ""
    how = {"R": " for reading", "r": " for reading"}.get(view.mode, "")
    return f"{view.cls}{how}{where}"


def survey_mail(check: Check, finding_id: str, report: Report) -> Iterator[str]:
    """The mail about a finding of many runs, but for the command."""
    variant = check.after.kernel
    yield from finding_head(finding_of(report), Kernel(variant=variant), finding_id in check.known)
    yield from labelled("Seen", check.coverage)
    yield ""
    yield from lock_lines(finding_of(report), report, Functions(find_variant(variant)))
    yield ""
