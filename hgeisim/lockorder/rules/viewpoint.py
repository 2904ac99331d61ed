"""The viewpoint of a rule: one context at one place, with everything learned before.

`link` turns a dependency into a line of a report.  `Sizes` counts what was learned in the terms of
/proc/lockdep_stats; nothing has a limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hgeisim.lockorder.graph.dependency_graph import KIND_NAMES, Arc, Graph, Hold
from hgeisim.lockorder.graph.lock_class import KINDS, Classes, Flavour, How, Lock, LockClass
from hgeisim.lockorder.graph.usage import Bit, Mark, Usage
from hgeisim.lockorder.report.violation import Link, LockView, Report, Reports
from hgeisim.lockorder.rules.context import Context, Steps
from hgeisim.lockorder.rules.wait_context import Config


@dataclass(frozen=True)
class Knowledge:
    """Everything that the contexts of a validator have shown so far."""

    config: Config
    classes: Classes = field(default_factory=Classes)
    steps: Steps = field(default_factory=Steps)
    graph: Graph = field(default_factory=Graph)
    usage: Usage = field(default_factory=Usage)
    reports: Reports = field(default_factory=Reports)
    ipi: Lock = field(default_factory=lambda: Lock("@ipi", KINDS["ipi"]))


@dataclass(frozen=True)
class View:
    """One context in one function; `stack` is the call chain in which its operation began."""

    known: Knowledge
    context: Context
    stack: tuple[str, ...]

    @property
    def function(self) -> str:
        """The innermost kernel function, for ids: it stays when lines move."""
        return self.stack[-1] if self.stack else ""

    @property
    def place(self) -> str:
        """The function that an id names when no lock but the context itself is to blame."""
        return f"in {self.context.place or self.function}"

    def report(self, kind: str, about: tuple[str, ...], **more: Any) -> None:
        """Make a report; `more` is further fields of Report."""
        held = tuple(self.hold_view(held.hold) for held in self.context.held)
        report = Report(kind, about, self.context.name, self.stack, held=held, **more)
        self.known.reports.add(report)

    def mark(self, cls: LockClass, bit: Bit) -> Mark:
        """A usage bit that a class gets here."""
        return Mark(cls.name, bit, self.context.name, self.stack)

    def hold_view(self, hold: Hold) -> LockView:
        """A lock that some context holds, as reports show it."""
        return self._lock_view(hold.lock, hold.cls, hold.flavour.letter, hold.stack)

    def wanted_view(self, lock: Lock, cls: LockClass, how: How) -> LockView:
        """A lock that is wanted here."""
        return self._lock_view(lock, cls, "-" if how.drain else how.flavour.letter, self.stack)

    def class_view(self, cls: LockClass, lock: Lock | None = None) -> LockView:
        """A class, or an instance that nobody holds or wants."""
        return self._lock_view(lock, cls, "-", ())

    def _lock_view(
        self, lock: Lock | None, cls: LockClass, mode: str, stack: tuple[str, ...]
    ) -> LockView:
        usage = "{" + self.known.usage.symbols(cls) + "}"
        return LockView(
            lock.name if lock else cls.name, cls.name, mode, usage, cls.kind.levels, stack
        )


def link(arc: Arc) -> Link:
    """A dependency as reports show it."""
    witness, owner = arc.witness, arc.witness.owner
    ends = (arc.edge.source.name, arc.edge.target.name)
    inside = witness.holds[witness.holds.index(owner) + 1 :] if owner in witness.holds else ()
    return Link(
        *ends,
        KIND_NAMES[arc.kind],
        _verb(arc),
        witness.context or "a handler",
        owner.stack if owner else (),
        witness.stack,
        owed=owner is None,
        through=tuple(dict.fromkeys(h.cls.name for h in inside if h.cls.name not in ends)),
    )


def _verb(arc: Arc) -> str:
    """The operation that waited for the target of a dependency."""
    if arc.edge.target.kind.name in ("event", "ipi"):
        return "wait"
    if arc.witness.drain:
        return "sync"
    return "lock" if arc.witness.flavour == Flavour.EXCLUSIVE else "rlock"


@dataclass(frozen=True)
class Sizes:
    """Counts: classes, dependencies, chains of all contexts, and the longest of these."""

    classes: int
    dependencies: int
    chains: int
    longest_chain: int


def sizes_of(known: Knowledge, contexts: Iterable[Context]) -> Sizes:
    """The counts of a validator's knowledge and of its contexts."""
    edges = [edge for edge in known.graph.edges() if not edge.quiet]
    depths: list[int] = []
    for context in contexts:
        left = [(context.root, 0)]
        while left:
            chain, depth = left.pop()
            longer = [(each, depth + 1) for each in (*chain.after.values(), *chain.again.values())]
            depths += [depth + 1] * len(longer)
            left += longer
    return Sizes(len(known.classes), len(edges), len(depths), max(depths, default=0))
