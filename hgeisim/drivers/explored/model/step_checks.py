"""The checks of a step, which run when it is executed for the first time."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cached_property
from types import FrameType
from typing import Protocol

from hgeisim.checks.access import Access, site
from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.check import vcpus
from hgeisim.checks.finding import Finding, Moment
from hgeisim.errors import ModelError
from hgeisim.kernel.annotations import Guard, guards_of
from hgeisim.kernel.main import Module
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Memory, Shared, addresses
from hgeisim.machine.task import Runner
from hgeisim.watch.asker import ask_about_calls, ask_after_operations

ACCESS = asked(At.ACCESS)


class Listener(Protocol):
    """Receives each access that a path makes."""

    def heard(self, address: int, written: bool, frame: FrameType) -> None:
        """Called when a cell is read or written, with the frame that does it."""

    def ended(self, moment: Moment, held: tuple[str, ...]) -> None:
        """Called when the path has come to its next operation, with the moment of the operation
        before, and the names of the locks held since."""


class StepAsker:
    """Shows the steps of a kernel to its checks."""

    def __init__(self, k: Module, memory: Memory) -> None:
        self.k, self.memory = k, memory
        self._moment: Moment | None = None
        self._found: list[Finding] = []
        self._accesses: list[Access] = []
        self.listener: Listener | None = None
        ask_after_operations(k, k.watch, self._found.extend, self._now)
        # What the check of a call reads is an input of the step, but not an access of the path.
        ask_about_calls(k, lambda found: memory.aside(self._found.extend, found))

    def completed(self, moment: Moment) -> tuple[Finding, ...]:
        """Show an operation to the watchers, and return their findings.

        What they read is an input of the step, but not an access of the path.
        """
        self._moment = moment
        self.memory.aside(self.k.watch.show, moment.who, moment.op)
        found = tuple(self._found)
        self._found.clear()
        return found

    def revived(self) -> None:
        """Drop the findings of bringing a path back to its local state; they are known."""
        self._found.clear()
        self._accesses.clear()
        self.memory.on_access = self._access

    def stop(self) -> None:
        """Ignore accesses from now on: the path does not go on."""
        self.memory.on_access = None

    def _access(self, address: int, written: bool) -> None:
        """Note an access of the path to a guarded cell."""
        if self.listener is not None:
            self.listener.heard(address, written, sys._getframe(2))
        if address in self.guarded:
            place = site(sys._getframe(2), type(self.k))
            if place is not None:
                made = Access(*self.guarded[address], written, place.function, place.marked)
                self._accesses.append(made)

    @cached_property
    def guarded(self) -> dict[int, tuple[Guard, Shared, str]]:
        """The guarded cells, each with its guard, struct and field."""
        return {
            address: (guard, struct, field)
            for struct in (*vcpus(self.k), *self.k.hgei)
            for guard in guards_of(struct)
            for field in guard.fields
            for address in addresses(struct, field)
        }

    def _now(self, who: Runner, op: Op) -> Moment:
        """The moment that is shown at present."""
        if self._moment is None:
            raise ModelError(f"{op} is shown at no moment")
        return self._moment

    def accessed(self, moment: Moment, held: tuple[str, ...]) -> tuple[Finding, ...]:
        """The findings about the accesses and the calls of a whole step."""
        self.stop()
        if self.listener is not None:
            self.listener.ended(moment, held)
        seen = replace(moment, accesses=tuple(self._accesses), held=held)
        found = *self._found, *(each for check in ACCESS for each in check.wrong(self.k, seen))
        self._found.clear()
        return found
