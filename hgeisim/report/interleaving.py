"""A schedule as text of 80 columns: the steps in their order, grouped by context and function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.replay import Change, StepTaken
from hgeisim.report.kernel_names import in_c, value_text
from hgeisim.report.layout import indented

HIDDEN = (
    ".irq_off", ".preempt_count", ".current", ".hardirq", ".call_queue",
    ".ticket", ".phase", ".srcu", ".ipi_mask", ".ipi_wait", ".data.hgei", ".data.vcpu",
    "lock.next", "lock.owner", "lock.inside", "lock.drawn", "mutex.owner",
    "lock.readers", "lock.readers_inside", "lock.writer", "lock.writers_inside", "lock.waiting",
    ".vsiselect", ".data.isel", ".data.value", ".stack",
)  # fmt: skip
"""Ends of the names of cells that follow from the operations and are shown only on demand."""


class Entry(NamedTuple):
    """The part of a step that belongs to one function, as text."""

    number: int
    context: str
    cpu: int
    function: str
    text: str
    findings: tuple[Finding, ...] = ()


def interleaving(
    steps: Iterable[StepTaken], vcpus: Mapping[int, str], everything: bool = False
) -> list[str]:
    """Lay out a schedule, one paragraph for each run of steps in one function of one context.

    `vcpus` has the names of the vCPUs.  With `everything` each step is shown and no cell is hidden.
    """
    lines = [f"{'step':>4}  {'context':<14} {'HART':>4}  kernel function"]
    shown: set[str] = set()
    last = ""
    entries = (
        entry._replace(findings=_unseen(entry.findings, shown))
        for number, step in enumerate(steps, 1)
        for entry in _entries(number, step, vcpus, everything)
    )
    visible = (entry for entry in entries if entry.text or entry.findings)
    # With everything shown, each step is a paragraph of its own.
    for _, group in groupby(
        visible, key=lambda e: (e.context, e.function, everything and e.number)
    ):
        run = list(group)
        if last and run[0].context != last:
            lines.append("")
        lines += _paragraph(run)
        last = run[0].context
    return lines


def _entries(
    number: int, step: StepTaken, vcpus: Mapping[int, str], everything: bool
) -> Iterator[Entry]:
    """The operation of a step, then the writes of each function that went on after it."""
    visible = [c for c in step.changes if everything or not c.cell.endswith(HIDDEN)]
    op = "" if step.op == "step" and not everything else in_c(step.op)
    own = [c for c in visible if c.function in ("", step.function)]
    parts = [op] * bool(op) + [_change(c, vcpus) for c in own]
    functions = dict.fromkeys(c.function for c in visible if c not in own)
    place = number, step.context, step.cpu
    if parts and step.source:
        parts[-1] += f" [{step.source}]"
    entries = [Entry(*place, step.function or "(starts)", "; ".join(parts))] if parts else []
    for function in functions:
        made = (c for c in visible if c not in own and c.function == function)
        entries.append(Entry(*place, function, "; ".join(_change(c, vcpus) for c in made)))
    if not entries:
        entries = [Entry(*place, step.function or "(starts)", "")]
    yield from entries[:-1]
    yield entries[-1]._replace(findings=step.findings)


def _unseen(findings: tuple[Finding, ...], shown: set[str]) -> tuple[Finding, ...]:
    """The findings that were not shown before; a state stays wrong for many steps."""
    new = tuple(finding for finding in findings if finding.id not in shown)
    shown.update(finding.id for finding in new)
    return new


def _paragraph(run: list[Entry]) -> Iterator[str]:
    first = run[0]
    yield f"{first.number:>4}  {first.context:<14} {first.cpu:>4}  {first.function}"
    for entry in run:
        if entry.text:
            yield from indented(entry.text, 28)
        for finding in entry.findings:
            yield from indented(f"*** {finding.id}: {in_c(finding.text)}", 6)


def _change(change: Change, vcpus: Mapping[int, str]) -> str:
    before, after = (
        value_text(change.cell, value, vcpus) for value in (change.before, change.after)
    )
    return f"{in_c(change.cell)}: {before} -> {after}"
