"""What code says about itself: lockdep_assert_held and WARN_ON.

Both change nothing.  Checks look at them, see hgeisim/checks/assertions.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner


@dataclass(frozen=True, slots=True)
class AssertHeld(Op):
    """lockdep_assert_held: this context holds the lock."""

    lock: Any

    def __str__(self) -> str:
        return f"assert held {self.lock}"


@dataclass(frozen=True, slots=True)
class WarnOn(Op):
    """WARN_ON: `condition` should be false; the path gets it as the answer and goes on."""

    condition: bool

    def answer(self, who: Runner) -> bool:
        """The condition, as in C."""
        return self.condition

    def __str__(self) -> str:
        return "WARN_ON" if self.condition else "WARN_ON (not)"


_WARN_ONS = WarnOn(False), WarnOn(True)


def lockdep_assert_held(lock: Any) -> AssertHeld:
    """The operation to yield: this context holds the lock."""
    return AssertHeld(lock)


def WARN_ON(condition: object) -> WarnOn:
    """The operation to yield; its answer is the condition."""
    return _WARN_ONS[bool(condition)]
