"""A baseline: the known lock order of a kernel, as data.

It says nothing about instances and lines, so it stays the same while code moves.  `compare` puts
two baselines side by side: the facts that only one has, and those that differ.

`Cycle` is a cycle of lock classes as the id of a finding names it; `is_known_by` asks whether
another one makes it known.  Dependencies are noted from everything that is held, so a cycle also
shows by longer ways: with a class between two of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

from hgeisim.lockorder.graph.dependency_graph import KIND_NAMES, Pair
from hgeisim.lockorder.graph.usage import LINES
from hgeisim.lockorder.rules.viewpoint import Knowledge

F = TypeVar("F")


@dataclass(frozen=True)
class ClassFacts:
    """A class: its lock type, its wait levels (`need:inner`), and its usage bits as in
    /proc/lockdep."""

    kind: str
    wait: str
    usage: str


@dataclass(frozen=True)
class EdgeFacts:
    """A dependency: the kinds in which it was seen, and the function in which it first was."""

    kinds: frozenset[str]
    site: str


@dataclass
class Baseline:
    """The lock order of `kernel`, seen in `scenarios`; `accepted` maps findings to reasons."""

    kernel: str = ""
    scenarios: tuple[str, ...] = ()
    classes: dict[str, ClassFacts] = field(default_factory=dict)
    edges: dict[Pair, EdgeFacts] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)


def learned(
    known: Iterable[Knowledge], kernel: str, scenarios: Iterable[str], accepted: Mapping[str, str]
) -> Baseline:
    """The knowledge of validators as one baseline."""
    made = Baseline(kernel, tuple(sorted(scenarios)), accepted=dict(sorted(accepted.items())))
    classes, edges = dict[str, ClassFacts](), dict[Pair, EdgeFacts]()
    for each in known:
        for name, facts in class_facts(each).items():
            classes[name] = merged_class(classes[name], facts) if name in classes else facts
        for pair, edge in edge_facts(each).items():
            earlier = edges.get(pair, edge)
            edges[pair] = EdgeFacts(earlier.kinds | edge.kinds, earlier.site)
    made.classes, made.edges = dict(sorted(classes.items())), dict(sorted(edges.items()))
    return made


def class_facts(known: Knowledge) -> dict[str, ClassFacts]:
    """Every class that a validator has met."""
    return {
        cls.name: ClassFacts(cls.kind.name, cls.kind.levels, known.usage.symbols(cls))
        for cls in known.classes
        if cls.kind.name != "might_sleep"
    }


def edge_facts(known: Knowledge) -> dict[Pair, EdgeFacts]:
    """Every dependency that counts among classes."""
    made = {}
    for edge in known.graph.edges():
        if not edge.quiet:
            kinds = frozenset(KIND_NAMES[kind] for kind in edge.witnesses)
            first = next(iter(edge.witnesses.values()))[0]
            site = first.stack[-1] if first.stack else "?"
            made[edge.source.name, edge.target.name] = EdgeFacts(kinds, site)
    return made


def merged_class(earlier: ClassFacts, facts: ClassFacts) -> ClassFacts:
    """A class as two validators together have seen it."""
    both = zip(earlier.usage, facts.usage, strict=True)
    usage = "".join(SYMBOLS[_BITS[one] | _BITS[other]] for one, other in both)
    return ClassFacts(facts.kind, facts.wait, usage)


_BITS = {".": 0, "-": 1, "+": 2, "?": 3}
SYMBOLS = "".join(_BITS)
"""The symbols of usage: neither, used in a handler, held while the interrupt can come, both."""
USAGE_LENGTH = 2 * len(LINES)


def more_usage(before: str, after: str) -> bool:
    """Whether a bit is set after that was not set before."""
    return any(_BITS[b] & ~_BITS[a] for a, b in zip(before, after, strict=True))


@dataclass(frozen=True)
class Difference:
    """One fact: `sign` is + (new), - (gone) or ~ (changed); `what` is class, edge or finding.

    `grows`: it could be a regression, since it adds something that was not there before.
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
    return [
        *_compare("class", before.classes, after.classes, class_detail, _changed_class),
        *_compare("edge", _named(before), _named(after), edge_detail, _changed_edge),
        *_compare("finding", before.accepted, after.accepted, str, lambda *_: iter(())),
    ]


