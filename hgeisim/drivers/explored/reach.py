"""What a search has reached, and what it has not: functions, steps, subjects of checks, SGEIs.

All of it is noted as steps are learned, and a step is learned in a state that was reached; so it
costs no state.  Warm-up, counterexamples and samples of lock order are schedules of the scenario as
well, and count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from linecache import getline
from pathlib import PurePath
from types import CodeType
from typing import NamedTuple

from hgeisim.checks.ownership import vcpus
from hgeisim.drivers.explored.call_graph import Code, called, line_of, may_enter, steps
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.vacuous import to_enter
from hgeisim.kernel.module import Module
from hgeisim.kernel.script import Script
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Shared, addresses
from hgeisim.scenario.schema import Scenario

SENDS = ("msi", "irqfd")
"""The actions that send a vCPU an MSI."""


class Untaken(NamedTuple):
    """A step that no schedule has made: its file, the line, and what stands there."""

    file: str
    line: int
    step: str


@dataclass
class Reach:
    """What a `space` of a `scenario` has reached by now."""

    scenario: Scenario
    space: Space

    @cached_property
    def roots(self) -> list[CodeType]:
        """The code with which the paths of its tasks and interrupts begin."""
        return list(_roots(self.space.system, self.scenario))

    @cached_property
    def by_function(self) -> dict[str, Code]:
        """What they may enter."""
        kernel = find_variant(self.scenario.kernel.variant)
        return may_enter(self.k, kernel, self.roots)

    @property
    def k(self) -> Module:
        """The kernel."""
        return self.space.system.k

    @property
    def entered(self) -> set[str]:
        """The functions that were entered."""
        return self.k.entered

    @cached_property
    def done(self) -> frozenset[Op]:
        """The operations that were completed."""
        automata = self.space.system.automata
        return frozenset(op for automaton in automata for _, _, op in automaton.taken)

    def values(self, shared: Shared, name: str) -> set[int]:
        """All values that a field, or an element of an array, had in any state."""
        cells = addresses(shared, name)
        return {value for address in cells for value in self.space.values(address)}

    @property
    def never_entered(self) -> list[str]:
        """The functions that no schedule has entered."""
        return [name for name in self.by_function if name not in self.entered]

    def first_missed(self) -> list[str]:
        """Those among them that something that was entered calls."""
        codes = (*self.roots, *(code for each in self._entered().values() for code in each))
        names = {name for code in codes for name in called(self.k, code)}
        return [name for name in self.never_entered if name in names]

    def never_taken(self) -> dict[str, list[Untaken]]:
        """Of each function that was entered, the steps that no schedule has made."""
        automata = self.space.system.automata
        taken = {(code, line_of(code, at)) for each in automata for code, at, _ in each.taken}
        found: dict[str, list[Untaken]] = {}
        for name, codes in self._entered().items():
            places = [(code, line) for code in codes for line in steps(code)]
            if missing := [_untaken(*place) for place in places if place not in taken]:
                found[name] = missing
        return found

    @property
    def steps(self) -> int:
        """How many steps the functions have that were entered."""
        return sum(len(steps(code)) for codes in self._entered().values() for code in codes)

    def _entered(self) -> dict[str, Code]:
        return {name: code for name, code in self.by_function.items() if name in self.entered}

    def msis(self) -> tuple[int, int]:
        """How many MSIs the tasks send, and how many of them go to vCPUs that took an SGEI."""
        named = {vcpu.name: vcpu.id for vcpu in vcpus(self.k)}
        actions = (action for task in self.scenario.task for action in task.does)
        to = [named[a.vcpu] for a in actions if a.verb in SENDS and a.vcpu is not None]
        return len(to), sum(ident in self.space.system.sgeis for ident in to)

    @property
    def a_guest_was_entered(self) -> bool:
        """Whether a guest that may use lines was; where tasks let such guests run, by these."""
        may = list(to_enter(self.scenario, self.k))
        return not may or any(vcpu.enter_guest in self.done for vcpu in may)

    @property
    def a_line_was_handed_out(self) -> bool:
        """Whether a vCPU had a VS-file, be it at the start."""
        return any(max(self.values(vcpu, "vsfile_hgei")) > 0 for vcpu in vcpus(self.k))


def _roots(system: System, scenario: Scenario) -> Iterator[CodeType]:
    """The code that begins paths: that of actions, and of interrupts and moves."""
    verbs = dict.fromkeys(action.verb for task in scenario.task for action in task.does)
    yield from (getattr(Script, verb).__code__ for verb in verbs)
    yield from system.origins()


def _untaken(code: CodeType, line: int) -> Untaken:
    text = getline(code.co_filename, line).strip().removeprefix("yield ")
    return Untaken(PurePath(code.co_filename).name, line, text)
