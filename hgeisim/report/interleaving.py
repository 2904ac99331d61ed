"""A schedule as text that fits into a mail: who did what, in which order, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from textwrap import wrap

from hgeisim.drivers.explored.replay import StepTaken

WIDTH = 78
HIDDEN = (
    ".irq_off", ".preempt_count", ".current", ".hardirq", ".ticket", ".ipi_to",
    ".lock.next", ".lock.owner", ".lock.inside", ".read_hgei", ".read_mrif",
)  # fmt: skip
"""Cells of the machine that follow from the operations and are shown only on demand."""


def interleaving(steps: Iterable[StepTaken], everything: bool = False) -> list[str]:
    """Lay out a schedule, one entry for each run of steps in one function of one context.

    With `everything` each step has its own entry and no cell is hidden.
    """
    numbered = enumerate(steps, 1)
    lines = [f"{'step':>4}  {'context':<14} {'HART':>4}  kernel function"]
    shown: set[str] = set()
    last = ""
    for _, group in groupby(numbered, key=lambda n: _entry_of(n[1], n[0], everything)):
        run = list(group)
        if everything or _worth_telling(run):
            lines += _entry(run, everything, last, shown)
            last = run[0][1].context
    return lines


def _entry_of(step: StepTaken, number: int, everything: bool) -> tuple[object, ...]:
    return (number,) if everything else (step.context, step.function)


def _worth_telling(run: list[tuple[int, StepTaken]]) -> bool:
    return any(step.op != "step" or step.changes or step.findings for _, step in run)


def _entry(
    run: list[tuple[int, StepTaken]], everything: bool, last: str, shown: set[str]
) -> Iterator[str]:
    number, first = run[0]
    if last and first.context != last:
        yield ""
    yield f"{number:>4}  {first.context:<14} {first.cpu:>4}  {first.function or '(starts)'}"
    for _, step in run:
        yield from _step(step, everything)
        for finding in step.findings:
            if finding.id not in shown:
                shown.add(finding.id)
                yield from _indent(f"*** {finding.id}: {finding.text}", 6)


def _step(step: StepTaken, everything: bool) -> Iterator[str]:
    changes = [
        f"{name} {_value(name, before)} -> {_value(name, after)}"
        for name, before, after in step.changes
        if everything or not name.endswith(HIDDEN)
    ]
    parts = ([] if step.op == "step" and not everything else [step.op]) + changes
    if parts:
        yield from _indent("; ".join(parts), 28)


def _indent(text: str, by: int) -> list[str]:
    indent = " " * by
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")


def _value(name: str, value: int) -> str:
    """Bitmaps in binary, as one reads lines off them."""
    bits = ("free_bitmap", "hgeie", "hgeip")
    return f"0b{value:b}" if name.endswith(bits) else str(value)
