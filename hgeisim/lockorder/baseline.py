"""A baseline: what is known of the lock order of a kernel, as data.

It says nothing about instances and lines, so it stays the same while code moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hgeisim.lockorder.graph import KIND_NAMES, Witness
from hgeisim.lockorder.scene import Knowledge
from hgeisim.lockorder.usage import LINES


@dataclass(frozen=True)
class ClassFacts:
    """A class: its lock type, its wait levels (`need:inner`), and its usage bits as in
    /proc/lockdep."""

    kind: str
    wait: str
    usage: str


@dataclass(frozen=True)
class EdgeFacts:
    """A dependency: the kinds in which it was seen, and the function in which it was seen first."""

    kinds: frozenset[str]
    site: str


Pair = tuple[str, str]
"""The classes of a dependency: what was held, and what was wanted."""


@dataclass
class Baseline:
    """The lock order of `kernel`, seen in `scenarios`; `accepted` has a reason for each finding."""

    kernel: str = ""
    scenarios: tuple[str, ...] = ()
    classes: dict[str, ClassFacts] = field(default_factory=dict)
    edges: dict[Pair, EdgeFacts] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)


def learned(
    known: Iterable[Knowledge], kernel: str, scenarios: Iterable[str], accepted: Mapping[str, str]
) -> Baseline:
    """What validators have learned, as one baseline."""
    made = Baseline(kernel, tuple(sorted(scenarios)), accepted=dict(sorted(accepted.items())))
    classes, edges = dict[str, ClassFacts](), dict[Pair, EdgeFacts]()
    for each in known:
        for name, facts in class_facts(each).items():
            classes[name] = merged_class(classes.get(name), facts)
        for pair, edge in edge_facts(each).items():
            earlier = edges.get(pair, edge)
            edges[pair] = EdgeFacts(earlier.kinds | edge.kinds, earlier.site)
    made.classes, made.edges = dict(sorted(classes.items())), dict(sorted(edges.items()))
    return made


def class_facts(known: Knowledge) -> dict[str, ClassFacts]:
    """Every class that a validator has met."""
    return {
        cls.name: ClassFacts(
            cls.kind.name,
            f"{cls.kind.need.name.lower()}:{cls.kind.inner.name.lower()}",
            known.usage.symbols(cls),
        )
        for cls in known.classes
        if cls.kind.name != "might_sleep"
    }


def edge_facts(known: Knowledge) -> dict[Pair, EdgeFacts]:
    """Every dependency that counts among classes."""
    return {
        (edge.source.name, edge.target.name): EdgeFacts(
            frozenset(KIND_NAMES[kind] for kind in edge.witnesses), _site(edge.witnesses)
        )
        for edge in known.graph.edges()
        if not edge.quiet
    }


def _site(witnesses: Mapping[int, list[Witness]]) -> str:
    first = next(iter(witnesses.values()))[0]
    return first.stack[-1] if first.stack else "?"


def merged_class(earlier: ClassFacts | None, facts: ClassFacts) -> ClassFacts:
    """A class as two validators have seen it together."""
    if earlier is None:
        return facts
    usage = "".join(map(_merged_symbol, earlier.usage, facts.usage))
    return ClassFacts(facts.kind, facts.wait, usage)


_BITS = {".": 0, "-": 1, "+": 2, "?": 3}
SYMBOLS = "".join(_BITS)
"""What a usage bit may look like: neither, used in a handler, held while it can come, both."""
USAGE_LENGTH = 2 * len(LINES)


def _merged_symbol(one: str, other: str) -> str:
    return SYMBOLS[_BITS[one] | _BITS[other]]


def more_usage(before: str, after: str) -> bool:
    """Whether some bit is set after that was not set before."""
    return any(_BITS[b] & ~_BITS[a] for a, b in zip(before, after, strict=True))
