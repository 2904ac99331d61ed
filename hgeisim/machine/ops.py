"""Operations: the requests of a kernel path to the machine; those that concern no lock are here.

An operation is made once, compared by value, and carries no state.  A driver decides when it
happens; what happens is written here, once, for every driver, in three parts:

    begin(who)   what precedes waiting: interrupts go off, a ticket is drawn, an IPI is sent
    ready(who)   whether it can complete
    end(who)     what completing it does

`who` is the `Runner` that executes it.  Operations that say who runs where (`scheduling`) are
completed by the driver, since that is the driver's decision; `voluntary` ones give up the HART.
`cost` is the entry of the timing table that the timed driver charges.

lockdep_assert_held and WARN_ON change nothing.  Checks look at them, see
hgeisim/checks/locking.py.

`got = yield lock.trylock` takes any kind of lock if that is possible right now.  The answer is
`Runner.got`, which the operation writes and the path is given in the same step.  The operations of
a lock that is tried (`tried`) are not merged with other steps of a search: others may see that
somebody holds it for a moment.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

from hgeisim.machine.task import Runner

T = TypeVar("T")

RIGHT, BOUNDARY, LEFT = "right", "boundary", "left"
"""How an operation moves among those of other contexts (Lipton, "Reduction", CACM 18, 1975)."""


class Op:
    """An operation; this one does nothing and is always ready."""

    __slots__ = ()
    cost: ClassVar[str] = ""
    waits: ClassVar[bool] = False
    scheduling: ClassVar[bool] = False

    @property
    def voluntary(self) -> bool:
        """Whether the task gives up its HART here."""
        return False

    def begin(self, who: Runner) -> None:
        """Do what precedes waiting."""

    def ready(self, who: Runner) -> bool:
        """Whether the operation can complete."""
        return True

    def proceed(self, who: Runner) -> bool:
        """While waiting and not ready: go on to the next phase of the wait, in one atomic step.

        Returns True when it changed something, perhaps so that it is ready now, and False when it
        changed nothing.
        """
        return False

    def can_go_on(self, who: Runner) -> bool:
        """Whether it is ready or would proceed; changes nothing."""
        return self.ready(who)

    def end(self, who: Runner) -> None:
        """Complete it."""

    def answer(self, who: Runner) -> Any:
        """The value that the path gets from the yield, just after `end`; None for most."""

    def mover(self, who: Runner) -> str:
        """How completing it commutes with the steps of other contexts.

        RIGHT: what others do right after it, they could have done right before it, with the same
        outcome: it only takes something from them.  LEFT: the other way round: it only gives
        something back.  BOUNDARY: neither is certain.  The step after a LEFT operation touches
        nothing shared.  An explorer need not stop between RIGHT operations, one BOUNDARY, and LEFT
        ones.
        """
        return BOUNDARY


class Sleep(Op):
    """Base of the operations that give up the HART."""

    __slots__ = ()

    @property
    def voluntary(self) -> bool:
        """It does."""
        return True


Path: TypeAlias = Generator[Op, Any, T]
"""A kernel path: yields operations, returns what the C function returns."""


def resumed(path: Path[Any], op: Op, who: Runner) -> Op | None:
    """Give a path the answer of the operation that it has yielded; returns the next operation, None
    when it has finished."""
    try:
        return path.send(op.answer(who))
    except StopIteration:
        return None


@dataclass(frozen=True, slots=True)
class Step(Op):
    """A step boundary: the path goes on with its next shared access."""

    def __str__(self) -> str:
        return "step"


@dataclass(frozen=True, slots=True)
class Irq(Op):
    """local_irq_disable or local_irq_save (off), or the opposite."""

    off: bool

    def end(self, who: Runner) -> None:
        """Count how often interrupts were turned off."""
        who.hart.irq_off += 1 if self.off else -1

    def mover(self, who: Runner) -> str:
        """Interrupts off keeps others out, on lets them in."""
        return RIGHT if self.off else LEFT

    def __str__(self) -> str:
        return "local_irq_disable" if self.off else "local_irq_enable"


@dataclass(frozen=True, slots=True)
class Preempt(Op):
    """preempt_disable (off) or preempt_enable; get_cpu and put_cpu are the same thing."""

    off: bool

    def end(self, who: Runner) -> None:
        """Count the nesting."""
        who.hart.preempt_count += 1 if self.off else -1

    def mover(self, who: Runner) -> str:
        """Preemption off keeps others out, on lets them in."""
        return RIGHT if self.off else LEFT

    def __str__(self) -> str:
        return "preempt_disable" if self.off else "preempt_enable"


@dataclass(frozen=True, slots=True)
class Spend(Op):
    """Time goes by: `what` is an entry of the timing table, `of` names whose time it is.

    Explored, it is a place where others may step in.
    """

    what: str
    of: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.of}".strip()


STEP = Step()
LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE = Irq(True), Irq(False)
PREEMPT_DISABLE, PREEMPT_ENABLE = Preempt(True), Preempt(False)


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


@dataclass(frozen=True, slots=True)
class Try(Op):
    """raw_spin_trylock and the like: takes the lock as `of` does, or nothing at all.

    `nest` is the lock that serialises those who take several locks of this class, if there is one.
    """

    cost: ClassVar[str] = "raw_spin_lock"
    of: Any
    nest: Any = None

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
