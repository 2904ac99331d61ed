"""Two baselines side by side: what one has that the other lacks, and what is no longer the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hgeisim.lockorder.baseline import Baseline, ClassFacts, EdgeFacts, more_usage


@dataclass(frozen=True)
class Difference:
    """One fact: `sign` is + (new), - (gone) or ~ (changed); `what` is class, edge or finding.

    `grows` tells whether it could be a regression: something that was not there before.
    """

    sign: str
    what: str
    name: str
    detail: str = ""
    grows: bool = False

    def __str__(self) -> str:
        return f"{self.sign} {self.what} {self.name}" + (f"  {self.detail}" if self.detail else "")


def compare(before: Baseline, after: Baseline) -> list[Difference]:
    """Every difference: classes, then edges, then accepted findings, each sorted."""
    return [*_classes(before, after), *_edges(before, after), *_accepted(before, after)]


def _classes(before: Baseline, after: Baseline) -> Iterator[Difference]:
    for name in sorted({**before.classes, **after.classes}):
        old, new = before.classes.get(name), after.classes.get(name)
        if old is None and new is not None:
            yield Difference("+", "class", name, class_detail(new), grows=True)
        elif new is None and old is not None:
            yield Difference("-", "class", name, class_detail(old))
        elif old is not None and new is not None:
            yield from _changed_class(name, old, new)


def _changed_class(name: str, old: ClassFacts, new: ClassFacts) -> Iterator[Difference]:
    if old.kind != new.kind:
        yield Difference("~", "type", name, f"{old.kind} -> {new.kind}", grows=True)
    if old.wait != new.wait:
        yield Difference("~", "wait", name, f"{old.wait} -> {new.wait}", grows=True)
    if old.usage != new.usage:
        grows = more_usage(old.usage, new.usage)
        yield Difference("~", "usage", name, f"{{{old.usage}}} -> {{{new.usage}}}", grows)


def _edges(before: Baseline, after: Baseline) -> Iterator[Difference]:
    for pair in sorted({**before.edges, **after.edges}):
        old, new = before.edges.get(pair), after.edges.get(pair)
        name = " < ".join(pair)
        if old is None and new is not None:
            yield Difference("+", "edge", name, edge_detail(new), grows=True)
        elif new is None and old is not None:
            yield Difference("-", "edge", name, edge_detail(old))
        elif old is not None and new is not None and old.kinds != new.kinds:
            detail = f"{_kinds(old)} -> {_kinds(new)}"
            yield Difference("~", "edge", name, detail, grows=bool(new.kinds - old.kinds))


def _accepted(before: Baseline, after: Baseline) -> Iterator[Difference]:
    for finding in sorted({**before.accepted, **after.accepted}):
        if finding not in before.accepted:
            yield Difference("+", "finding", finding, after.accepted[finding], grows=True)
        elif finding not in after.accepted:
            yield Difference("-", "finding", finding, before.accepted[finding])


def class_detail(facts: ClassFacts) -> str:
    """A class in a few words."""
    return f"{facts.kind} {facts.wait} {{{facts.usage}}}"


def edge_detail(facts: EdgeFacts) -> str:
    """A dependency in a few words."""
    return f"{_kinds(facts)} (first in {facts.site})"


def _kinds(facts: EdgeFacts) -> str:
    return ",".join(sorted(facts.kinds))
