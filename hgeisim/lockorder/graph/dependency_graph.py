"""The dependency graph: which class was waited for while which was held, and who showed it.

A dependency has a kind for each way in which it was seen: the holder was exclusive (E) or a reader
(S), and the waiter was a recursive reader (R) or not (N).

`Ranks` is an order of the classes that agrees with all dependencies, for as long as one exists.
While it does, no dependency closes a cycle, and no search for one is needed.  It is kept up to date
by the algorithm of Pearce and Kelly ("A dynamic topological sort algorithm for directed acyclic
graphs", ACM JEA 11, 2006), which looks only at what stands between the ends of a dependency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from hgeisim.lockorder.graph.lock_class import Flavour, Lock, LockClass

Neighbours = Mapping[LockClass, Iterable[LockClass]]


class Ranks:
    """Numbers of classes, smaller before larger; `circular` once no order is possible.

    `after` and `before` are the graph's own maps and not functions: a copy of the graph that is
    made with `deepcopy` must look into its own maps.
    """

    def __init__(self, after: Neighbours, before: Neighbours) -> None:
        self._after, self._before = after, before
        self._rank: dict[LockClass, int] = {}
        self.circular = False

    def add(self, source: LockClass, target: LockClass) -> None:
        """Add a new dependency; that of a class on itself does not order classes."""
        low = self._rank.setdefault(target, len(self._rank))
        high = self._rank.setdefault(source, len(self._rank))
        if source is target or self.circular or high < low:
            return  # the order holds as it is
        after = self._reached(target, self._after, lambda rank: rank <= high)
        if source in after:
            self.circular = True
            return
        before = self._reached(source, self._before, lambda rank: rank >= low)
        # Both keep their order, and share their ranks anew: all of `before` comes first.
        rank = self._rank
        moved = sorted(before, key=rank.__getitem__) + sorted(after, key=rank.__getitem__)
        for cls, number in zip(moved, sorted(map(rank.__getitem__, moved)), strict=True):
            rank[cls] = number

    def apart(self, source: LockClass, target: LockClass) -> bool:
        """Whether it is certain that no path leads back from the target to the source."""
        return not self.circular and source is not target

    def _reached(
        self, root: LockClass, neighbours: Neighbours, near: Callable[[int], bool]
    ) -> list[LockClass]:
        found, left = {root: None}, [root]
        while left:
            for cls in neighbours.get(left.pop(), ()):
                if cls not in found and near(self._rank[cls]):
                    found[cls] = None
                    left.append(cls)
        return list(found)


Pair = tuple[str, str]
"""The names of the classes of a dependency: the one held, and the one wanted."""

ER, EN, SR, SN = 1, 2, 4, 8
KIND_NAMES = {ER: "ER", EN: "EN", SR: "SR", SN: "SN"}
FROM_EXCLUSIVE = ER | EN
TO_BLOCKING = EN | SN

WITNESSES_MAX = 16
"""Of one dependency and kind; a further one merges them all into one that claims less."""


class Hold(NamedTuple):
    """A lock that a context holds."""

    lock: Lock
    cls: LockClass
    flavour: Flavour
    stack: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Witness:
    """One context that waited for `wanted`, with everything that it held (oldest first).

    `owner` is the hold that its dependency comes from, None when it owed an answer instead.
    `context` is empty for a handler, which may interrupt anybody.  `drain`: it wanted to wait, not
    to take.  A `merged` one stands for several, and may be anybody with any instance.
    """

    context: str
    wanted: Lock
    flavour: Flavour
    holds: tuple[Hold, ...]
    stack: tuple[str, ...]
    drain: bool = False
    owner: Hold | None = None
    merged: bool = False

    def covers(self, other: Witness) -> bool:
        """Whether this one can be part of every hang that `other` can be part of."""
        same = self.merged or (self._who(), self.wanted) == (other._who(), other.wanted)
        return same and all(_covered(hold, other.holds) for hold in self.holds)

    def _who(self) -> tuple[str, Lock | None]:
        return self.context, self.owner.lock if self.owner else None


def _covered(hold: Hold, holds: tuple[Hold, ...]) -> bool:
    return any(
        hold.lock is each.lock and (hold.flavour or each.flavour == Flavour.EXCLUSIVE)
        for each in holds
    )


class Edge:
    """The dependency of one class on another.

    It is `quiet` while it was only seen where nesting was right: in one class, or under a nest
    lock.  Then it can be a step of a cycle among instances, but not among classes.
    """

    def __init__(self, source: LockClass, target: LockClass) -> None:
        self.source, self.target = source, target
        self.kinds = 0
        self.quiet = True
        self.witnesses: dict[int, list[Witness]] = {}

    def add(self, kind: int, witness: Witness) -> bool:
        """Note a witness; True: it adds something to the others."""
        known = self.witnesses.setdefault(kind, [])
        self.kinds |= kind
        if any(each.covers(witness) for each in known):
            return False
        known[:] = [each for each in known if not witness.covers(each)]
        known.append(witness)
        if len(known) > WITNESSES_MAX:
            known[:] = [merged(known)]
        return True


def merged(witnesses: list[Witness]) -> Witness:
    """One witness for all of them, holding only what all of them held."""
    first = witnesses[0]
    common = [h for h in first.holds if all(_covered(h, each.holds) for each in witnesses)]
    return replace(first, holds=tuple(common), merged=True)


class Arc(NamedTuple):
    """A dependency as one witness showed it: one step of a cycle."""

    edge: Edge
    kind: int
    witness: Witness


class Graph:
    """All dependencies, both ways, in the order in which they were first seen.

    `ranks` rules most of them out of any cycle without a search.
    """

    def __init__(self) -> None:
        self.after: dict[LockClass, dict[LockClass, Edge]] = {}
        self.before: dict[LockClass, dict[LockClass, Edge]] = {}
        self.ranks = Ranks(self.after, self.before)

    def edge(self, source: LockClass, target: LockClass) -> Edge:
        """The dependency between two classes, made when first asked for."""
        targets = self.after.setdefault(source, {})
        if target not in targets:
            targets[target] = Edge(source, target)
            self.before.setdefault(target, {})[source] = targets[target]
            self.ranks.add(source, target)
        return targets[target]

    def edges(self) -> Iterator[Edge]:
        """Yield every dependency."""
        for targets in self.after.values():
            yield from targets.values()

    def leaving(self, cls: LockClass) -> Iterator[Edge]:
        """Yield what depends on a class."""
        yield from self.after.get(cls, {}).values()

    def entering(self, cls: LockClass) -> Iterator[Edge]:
        """Yield what a class depends on."""
        yield from self.before.get(cls, {}).values()


def kind_of(holder: Flavour, waiter: Flavour) -> int:
    """The kind of a dependency, from the modes of the held lock and of the wanted one."""
    if holder == Flavour.EXCLUSIVE:
        return ER if waiter == Flavour.RECURSIVE else EN
    return SR if waiter == Flavour.RECURSIVE else SN


def mirrored(kinds: int) -> int:
    """The same kinds as a walk against the edges sees them: E for N and S for R, and vice versa."""
    swapped = (SN if kinds & ER else 0) | (ER if kinds & SN else 0)
    return kinds & (EN | SR) | swapped
