"""How much a validator has learned, in the terms of /proc/lockdep_stats.  Nothing has a limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hgeisim.lockorder.chains import Chain
from hgeisim.lockorder.context import Context
from hgeisim.lockorder.scene import Knowledge


@dataclass(frozen=True)
class Sizes:
    """Counts: classes, dependencies, chains of all contexts, and the longest of these."""

    classes: int
    dependencies: int
    chains: int
    longest_chain: int


def sizes_of(known: Knowledge, contexts: Iterable[Context]) -> Sizes:
    """Count."""
    edges = [edge for edge in known.graph.edges() if not edge.quiet]
    depths = [depth for context in contexts for depth in _depths(context.root)]
    return Sizes(len(known.classes), len(edges), len(depths), max(depths, default=0))


def _depths(root: Chain) -> list[int]:
    """The length of each chain in a tree."""
    depths: list[int] = []
    left = [(root, 0)]
    while left:
        chain, depth = left.pop()
        depths.append(depth)
        longer = (*chain.after.values(), *chain.again.values())
        left += [(each, depth + 1) for each in longer]
    return depths[1:]