def _named(order: Baseline) -> dict[str, EdgeFacts]:
    """The dependencies of a baseline by name."""
    return {" < ".join(pair): facts for pair, facts in order.edges.items()}


def _compare(
    what: str,
    before: Mapping[str, F],
    after: Mapping[str, F],
    detail: Callable[[F], str],
    changed: Callable[[str, F, F], Iterator[Difference]],
) -> Iterator[Difference]:
    for name in sorted({**before, **after}):
        if name not in before:
            yield Difference("+", what, name, detail(after[name]), grows=True)
        elif name not in after:
            yield Difference("-", what, name, detail(before[name]))
        else:
            yield from changed(name, before[name], after[name])


def _changed_class(name: str, old: ClassFacts, new: ClassFacts) -> Iterator[Difference]:
    if old.kind != new.kind:
        yield Difference("~", "type", name, f"{old.kind} -> {new.kind}", grows=True)
    if old.wait != new.wait:
        yield Difference("~", "wait", name, f"{old.wait} -> {new.wait}", grows=True)
    if old.usage != new.usage:
        grows = more_usage(old.usage, new.usage)
        yield Difference("~", "usage", name, f"{{{old.usage}}} -> {{{new.usage}}}", grows)


def _changed_edge(name: str, old: EdgeFacts, new: EdgeFacts) -> Iterator[Difference]:
    if old.kinds != new.kinds:
        detail = f"{_kinds(old)} -> {_kinds(new)}"
        yield Difference("~", "edge", name, detail, grows=bool(new.kinds - old.kinds))


def class_detail(facts: ClassFacts) -> str:
    """A class in a few words."""
    return f"{facts.kind} {facts.wait} {{{facts.usage}}}"


def edge_detail(facts: EdgeFacts) -> str:
    """A dependency in a few words."""
    return f"{_kinds(facts)} (first in {facts.site})"


def _kinds(facts: EdgeFacts) -> str:
    return ",".join(sorted(facts.kinds))


_STEP = re.compile(r"(?P<cls>\S+) -(?P<kind>\w+)->")
_IS_CYCLE = re.compile(r"circular(-[a-z-]+)?:")
Edges: TypeAlias = Mapping[Pair, EdgeFacts]


class CycleEdge(NamedTuple):
    """A dependency of a kind, such as SN or EN."""

    source: str
    target: str
    kind: str

    def stands_in(self, edges: Edges) -> bool:
        """Whether a graph has it, of this kind."""
        facts = edges.get((self.source, self.target))
        return facts is not None and self.kind in facts.kinds


class Cycle(NamedTuple):
    """A cycle of lock classes: its dependencies, each beginning where the one before ends."""

    edges: tuple[CycleEdge, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Its classes in their order."""
        return tuple(edge.source for edge in self.edges)

    def goes_through(self, other: Cycle) -> bool:
        """Whether it meets the classes of another one in the same order, maybe more between."""
        common = [cls for cls in self.classes if cls in other.classes]
        rotations = (tuple(common[i:] + common[:i]) for i in range(len(common)))
        return other.classes in rotations

    def is_known_by(self, known: Iterable[Cycle], edges: Edges) -> bool:
        """Whether it goes through a known cycle, and every other dependency is one of a graph."""
        return any(
            self.goes_through(other)
            and all(edge in other.edges or edge.stands_in(edges) for edge in self.edges)
            for other in known
        )


def stands_whole(finding_id: str, edges: Edges) -> bool:
    """Whether a finding is about a cycle whose dependencies are all in a graph."""
    cycle = cycle_of(finding_id)
    return cycle is not None and all(edge.stands_in(edges) for edge in cycle.edges)


def cycle_of(finding_id: str) -> Cycle | None:
    """The cycle that a finding is about, whatever its grade; None when it is about something
    else."""
    found = _IS_CYCLE.match(finding_id)
    if not found:
        return None
    steps = [(each["cls"], each["kind"]) for each in _STEP.finditer(finding_id[found.end() :])]
    targets = [cls for cls, _ in steps[1:] + steps[:1]]
    made = (CycleEdge(cls, to, kind) for (cls, kind), to in zip(steps, targets, strict=True))
    return Cycle(tuple(made))
