"""A user's patch is followed step by step: what its functions leave behind, and where it spins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from hgeisim.checks.finding import Finding
from hgeisim.drivers.crash import AtomicSleep, NoOperation, stack_of
from hgeisim.drivers.timed.guarding import Guarding
from hgeisim.drivers.unbalanced import unbalanced
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Thread
from hgeisim.machine.balance import NOTHING, Call, frames, returned
from hgeisim.machine.ops import STEP, Op, Path, Spend, Step
from hgeisim.machine.task import Runner

POLL = Spend("halt_poll")
"""A loop of steps alone takes no time, so from `PATIENCE` steps on each of them takes this."""
PATIENCE = 1000


def preempt_schedule(k: Module, current: Thread) -> Path[None]:
    """The kernel's, until nobody wants the HART any more: a patch may leave the task there."""
    yield from k.preempt_schedule(current)
    while current.need_resched:
        yield STEP
        yield from k.preempt_schedule(current)


class Careful:
    """Follows the paths of a kernel; `spinning` has who makes nothing but steps now, with the time
    in ns since which it does, and where; `path` is the one that went on last."""

    def __init__(self, k: Module, note: Callable[[Finding], None], guarding: Guarding) -> None:
        self.k, self.note, self.guarding = k, note, guarding
        self.spinning: dict[Runner, tuple[int, str]] = {}
        self.path: Path[Any] | None = None

    def follow(self, who: Runner, path: Path[Any]) -> Path[None]:
        """Yield the operations of a path, and give it the answers.  Raises `AtomicSleep` where it
        must not sleep."""
        calls: tuple[Call, ...] = ()
        balance = told = NOTHING
        steps = 0
        answer = None
        while True:
            self.path = path
            self.guarding.begins(who, balance)
            try:
                op = path.send(answer)
            except StopIteration:
                break
            finally:
                self.guarding.ends()
            if not isinstance(op, Op):
                names = tuple(frame.__name__ for frame in frames(path))
                raise NoOperation(f"{who.name} yields {op!r}, which is no operation", names)
            calls, left = returned(type(self.k), calls, tuple(frames(path)), balance, told)
            told = left[-1].balance if left else told
            self._note(who, left)
            steps = steps + 1 if type(op) is Step else 0
            if not steps:
                self.spinning.pop(who, None)
            elif steps > PATIENCE:
                self.spinning.setdefault(who, (self.k.ktime_get(), calls[-1].frame.__name__))
                yield POLL
            if op.voluntary and not op.waits and (who.hart.irq_off or who.hart.preempt_count):
                names = tuple(call.frame.__name__ for call in calls)
                raise AtomicSleep(f"{who.name} schedules (at {op}) while atomic", names)
            answer = yield op
            balance = balance.after(op, answer)
        self.spinning.pop(who, None)
        self._note(who, returned(type(self.k), calls, (), balance, told)[1])

    def stack(self) -> list[FrameType]:
        """Where the path stands that went on last, outermost first."""
        return stack_of(self.path)

    def endless(self, before_ns: int) -> Iterator[tuple[Finding, int]]:
        """Yield a finding for each context that has made nothing but steps since before a time, and
        since when."""
        for who, (since_ns, function) in self.spinning.items():
            if since_ns <= before_ns:
                yield Finding("endless", function, f"{who.name} does not come out of it"), since_ns

    def _note(self, who: Runner, left: list[Any]) -> None:
        for each in left:
            self.note(unbalanced(who, each))
