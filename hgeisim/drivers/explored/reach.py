"""The reach of a search: the functions, steps, subjects of checks and SGEIs that it has reached.

It is noted as steps are learned, and a step is learned in a state that was reached, so it costs no
state.  Warm-up, counterexamples and lock walks are schedules of the scenario as well, and count.

The functions that paths may enter come from a call graph by the names that code mentions.  These
are more than any schedule enters, since a call graph ignores conditions.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from inspect import isgeneratorfunction, unwrap
from itertools import pairwise
from linecache import getline
from pathlib import PurePath
from types import CodeType, FunctionType
from typing import Any, NamedTuple, TypeAlias

from hgeisim.checks.check import vcpus
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.vacuity import to_enter
from hgeisim.kernel.main import Module
from hgeisim.kernel.script import Script
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Shared, addresses
from hgeisim.scenario.schema import Scenario

ONLY_IN_TIME = frozenset(
    ("halt_poll", "kvm_riscv_vcpu_mmio_store", "kvm_riscv_vcpu_timer_next_event")
)
"""Functions that poll by the clock, and those of guests at random times: never in a search."""
PLAIN_YIELD = 1
"""The argument of RESUME after a plain yield, in contrast to `yield from`."""


Code: TypeAlias = tuple[CodeType, ...]
"""The code of a function's definitions: a patch's, and that which it overrides and calls."""


def may_enter(k: Any, kernel: type, roots: Iterable[CodeType]) -> dict[str, Code]:
    """The paths of a `kernel` that may be entered from the code of `roots`.

    `k` is a kernel of this class that has booted; its IPIs call their handlers.
    """
    found: dict[str, Code] = {}
    left = [name for root in roots for name in called(k, root)]
    while left:
        name = left.pop()
        if name not in found and name not in ONLY_IN_TIME:
            found[name] = tuple(_definitions(kernel, name))
            left += [each for code in found[name] for each in called(k, code)]
    return {name: found[name] for name in sorted(found) if _is_path(k, kernel, name, found[name])}


def paths_of(kernel: type) -> list[str]:
    """All functions of a kernel that are paths."""
    functions = {name: unwrap(getattr(kernel, name)) for name in dir(kernel)}
    return [name for name, function in functions.items() if isgeneratorfunction(function)]


def steps(code: CodeType) -> list[int]:
    """The lines of a function at which it yields an operation."""
    return sorted(set(_steps(code).values()))


def line_of(code: CodeType, offset: int) -> int | None:
    """The line of the step at which a path of this function stands; None before its first."""
    return _steps(code).get(offset)


@cache
def _steps(code: CodeType) -> dict[int, int]:
    """The line of each instruction at which a path may be suspended that yields an operation; some
    versions of Python name the yield, others the instruction after it."""
    found: dict[int, int] = {}
    program = list(dis.get_instructions(code))
    for each, following in pairwise(program):
        plain = following.opname == "RESUME" and (following.arg or 0) & 3 == PLAIN_YIELD
        if each.opname == "YIELD_VALUE" and plain and each.positions and each.positions.lineno:
            found |= dict.fromkeys((each.offset, following.offset), each.positions.lineno)
    return found


def _is_path(k: Any, kernel: type, name: str, codes: Code) -> bool:
    """Whether a function is a path that yields or calls anything."""
    path = isgeneratorfunction(unwrap(getattr(kernel, name)))
    return path and any(steps(code) or list(called(k, code)) for code in codes)


def _definitions(kernel: type, name: str) -> Iterator[CodeType]:
    for cls in kernel.__mro__:
        function = vars(cls).get(name)
        if isinstance(function, FunctionType):
            code = unwrap(function).__code__
            yield code
            if "super" not in code.co_names:
                return


def called(k: Any, code: CodeType) -> Iterator[str]:
    """The functions of a kernel that some code mentions, handlers of its IPIs included."""
    for name in code.co_names:
        value = vars(k).get(name)
        if isinstance(value, Ipi):
            yield value.handler.__name__
        elif isinstance(getattr(type(k), name, None), FunctionType):
            yield name
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from called(k, inner)


SENDS = ("msi", "irqfd")
"""The actions that send a vCPU an MSI."""


class Untaken(NamedTuple):
    """A step that no schedule has made: its file, line and source."""

    file: str
    line: int
    step: str


@dataclass
class Reach:
    """The reach of all searches of a `space` of a `scenario` so far."""

    scenario: Scenario
    space: Space

    @cached_property
    def roots(self) -> list[CodeType]:
        """The code that begins paths: that of actions, of interrupts and of moves."""
        tasks = self.scenario.task
        verbs = dict.fromkeys(action.verb for task in tasks for action in task.does)
        actions = [getattr(Script, verb).__code__ for verb in verbs]
        return [*actions, *self.space.system.origins()]

    @cached_property
    def by_function(self) -> dict[str, Code]:
        """The paths that may be entered from there."""
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
        """Those among them that are called by functions that were entered."""
        codes = (*self.roots, *(code for each in self._entered().values() for code in each))
        names = {name for code in codes for name in called(self.k, code)}
        return [name for name in self.never_entered if name in names]

    def never_taken(self) -> dict[str, list[Untaken]]:
        """For each function that was entered, the steps that no schedule has made."""
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
        """The number of steps in the functions that were entered."""
        return sum(len(steps(code)) for codes in self._entered().values() for code in codes)

    def _entered(self) -> dict[str, Code]:
        return {name: code for name, code in self.by_function.items() if name in self.entered}

    def msis(self) -> tuple[int, int]:
        """The number of MSIs that tasks send, and of those that go to vCPUs that took an SGEI."""
        named = {vcpu.name: vcpu.id for vcpu in vcpus(self.k)}
        actions = (action for task in self.scenario.task for action in task.does)
        to = [named[a.vcpu] for a in actions if a.verb in SENDS and a.vcpu is not None]
        return len(to), sum(ident in self.space.system.sgeis for ident in to)

    @property
    def a_guest_was_entered(self) -> bool:
        """Whether a guest that may use lines was entered; if tasks run such guests, by these."""
        may = list(to_enter(self.scenario, self.k))
        return not may or any(vcpu.enter_guest in self.done for vcpu in may)

    @property
    def a_line_was_handed_out(self) -> bool:
        """Whether a vCPU ever had a VS-file, even if only at the start."""
        return any(max(self.values(vcpu, "vsfile_hgei")) > 0 for vcpu in vcpus(self.k))


def _untaken(code: CodeType, line: int) -> Untaken:
    text = getline(code.co_filename, line).strip().removeprefix("yield ")
    return Untaken(PurePath(code.co_filename).name, line, text)
