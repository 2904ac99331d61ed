"""A declared order: the rules about locks that reviewers wrote down, checked against what was seen.

    # comment
    kvm_usage_lock < cpu_hotplug_lock < cpuhp_state_mutex
    leaf hgctrl->lock p->pi_lock
    never-with hgctrl->lock imsic->vsfile_lock

`a < b`: b may be taken inside a, a never inside b.  `leaf`: nothing is taken inside.  `never-with`:
neither is taken inside the other.  Names are those of lock classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import networkx as nx

from hgeisim.errors import InputError, Problem, nearest
from hgeisim.lockorder.baseline.baseline_file import with_nearest
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.user_file import read_text


@dataclass
class Declared:
    """The rules of a file: `before` maps each declared pair to its line, `leaves` and `strangers`
    (never-with) likewise."""

    before: dict[Pair, int] = field(default_factory=dict)
    leaves: dict[str, int] = field(default_factory=dict)
    strangers: dict[frozenset[str], int] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Every class that is named, sorted."""
        named = {name for pair in self.before for name in pair} | set(self.leaves)
        return sorted(named.union(*self.strangers))


@dataclass(frozen=True)
class Breach:
    """A dependency that the declared order forbids, and the line that does."""

    pair: Pair
    rule: str
    line: int

    @property
    def id(self) -> str:
        """Stable, as the ids of findings are."""
        return f"declared-order:{self.pair[0]} < {self.pair[1]}"

    def __str__(self) -> str:
        return f"{self.pair[1]} is taken inside {self.pair[0]}; line {self.line} says {self.rule}"


def read_declared(path: Path) -> Declared:
    """The declared order in a file; InputError lists all mistakes, each with its line."""
    return declared_from(read_text(path), str(path))


def declared_from(text: str, file: str = "order") -> Declared:
    """The declared order in a text; `file` is its name in problems."""
    made, problems = Declared(), list[Problem]()
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split("#")[0].split()
        wrong = _read(made, words, number) if words else ""
        if wrong:
            problems.append(Problem(file, f"line {number}", repr(line.strip()[:60]), wrong))
    problems += _cycles(made, file)
    if problems:
        raise InputError(problems)
    return made


def _read(made: Declared, words: list[str], line: int) -> str:
    """Add one line to the order; return its mistake, or nothing."""
    first, rest = words[0], words[1:]
    if "<" in rest or first == "<":
        names, signs = words[::2], words[1::2]
        if set(signs) != {"<"} or len(names) != len(signs) + 1 or "<" in names:
            return "must be `CLASS < CLASS`, or a longer chain of them"
        for pair in pairwise(names):
            made.before.setdefault(pair, line)
        return ""
    if first == "leaf":
        for name in rest:
            made.leaves.setdefault(name, line)
        return "" if rest else "must name a class: `leaf CLASS`"
    if first == "never-with":
        made.strangers.setdefault(frozenset(rest), line)
        return "" if len(set(rest)) == 2 else "must name two classes: `never-with CLASS CLASS`"
    wrong = "must be `CLASS < CLASS`, `leaf CLASS` or `never-with CLASS CLASS`"
    return with_nearest(wrong, first, ["leaf", "never-with"])


def _cycles(made: Declared, file: str) -> Iterator[Problem]:
    order = nx.DiGraph(list(made.before))
    for classes in nx.strongly_connected_components(order):
        # A class alone is a cycle only if it is declared before itself.
        lines = [line for pair, line in made.before.items() if set(pair) <= classes]
        if lines:
            names = " < ".join(sorted(classes))
            yield Problem(file, f"line {max(lines)}", names, "is a cycle, which no order can keep")


def breaches(declared: Declared, edges: Collection[Pair]) -> list[Breach]:
    """The dependencies that were seen although they are forbidden, sorted."""
    return [breach for pair in sorted(edges) if (breach := _breach(declared, pair))]


def _breach(declared: Declared, pair: Pair) -> Breach | None:
    held, wanted = pair
    order = nx.DiGraph(list(declared.before))
    if held in order and wanted in order and nx.has_path(order, wanted, held):
        path = nx.shortest_path(order, wanted, held)
        line = max(declared.before[step] for step in pairwise(path))
        return Breach(pair, " < ".join(path), line)
    if held in declared.leaves:
        return Breach(pair, f"leaf {held}", declared.leaves[held])
    line = declared.strangers.get(frozenset(pair), 0)
    return Breach(pair, "never-with " + " ".join(sorted(pair)), line) if line else None


def not_exercised(declared: Declared, edges: Collection[Pair]) -> list[Pair]:
    """Declared pairs whose second was never taken inside the first: the order was not tested."""
    return sorted(set(declared.before) - set(edges))


def unknown_names(declared: Declared, classes: Collection[str]) -> dict[str, str]:
    """Named classes that were never seen, each with the one that may be meant, or an empty text."""
    return {name: nearest(name, classes) for name in declared.names() if name not in classes}
