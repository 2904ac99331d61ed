"""What the checks say about a step, just when it is made for the first time."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from types import FrameType
from typing import Protocol

from hgeisim.checks.access import Access, site
from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.check import vcpus
from hgeisim.checks.finding import Finding, Moment
from hgeisim.errors import ModelError
from hgeisim.kernel.annotations import GUARDED_BY, Guard
from hgeisim.kernel.main import Module
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Memory, Shared, addresses
from hgeisim.machine.task import Runner
from hgeisim.watch.asker import ask_about_calls, ask_after_operations

ACCESS = asked(At.ACCESS)


class Listener(Protocol):
    """Wants to hear of each access that a path makes."""

    def heard(self, address: int, written: bool, frame: FrameType) -> None:
        """A cell is read or written, in a frame."""

    def ended(self, moment: Moment, held: tuple[str, ...]) -> None:
        """The path has come to its next operation; it went on after that of the moment, and held
        the locks of these names."""


class StepAsker:
    """Shows the steps of a kernel to its checks."""

    def __init__(self, k: Module, memory: Memory) -> None:
        self.k, self.memory = k, memory
        self._moment: Moment | None = None
        self._found: list[Finding] = []
        self._accesses: list[Access] = []
        self.listener: Listener | None = None
        ask_after_operations(k, k.watch, self._found.extend, self._now)
        ask_about_calls(k, self._called)

    def completed(self, moment: Moment) -> tuple[Finding, ...]:
        """Show an operation to those who watch; returns what they found.

        What they read is an input of the step, and no access of the path.
        """
        self._moment = moment
        self.memory.aside(self.k.watch.show, moment.who, moment.op)
        found = tuple(self._found)
        self._found.clear()
        return found

    def _called(self, found: Iterable[Finding]) -> None:
        """A call is judged; what that reads is an input of the step, and no access of the path."""
        self.memory.aside(self._found.extend, found)

    def revived(self) -> None:
        """A path was brought to where it stood: what was found on the way is known."""
        self._found.clear()
        self._accesses.clear()
        self.memory.on_access = self._access

    def stop(self) -> None:
        """The path does not go on."""
        self.memory.on_access = None

    def _access(self, address: int, written: bool) -> None:
        """Note an access of the path to a guarded cell."""
        if self.listener is not None:
            self.listener.heard(address, written, sys._getframe(2))
        if address in self.guarded:
            place = site(sys._getframe(2))
            if place is not None:
                made = Access(*self.guarded[address], written, place.function, place.marked)
                self._accesses.append(made)

    @cached_property
    def guarded(self) -> dict[int, tuple[Guard, Shared, str]]:
        """The guarded cells, and what each is of."""
        return {
            address: (guard, struct, field)
            for guard in GUARDED_BY
            for struct in (*vcpus(self.k), *self.k.hgei)
            if isinstance(struct, guard.struct)
            for field in guard.fields
            for address in addresses(struct, field)
        }

    def _now(self, who: Runner, op: Op) -> Moment:
        """The moment that is shown just now."""
        if self._moment is None:
            raise ModelError(f"{op} is shown to nobody")
        return self._moment

    def accessed(self, moment: Moment, held: tuple[str, ...]) -> tuple[Finding, ...]:
        """What is wrong with the cells that a whole step touched, and with its calls."""
        self.stop()
        if self.listener is not None:
            self.listener.ended(moment, held)
        seen = replace(moment, accesses=tuple(self._accesses), held=held)
        found = *self._found, *(each for check in ACCESS for each in check.wrong(self.k, seen))
        self._found.clear()
        return found
