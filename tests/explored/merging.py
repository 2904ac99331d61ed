"""Search a system in single operations and in merged steps, and compare the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hgeisim.checks.check import StateCheck
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive

STATES_MAX = 100_000


class Result(NamedTuple):
    """The result of a whole search: ids of findings, ends in which no context hangs, states."""

    findings: set[str]
    ends: set[tuple[int, ...]]
    states: int


def searched(system: System, checks: Sequence[StateCheck[Any]], merging: bool) -> Result:
    space = Space(system, checks, merging)
    verdict = exhaustive(space, STATES_MAX)
    assert verdict.coverage == "exhausted"
    return Result(set(verdict.counterexamples), good_ends(space), verdict.states)


def good_ends(space: Space) -> set[tuple[int, ...]]:
    """All cells of the states in which all contexts are at rest, except the numbers of grace
    periods: one that no context needs may be over before it is asked for."""
    names = space.system.memory.names
    compared = [a for a, name in enumerate(names) if not name.endswith((".begun", ".completed"))]
    found = [space.initial()]
    seen, ends = set(found), set[tuple[int, ...]]()
    for state in found:
        new = dict.fromkeys(there for _, there, _ in space.successors(state))
        found += [there for there in new if there not in seen]
        seen.update(new)
        if not new and not space.pending(state):
            cells = space.codebook.decode(state)
            ends.add(tuple(cells[address] for address in compared))
    return ends


def agree(make: Callable[[], tuple[System, Sequence[StateCheck[Any]]]]) -> tuple[Result, Result]:
    """Search in single operations, and in merged steps."""
    single, merged = searched(*make(), merging=False), searched(*make(), merging=True)
    assert merged.findings == single.findings
    assert merged.ends == single.ends
    assert merged.states <= single.states
    return single, merged
