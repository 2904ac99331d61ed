"""The follower of a user's patch, step by step: its accesses to guarded fields, locks that its
functions leave behind, and endless loops.

The guarded fields of such a kernel are properties and arrays that report each access while a path
is being executed; other kernels have plain slots.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

from hgeisim.checks.access import Access, site
from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.check import vcpus
from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.locking import UnderItsLock, holds
from hgeisim.drivers.path_failure import AtomicSleep, NoOperation, stack_of, unbalanced
from hgeisim.kernel.annotations import Guard, guards_of
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.variants import own_files
from hgeisim.machine.balance import NOTHING, Balance, Call, frames, may_change, unbalanced_returns
from hgeisim.machine.ops import STEP, Op, Path, Spend, Step
from hgeisim.machine.shared import Shared, whole
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import returned

ACCESS_CHECKS = [check for check in asked(At.ACCESS) if isinstance(check, UnderItsLock)]


class GuardedAccesses:
    """Checks the accesses of the context `who` that executes its path up to the next operation,
    None between; `kept` are the locks it holds."""

    def __init__(self, k: Module, note: Callable[[Iterable[Finding]], None]) -> None:
        self.k, self.note = k, note
        self.who: Runner | None = None
        self.kept: Balance = NOTHING
        # An object does not say which of its accesses C has marked.
        self.watching = bool(own_files(k.name))
        for struct in (*vcpus(k), *k.hgei):
            self._watch(struct)

    @returned("add_vcpu")
    def born(self, vcpu: Vcpu, *how: object) -> None:
        """A vCPU was made."""
        self._watch(vcpu)

    def _watch(self, struct: Any) -> None:
        """Make a struct report the accesses to its guarded fields."""
        if not self.watching:
            return
        space: dict[str, Any] = {"__slots__": ()}
        for guard in guards_of(struct):
            for field in guard.fields:
                if field in type(struct).arrays:
                    setattr(struct, field, self._array(guard, struct, field))
                else:
                    space[field] = self._field(guard, type(struct), field)
        cls: Any = type(struct)
        struct.__class__ = type(cls)(cls.__name__, (cls,), space)

    def _field(self, guard: Guard, cls: Any, field: str) -> property:
        slot = vars(next(each for each in cls.__mro__ if field in vars(each)))[field]

        def fetch(struct: Shared) -> int:
            self._access(guard, struct, field, False)
            return int(slot.__get__(struct))

        def store(struct: Shared, value: int) -> None:
            self._access(guard, struct, field, True)
            slot.__set__(struct, whole(value, field))

        return property(fetch, store)

    def _array(self, guard: Guard, struct: Any, field: str) -> list[int]:
        access = self._access

        class Reporting(list[int]):
            def __getitem__(self, index: Any) -> Any:
                access(guard, struct, field, False)
                return super().__getitem__(index)

            def __setitem__(self, index: Any, value: Any) -> None:
                access(guard, struct, field, True)
                super().__setitem__(index, whole(value, field))

        return Reporting(getattr(struct, field))

    def _access(self, guard: Guard, struct: Shared, field: str, written: bool) -> None:
        who, held = self.who, self.kept.locks()
        if who is None or holds(self.k, guard, struct, written, held):
            return
        place = site(sys._getframe(2), type(self.k))
        if place is not None:
            self.who = None  # the checks read guarded fields themselves
            access = Access(guard, struct, field, written, place.function, place.marked)
            moment = Moment(who, STEP, access.function, accesses=(access,), held=held)
            for check in ACCESS_CHECKS:
                self.note(check.wrong(self.k, moment))
            self.who = who


POLL = Spend("halt_poll")
"""The cost of each further step of a path after `PATIENCE` steps without any other operation: a
loop of steps alone would take no time."""
PATIENCE = 1000


def preempt_schedule(k: Module, current: Thread) -> Path[None]:
    """The kernel's preempt_schedule, repeated until nobody wants the HART: a patch may return from
    it too early."""
    yield from k.preempt_schedule(current)
    while current.need_resched:
        yield STEP
        yield from k.preempt_schedule(current)


class PatchFollower:
    """Follows the paths of a kernel.  `spinning` has the contexts that currently make nothing but
    steps: since when, in ns, and in which function.  `path` is the one that was resumed last."""

    def __init__(
        self, k: Module, note: Callable[[Finding], None], guarding: GuardedAccesses
    ) -> None:
        self.k, self.note, self.guarding = k, note, guarding
        self.spinning: dict[Runner, tuple[int, str]] = {}
        self.path: Path[Any] | None = None

    def follow(self, who: Runner, path: Path[Any]) -> Path[None]:
        """Yield the operations of a path, and pass it the answers.  Raises `AtomicSleep` if it
        sleeps where it must not."""
        calls: tuple[Call, ...] = ()
        balance = reported = NOTHING
        kernel, steps, answer = type(self.k), 0, None
        while True:
            self.path = path
            self.guarding.who, self.guarding.kept = who, balance
            try:
                op = path.send(answer)
            except StopIteration:
                break
            finally:
                self.guarding.who = None
            if not isinstance(op, Op):
                names = tuple(frame.__name__ for frame in frames(path))
                raise NoOperation(f"{who.name} yields {op!r}, which is not an operation", names)
            kind: Any = type(op)
            steps = steps + 1 if kind is Step else 0
            # Functions that come and go between two such operations cannot be out of balance.
            if may_change(kind) or op.waits or steps > PATIENCE:
                calls, left = unbalanced_returns(kernel, calls, frames(path), balance, reported)
                reported = left[-1].balance if left else reported
                self._note(who, left)
            if not steps:
                self.spinning.pop(who, None)
            elif steps > PATIENCE:
                self.spinning.setdefault(who, (self.k.ktime_get(), calls[-1].frame.__name__))
                yield POLL
            if op.voluntary and not op.waits and (who.hart.irq_off or who.hart.preempt_count):
                names = tuple(frame.__name__ for frame in frames(path))
                raise AtomicSleep(f"{who.name} schedules (at {op}) while atomic", names)
            answer = yield op
            balance = balance.after(op, answer)
        self.spinning.pop(who, None)
        self._note(who, unbalanced_returns(kernel, calls, (), balance, reported)[1])

    def stack(self) -> list[FrameType]:
        """The frames of the path that was resumed last, outermost first."""
        return stack_of(self.path)

    def endless(self, before_ns: int) -> Iterator[tuple[Finding, int]]:
        """Yield a finding, and since when, for each context that has made nothing but steps since
        before a time."""
        for who, (since_ns, function) in self.spinning.items():
            if since_ns <= before_ns:
                yield Finding("endless", function, f"{who.name} does not come out of it"), since_ns

    def _note(self, who: Runner, left: list[Any]) -> None:
        for each in left:
            self.note(unbalanced(who, each))
