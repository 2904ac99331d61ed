"""What a validator has learned, as /proc/lockdep and /proc/lockdep_stats print it.

Same lines and columns, so that scripts for the files of a kernel read these.  A key is a digest of
the name of the class.  Direct dependencies are those that do not follow from others.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import networkx as nx

from hgeisim.lockorder.baseline import Baseline
from hgeisim.lockorder.dump import FIRST_LINE
from hgeisim.lockorder.picture import adjacent, graph_of
from hgeisim.lockorder.sizes import Sizes

LABEL_WIDTH, NUMBER_WIDTH = 31, 12


def proc_lockdep(order: Baseline) -> str:
    """The text of /proc/lockdep: FD and BD count what a class leads to and from, and itself."""
    graph, direct = graph_of(order), adjacent(order)
    lines = [FIRST_LINE]
    for name, cls in sorted(order.classes.items()):
        ahead, back = len(nx.descendants(graph, name)) + 1, len(nx.ancestors(graph, name)) + 1
        lines.append(f"{_key(name)} FD:{ahead:5} BD:{back:5} {cls.usage}: {name}")
        inside = [target for source, target in sorted(direct.edges) if source == name]
        lines += [f" -> [{_key(target)}] {target}" for target in inside]
        lines.append("")
    return "\n".join(lines) + "\n"


def proc_lockdep_stats(order: Baseline, sizes: Sizes) -> str:
    """The text of /proc/lockdep_stats, as far as its counts mean something here."""
    return "".join(
        f" {label + ':':<{LABEL_WIDTH}}{number:>{NUMBER_WIDTH}}\n"
        for label, number in _counts(order, sizes)
    )


def _counts(order: Baseline, sizes: Sizes) -> Iterator[tuple[str, int]]:
    graph = graph_of(order)
    yield "lock-classes", len(order.classes)
    yield "direct dependencies", len(adjacent(order).edges)
    yield "indirect dependencies", sum(len(nx.descendants(graph, name)) for name in graph)
    yield "all direct dependencies", sizes.dependencies
    yield "dependency chains", sizes.chains
    for at, line in ((0, "hardirq"), (2, "softirq")):
        for signs, word in (("-?", "safe"), ("+?", "unsafe")):
            yield f"{line}-{word} locks", _used(order, at, signs)
            yield f"{line}-read-{word} locks", _used(order, at + 1, signs)
    yield "uncategorized locks", sum(cls.usage == "...." for cls in order.classes.values())
    yield "max locking depth", sizes.longest_chain
    yield "debug_locks", 1


def _used(order: Baseline, at: int, signs: str) -> int:
    return sum(cls.usage[at] in signs for cls in order.classes.values())


def _key(name: str) -> str:
    return blake2b(name.encode(), digest_size=8).hexdigest()
