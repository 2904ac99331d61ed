"""A circle of lock classes, as the id of a finding names it, and those that are known by another.

Dependencies are noted from everything that is held, so a circle shows by longer ways, too: with a
class between two of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from hgeisim.lockorder.baseline import EdgeFacts, Pair

_STEP = re.compile(r"(?P<cls>\S+) -(?P<kind>\w+)->")
_IS_CIRCLE = re.compile(r"circular(-[a-z-]+)?:")
Edges: TypeAlias = Mapping[Pair, EdgeFacts]


class Edge(NamedTuple):
    """A dependency of a kind, such as SN or EN."""

    source: str
    target: str
    kind: str

    def stands_in(self, edges: Edges) -> bool:
        """Whether a graph has it, of this kind."""
        facts = edges.get((self.source, self.target))
        return facts is not None and self.kind in facts.kinds


class Circle(NamedTuple):
    """Its dependencies, each beginning where the one before ends."""

    edges: tuple[Edge, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Its classes in their order."""
        return tuple(edge.source for edge in self.edges)

    def goes_through(self, other: Circle) -> bool:
        """Whether it meets the classes of another one in the same order, maybe more between."""
        common = [cls for cls in self.classes if cls in other.classes]
        turns = (tuple(common[i:] + common[:i]) for i in range(len(common)))
        return other.classes in turns

    def is_known_by(self, known: Iterable[Circle], edges: Edges) -> bool:
        """Whether it goes through a known circle, and has no dependency but that one's and those of
        a graph."""
        return any(
            self.goes_through(other)
            and all(edge in other.edges or edge.stands_in(edges) for edge in self.edges)
            for other in known
        )


def stands_whole(finding_id: str, edges: Edges) -> bool:
    """Whether a finding is about a circle of which a graph has every dependency."""
    circle = circle_of(finding_id)
    return circle is not None and all(edge.stands_in(edges) for edge in circle.edges)


def circle_of(finding_id: str) -> Circle | None:
    """The circle that a finding is about, whatever its grade; None when it is about something
    else."""
    found = _IS_CIRCLE.match(finding_id)
    if not found:
        return None
    steps = [(each["cls"], each["kind"]) for each in _STEP.finditer(finding_id[found.end() :])]
    targets = [cls for cls, _ in steps[1:] + steps[:1]]
    made = (Edge(cls, to, kind) for (cls, kind), to in zip(steps, targets, strict=True))
    return Circle(tuple(made))
