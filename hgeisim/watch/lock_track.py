"""A context of the validator and its position, as a model's operations move it."""

from __future__ import annotations

from hgeisim.lockorder.graph.usage import IRQS_ON
from hgeisim.lockorder.rules.context import Context, Step


class Track:
    """A context with its `position`, which the validator does not know until it is asked.

    `steps` are the validator's steps of operations, for all contexts whose state is the same.
    `in_thread` says that it is a device's handler on PREEMPT_RT: a task whose state no HART knows.
    """

    __slots__ = ("context", "in_thread", "position", "steps")

    def __init__(self, context: Context, steps: dict[int, Step], in_thread: bool = False) -> None:
        self.context, self.steps, self.in_thread = context, steps, in_thread
        self.position = context.chain

    def masked(self) -> int:
        """The state that the locks of a handler in a thread make: interrupts off or not."""
        position = self.position
        return int(not position.is_empty and not position.step.state & IRQS_ON)
