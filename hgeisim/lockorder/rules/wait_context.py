"""Wait contexts: how long a place may wait, and whether an acquisition asks for more.

`Config` is the kernel's configuration, as far as lock rules depend on it.  The levels are those of
lockdep (enum lockdep_wait_type).  Two rules go beyond it, both known from might_sleep(): nothing
sleeps with interrupts, preemption or BH disabled, and on PREEMPT_RT a spinlock_t sleeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from hgeisim.lockorder.graph.lock_class import How, LockClass, LockKind, Wait
from hgeisim.lockorder.graph.usage import (
    BH_ON,
    HARDIRQ,
    IN_IRQ,
    IRQS_ON,
    PREEMPT_ON,
    SOFTIRQ,
    THREADED,
)


@dataclass(frozen=True)
class Config:
    """The options of a kernel on which lock rules depend.

    `raw_nesting`: PROVE_RAW_LOCK_NESTING, a spinlock_t inside a raw_spinlock_t is wrong.
    `preempt_rt`: spinlock_t, rwlock_t and local_lock_t sleep, and a read_lock never waits for a
    writer that itself waits (kernel/locking/rwbase_rt.c).
    `queued_rwlocks`: without PREEMPT_RT, a read_lock outside interrupts does wait for such a writer
    (kernel/locking/qrwlock.c).
    """

    raw_nesting: bool = True
    preempt_rt: bool = False
    queued_rwlocks: bool = True

    @property
    def fair_rwlocks(self) -> bool:
        """Whether a read_lock outside interrupts waits for a writer that itself waits."""
        return self.queued_rwlocks and not self.preempt_rt


HARDIRQS_OFF = "hardirqs off"
"""The name, in ids, of a task that disabled interrupts."""


class Limit(NamedTuple):
    """The longest wait in a place, set `by` a class (`lock`) or by the state of the context."""

    level: Wait
    by: str
    lock: bool = False


def allowed(config: Config, state: int, held: Iterable[LockClass]) -> Limit:
    """The limit in a context that holds some classes in this irq context, oldest first.

    When a held lock and the masks are equally strict, the limit names the lock: it put the mask on.
    """
    masks = _of_masks(config, state)
    limit = min(of_handler(state), masks)
    for cls in held:
        # `<` below, and one more while the masks lead: at a tie the lock is named.
        least = masks.level + 1 if limit is masks else limit.level
        if cls.kind.override or Wait.UNCHECKED < cls.kind.inner < least:
            limit = Limit(cls.kind.inner, cls.name, lock=True)
    return limit._replace(level=_as_configured(config, limit.level))


def needed(config: Config, kind: LockKind, how: How) -> Wait:
    """The wait that an acquisition needs; UNCHECKED when it is not tested."""
    if how.trylock:
        return Wait.UNCHECKED
    return _as_configured(config, kind.drain if how.drain else kind.need)


def _as_configured(config: Config, wait: Wait) -> Wait:
    return Wait.SPIN if wait == Wait.CONFIG and not config.raw_nesting else wait


def of_handler(state: int) -> Limit:
    """The limit of a kind of context, whatever it holds and masks."""
    if state & HARDIRQ:
        return Limit(Wait.CONFIG if state & THREADED else Wait.SPIN, "hardirq")
    return Limit(Wait.CONFIG, "softirq") if state & SOFTIRQ else Limit(Wait.ANY, "task")


def _of_masks(config: Config, state: int) -> Limit:
    """The limit that masks set for a task; a handler's own level is stricter already."""
    if state & IN_IRQ:
        return Limit(Wait.ANY, "task")
    atomic = Wait.SPIN if config.preempt_rt else Wait.CONFIG
    if not state & IRQS_ON:
        return Limit(atomic, HARDIRQS_OFF)
    if not state & PREEMPT_ON:
        return Limit(atomic, "preemption off")
    return Limit(Wait.ANY, "task") if state & BH_ON else Limit(Wait.CONFIG, "BH off")
