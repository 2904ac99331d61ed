"""What the checks say of a step, just when it is made for the first time."""

from __future__ import annotations

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding, Moment
from hgeisim.errors import ModelError
from hgeisim.kernel.module import Module
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Memory
from hgeisim.machine.task import Runner
from hgeisim.watch.asker import ask_after_operations

ACCESS = asked(At.ACCESS)


class StepAsker:
    """Shows the steps of a kernel to its checks."""

    def __init__(self, k: Module, memory: Memory) -> None:
        self.k, self.memory = k, memory
        self._moment: Moment | None = None
        self._found: list[Finding] = []
        ask_after_operations(k, k.watch, self._found.extend, self._now)

    def completed(self, moment: Moment) -> tuple[Finding, ...]:
        """Show an operation to those who watch; returns what they found.

        What they read is an input of the step, and no access of the path.
        """
        memory = self.memory
        touched, memory.touched = memory.touched, {}
        self._moment = moment
        self.k.watch.show(moment.who, moment.op)
        memory.touched = touched
        found = tuple(self._found)
        self._found.clear()
        return found

    def _now(self, who: Runner, op: Op) -> Moment:
        """The moment that is shown just now."""
        if self._moment is None:
            raise ModelError(f"{op} is shown to nobody")
        return self._moment

    def accessed(self, moment: Moment) -> tuple[Finding, ...]:
        """What is wrong with the cells that a whole step touched."""
        return tuple(finding for check in ACCESS for finding in check.wrong(self.k, moment))
