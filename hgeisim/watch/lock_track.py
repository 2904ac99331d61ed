"""What a context of the validator holds, as a model's operations find it again."""

from __future__ import annotations

from typing import Any

from hgeisim.lockorder.chains import Chain
from hgeisim.lockorder.classes import Flavour
from hgeisim.lockorder.context import Context, Held
from hgeisim.lockorder.irqstate import IRQS_ON


class Spot(Held):
    """A held lock, and what may be taken next: `after` has the spots that were judged before.

    It is shared by all times that the lock is held there.  `of` is the lock of the machine,
    `reader` its mode; `open` has bit c set once its context was seen to enable interrupts in state
    c, `seen` the waits that were judged here.
    """

    __slots__ = ("after", "of", "open", "reader", "seen")

    def __init__(self, chain: Chain, of: object) -> None:
        super().__init__(chain, chain.stack)
        self.of, self.reader, self.open = of, self.flavour != Flavour.EXCLUSIVE, 0
        self.after: dict[int, Spot] = {}
        self.seen: set[int] = set()


class Track:
    """A context of the validator with its stack of spots; `after` is for who holds nothing.

    `in_thread` tells a device's handler on PREEMPT_RT: a task, of which no HART knows the state.
    """

    __slots__ = ("_seen", "after", "context", "held", "in_thread")

    def __init__(self, context: Context, in_thread: bool = False) -> None:
        self.context, self.in_thread = context, in_thread
        self.held: list[Any] = context.held
        self.after: dict[int, Spot] = {}
        self._seen: set[int] = set()

    def seen(self) -> set[int]:
        """The waits that were judged with these locks held."""
        seen: set[int] = self.held[-1].seen if self.held else self._seen
        return seen

    def masked(self) -> int:
        """The state that the locks of a handler in a thread make: interrupts off or not."""
        return int(bool(self.held) and not self.held[-1].chain.step.state & IRQS_ON)
