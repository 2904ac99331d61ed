"""What the checks say of a step, just when it is made for the first time."""

from __future__ import annotations

from collections.abc import Iterable

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding, Moment
from hgeisim.errors import ModelError
from hgeisim.kernel.module import Module
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Memory
from hgeisim.machine.task import Runner
from hgeisim.watch.asker import ask_about_calls, ask_after_operations

ACCESS = asked(At.ACCESS)


class StepAsker:
    """Shows the steps of a kernel to its checks."""

    def __init__(self, k: Module, memory: Memory) -> None:
        self.k, self.memory = k, memory
        self._moment: Moment | None = None
        self._found: list[Finding] = []
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

    def _now(self, who: Runner, op: Op) -> Moment:
        """The moment that is shown just now."""
        if self._moment is None:
            raise ModelError(f"{op} is shown to nobody")
        return self._moment

    def accessed(self, moment: Moment) -> tuple[Finding, ...]:
        """What is wrong with the cells that a whole step touched, and with its calls."""
        found = *self._found, *(each for check in ACCESS for each in check.wrong(self.k, moment))
        self._found.clear()
        return found
