"""Taking a lock if that is possible right now: `got = yield lock.trylock`.

The answer is `Runner.got`, which the operation writes and the path is given in the same step.  The
operations of a lock that is tried (`tried`) are not merged with other steps of a search: others may
see that somebody holds it for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner


@dataclass(frozen=True, slots=True)
class Try(Op):
    """raw_spin_trylock and the like: takes the lock as `of` does, or nothing at all."""

    cost: ClassVar[str] = "raw_spin_lock"
    of: Any

    @property
    def lock(self) -> Any:
        """The lock that is tried."""
        return self.of.lock

    @property
    def irqsave(self) -> bool:
        """Whether interrupts stay off when it was taken."""
        return bool(getattr(self.of, "irqsave", False))

    def end(self, who: Runner) -> None:
        """Take it if nobody is in the way."""
        who.got = int(self.of.free(who))
        if who.got:
            self.of.begin(who)
            self.of.end(who)

    def answer(self, who: Runner) -> int:
        """Whether it was taken."""
        return who.got

    def __str__(self) -> str:
        return f"try {self.of}"
