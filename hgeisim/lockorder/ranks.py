"""An order of the classes that agrees with all dependencies, for as long as there is one.

While there is one, no dependency closes a circle, and nobody need search for one.  It is kept up to
date by the algorithm of Pearce and Kelly ("A dynamic topological sort algorithm for directed
acyclic graphs", ACM JEA 11, 2006): only what stands between the ends of a dependency is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hgeisim.lockorder.classes import LockClass

Neighbours = Mapping[LockClass, Iterable[LockClass]]


class Ranks:
    """Numbers of classes, smaller before larger; `circular` once no order can be.

    `after` and `before` are the graph's own maps and not functions: a copy of the graph that is
    made with `deepcopy` must look into its own maps.
    """

    def __init__(self, after: Neighbours, before: Neighbours) -> None:
        self._after, self._before = after, before
        self._rank: dict[LockClass, int] = {}
        self.circular = False

    def add(self, source: LockClass, target: LockClass) -> None:
        """Take a new dependency in; one of a class on itself is none among classes."""
        low = self._rank.setdefault(target, len(self._rank))
        high = self._rank.setdefault(source, len(self._rank))
        if source is target or self.circular or high < low:
            return
        after = self._reached(target, self._after, lambda rank: rank <= high)
        if source in after:
            self.circular = True
            return
        before = self._reached(source, self._before, lambda rank: rank >= low)
        self._move(before, after)

    def apart(self, source: LockClass, target: LockClass) -> bool:
        """Whether it is certain that nothing leads back from the target to the source."""
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

    def _move(self, before: list[LockClass], after: list[LockClass]) -> None:
        """Give the ranks of both to those before, then to those after, each in their old order."""
        rank = self._rank
        moved = sorted(before, key=rank.__getitem__) + sorted(after, key=rank.__getitem__)
        for cls, number in zip(moved, sorted(map(rank.__getitem__, moved)), strict=True):
            rank[cls] = number
