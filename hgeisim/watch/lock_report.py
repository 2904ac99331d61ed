"""A report of the lock-order validator as a finding: an id that stays, and a line of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from hgeisim.checks.finding import Cause, Finding, entry_function
from hgeisim.lockorder.report.violation import Grade, LockView, Report

SCHEDULER = frozenset(("schedule", "preempt_schedule", "context_switch"))


class Cycle(NamedTuple):
    """The classes, the length and the grade of a cycle: how much a report of it says."""

    classes: frozenset[str]
    length: int
    grade: int

    @classmethod
    def of(cls, report: Report) -> Cycle:
        """The cycle of a report."""
        classes = frozenset(link.source for link in report.chain)
        return cls(classes, len(report.chain), list(Grade).index(report.grade))

    def repeats(self, other: Cycle) -> bool:
        """Whether the other cycle says as much with less.

        A lock gets a dependency from every lock that is held, so a cycle of two classes shows again
        with each class that some context holds in between, and with more instances of the two.
        """
        shorter = other.length, other.grade
        return other.classes <= self.classes and shorter < (self.length, self.grade)


def redundant(reports: Iterable[Report]) -> list[str]:
    """The ids of cycles that say less than another one of the reports, see `Cycle`."""
    cycles = {finding_of(r).id: Cycle.of(r) for r in reports if r.kind == "circular"}
    return [i for i, each in cycles.items() if any(map(each.repeats, cycles.values()))]


def finding_of(report: Report) -> Finding:
    """The finding of a report; a cycle that cannot hang as it was seen has a kind of its own."""
    kind, about = f"{report.kind}{report.grade.suffix}", " ".join(report.about)
    return Finding(kind, about, text_of(report), Cause(parties=_parties(report)))


def _parties(report: Report) -> frozenset[str]:
    """The innermost functions of AIA in all call chains of a report: those that take the locks."""
    stacks = [report.stack, *(mark.stack for mark in report.marks)]
    stacks += [report.holding.stack] if report.holding else []
    stacks += [stack for link in report.chain for stack in (link.since, link.stack)]
    return frozenset(entry_function(_unscheduled(stack)) for stack in stacks) - {""}


def _unscheduled(stack: tuple[str, ...]) -> Iterator[str]:
    """A call chain, innermost first, up to the scheduler, which may take over in any function."""
    return takewhile(lambda name: name not in SCHEDULER, reversed(stack))


def text_of(report: Report) -> str:
    """The line of text: the context, what it did, and the lock it held; the report has more."""
    parts = [f"{report.who}{_place(' in ', report.stack)}"]
    if report.wanted:
        parts.append(f"wants {_lock(report.wanted)}" if report.holding else _lock(report.wanted))
    if report.holding:
        since = _place(" since ", report.holding.stack)
        parts.append(f"while it has {_lock(report.holding)}{since}")
    parts += [*report.notes, *(f"gate: {gate}" for gate in report.gates), report.id]
    return "; ".join((" ".join(parts[:3]), *parts[3:])) if report.holding else "; ".join(parts)


def _lock(view: LockView) -> str:
    return f"{view.name} ({view.mode})" if view.mode != "-" else view.name


def _place(word: str, stack: tuple[str, ...]) -> str:
    return f"{word}{stack[-1]}" if stack else ""
