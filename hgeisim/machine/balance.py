"""The balance of a context: the locks that it keeps, interrupts off, preemption off; and the part
of it that a function leaves behind.

A function ends with what it began with, unless it says so, as sparse has it in C with `__acquires`
and `__releases`::

    @hands_over("vcpu->mutex", "kvm->srcu")
    def kvm_vcpu_ioctl_begin(k, current, vcpu): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

from hgeisim.machine.mutex import DownRead, DownWrite, MutexLock, MutexUnlock, UpRead, UpWrite
from hgeisim.machine.ops import Irq, Op, Preempt, Try
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.spinlock import Acquire, Release
from hgeisim.machine.srcu import SrcuReadLock, SrcuReadUnlock

F = TypeVar("F", bound=Callable[..., Any])
IRQS, PREEMPTION = "interrupts", "preemption"
"""The names that `hands_over` has for interrupts and preemption."""
TAKES = (Acquire, ReadLock, WriteLock, MutexLock, DownRead, DownWrite, SrcuReadLock)
GIVES = (Release, ReadUnlock, WriteUnlock, MutexUnlock, UpRead, UpWrite, SrcuReadUnlock)
SPINS = (Acquire, Release, ReadLock, ReadUnlock, WriteLock, WriteUnlock)
INLINED = " inlined"
"""The end of the qualified name of a function that a compiler has inlined: optimised code does not
say exactly where it ends, so it is not asked for a balance of its own."""
Kept: TypeAlias = tuple[tuple[str, str, int], ...]
"""Each class and name of a lock (or of what is none) that is kept, and how often; sorted."""


class Balance(NamedTuple):
    """The locks that a context has taken more often than it gave them back, or less often."""

    kept: Kept = ()

    def after(self, op: Op, answer: Any = None) -> Balance:
        """The balance once an operation is completed, with the answer that its path got."""
        kind: Any = type(op)
        if not may_change(kind):
            return self
        if isinstance(op, Try):
            return self.after(op.of) if answer else self
        return self.plus(_change(op))

    @lru_cache(maxsize=4096)  # noqa: B019 - values, not instances
    def plus(self, other: Balance) -> Balance:
        """Both together."""
        counts: dict[tuple[str, str], int] = {}
        for lock_class, name, count in (*self.kept, *other.kept):
            counts[lock_class, name] = counts.get((lock_class, name), 0) + count
        return Balance(tuple((*what, n) for what, n in sorted(counts.items()) if n))

    def minus(self, other: Balance) -> Balance:
        """The part that is kept beyond another balance."""
        return self.plus(Balance(tuple((cls, name, -n) for cls, name, n in other.kept)))

    def without(self, classes: frozenset[str]) -> Balance:
        """The same without what is of these classes."""
        return Balance(tuple(each for each in self.kept if each[0] not in classes))

    def locks(self) -> tuple[str, ...]:
        """The names of the locks that are held."""
        others = (IRQS, PREEMPTION)
        return tuple(name for cls, name, n in self.kept if n > 0 and cls not in others)

    def __str__(self) -> str:
        return " and ".join(_words(*each) for each in self.kept)


NOTHING = Balance()


def _words(lock_class: str, name: str, count: int) -> str:
    if lock_class in (IRQS, PREEMPTION):
        often = f" {count} times" if count > 1 else ""
        return f"{name} off{often}" if count > 0 else f"{name} enabled once too often"
    return f"{name} held" if count > 0 else f"{name} unlocked without being held"


@cache
def may_change(kind: type[Op]) -> bool:
    """Whether operations of a class may change the balance."""
    return issubclass(kind, (Irq, Preempt, Try, *TAKES, *GIVES))


def _change(op: Any) -> Balance:
    """The locks that an operation takes, or gives back."""
    if isinstance(op, Irq | Preempt):
        name = IRQS if isinstance(op, Irq) else PREEMPTION
        return _once(name, name, 1 if op.off else -1)
    lock, sign = _lock_of(op), 1 if isinstance(op, TAKES) else -1
    if isinstance(op, SPINS) and not lock.sleeping:
        irqs = getattr(op, "irqsave", False) or getattr(op, "irqrestore", False)
        return _spinning(lock.lock_class, lock.name, sign, irqs)
    return _once(lock.lock_class, lock.name, sign)


@lru_cache(maxsize=4096)
def _once(lock_class: str, name: str, count: int) -> Balance:
    return Balance(((lock_class, name, count),))


@lru_cache(maxsize=4096)
def _spinning(lock_class: str, name: str, count: int, irqs: bool) -> Balance:
    made = _once(lock_class, name, count).plus(_once(PREEMPTION, PREEMPTION, count))
    return made.plus(_once(IRQS, IRQS, count)) if irqs else made


def _lock_of(op: Any) -> Any:
    return op.srcu if isinstance(op, SrcuReadLock | SrcuReadUnlock) else op.lock


def hands_over(*classes: str) -> Callable[[F], F]:
    """Say that a function ends with these classes of locks, or with interrupts or preemption,
    otherwise than it began; an override of it may, too."""

    def mark(function: F) -> F:
        function.hands_over = frozenset(classes)  # type: ignore[attr-defined]
        return function

    return mark


@cache
def handed_over(kernel: type, function: str) -> frozenset[str]:
    """The classes that a function of a kernel, or one that it overrides, says it hands over."""
    found = (vars(cls).get(function) for cls in kernel.__mro__)
    return frozenset().union(*(getattr(each, "hands_over", ()) for each in found))


def frames(path: Any) -> list[Any]:
    """The generators of a suspended path, outermost first."""
    found = []
    while path is not None and getattr(path, "gi_frame", None) is not None:
        found.append(path)
        path = path.gi_yieldfrom
    return found


class Call(NamedTuple):
    """A function that a path is in: its frame, and the balance when it began."""

    frame: Any
    began: Balance


class Left(NamedTuple):
    """A function that has returned with what it did not begin with."""

    function: str
    balance: Balance


@lru_cache(maxsize=4096)
def _wrong(kernel: type, function: str, began: Balance, now: Balance) -> Balance:
    """The balance that a function has left behind and does not hand over; nothing if it is not one
    of the kernel's."""
    if not hasattr(kernel, function):
        return NOTHING
    return now.minus(began).without(handed_over(kernel, function))


def unbalanced_returns(
    kernel: type, calls: Sequence[Call], frames: Sequence[Any], now: Balance, reported: Balance
) -> tuple[tuple[Call, ...], list[Left]]:
    """The calls of a path that has gone on, now in these frames, and which functions it has left
    out of balance on the way.

    An imbalance that was `reported` of an inner function is not reported again of the outer ones,
    and none is of a frame that is not a kernel function, such as that of a script.
    """
    if len(calls) == len(frames) and (not calls or calls[-1].frame is frames[-1]):
        return tuple(calls), []  # the usual case: no outer one can have ended before the innermost
    same = 0
    for call, frame in zip(calls, frames, strict=False):
        if call.frame is not frame:
            break
        same += 1
    left: list[Left] = []
    for frame, began in reversed(calls[same:]):
        name = frame.gi_code.co_name
        if began == now or frame.gi_code.co_qualname.endswith(INLINED):
            continue
        wrong = _wrong(kernel, name, began, now)
        if wrong not in (NOTHING, reported):
            left.append(Left(name, wrong))
            reported = wrong
    return (*calls[:same], *(Call(frame, now) for frame in frames[same:])), left
