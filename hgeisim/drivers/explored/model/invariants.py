"""The findings of the state checks, remembered for each combination of the cells they look at.

Each check runs once for each combination of its own cells.  The codes that a step writes are
constants of its answer.  So the view that the checks have after a step follows from the view before
it and the step alone, and a search need not look at the new state: each `View` remembers which view
follows each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any

from hgeisim.checks.check import StateCheck
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.cached_step import Answer, mask
from hgeisim.drivers.explored.model.codebook import Codebook
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.path_failure import findings_or_crash


class View:
    """One combination of the watched cells: its findings, and the view after each step."""

    __slots__ = ("findings", "following")

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        self.following: dict[Answer, View] = {}


class CachedCheck:
    """A check and its findings, for each combination of the places that it looks at."""

    __slots__ = ("check", "key", "known")

    def __init__(self, check: StateCheck[Any], places: Sequence[int]) -> None:
        self.check, self.key = check, key_of(places)
        self.known: dict[Any, tuple[Finding, ...]] = {}


class Invariants:
    """The state checks of a space; `watched` is the mask of the places that they look at."""

    def __init__(
        self, system: System, codebook: Codebook, checks: Sequence[StateCheck[Any]] = ()
    ) -> None:
        self.system, self.codebook, self.checks = system, codebook, checks
        self.cached = [CachedCheck(check, self._places([check])) for check in checks]
        watched = self._places(checks)
        self.watched, self.key = mask(watched), key_of(watched)
        self.known: dict[Any, View] = {}

    def _places(self, checks: Sequence[StateCheck[Any]]) -> list[int]:
        """The places of a state that checks look at."""
        places = self.codebook.places
        cells = (address for address in watched_cells(self.system, checks) if address in places)
        return sorted(place for address in cells for place in places[address])

    def of(self, state: bytes) -> tuple[Finding, ...]:
        """The findings of a state."""
        return self.view(state).findings

    def view(self, state: bytes) -> View:
        """The view that the checks have of a state."""
        key = self.key(state)
        view = self.known.get(key)
        if view is None:
            view = self.known[key] = View(self._findings_of(state))
        return view

    def _findings_of(self, state: bytes) -> tuple[Finding, ...]:
        """The findings of all checks in a state; only checks that see a new combination run."""
        found = list[Finding]()
        for cached in self.cached:
            key = cached.key(state)
            findings = cached.known.get(key)
            if findings is None:
                findings = cached.known[key] = self.ask([cached.check], state)
            found += findings
        return tuple(found)

    def follow(self, view: View, step: Answer, state: bytes) -> View:
        """The view of `state`, which `step` has reached from a state with `view`.

        It is `view` again unless `step.watched`.
        """
        following = view.following.get(step)
        if following is None:
            following = view.following[step] = self.view(state)
        return following

    def ask(self, checks: Sequence[StateCheck[Any]], state: bytes) -> tuple[Finding, ...]:
        """Run checks on a state."""
        self.system.memory.begin_step(self.codebook.decode(state))
        k = self.system.k
        found = (findings_or_crash(k, partial(check.state, k)) for check in checks)
        return tuple(chain.from_iterable(found))


def watched_cells(system: System, checks: Sequence[StateCheck[Any]]) -> frozenset[int]:
    """The addresses that state checks look at."""
    return frozenset(address for check in checks for address in check.watches(system.k))


def key_of(places: Sequence[int]) -> Callable[[bytes], Any]:
    """A function that picks the bytes at some places of a state."""
    return itemgetter(*places) if places else lambda state: None
