"""Wait contexts: how long a place may wait, and whether an acquisition asks for more.

The levels are those of lockdep.  Two rules go beyond it, both known from might_sleep(): nobody
sleeps with interrupts, preemption or BH disabled, and on PREEMPT_RT a spinlock_t sleeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hgeisim.lockorder.classes import How, LockClass, LockKind, Wait
from hgeisim.lockorder.config import Config
from hgeisim.lockorder.irqstate import (
    BH_ON,
    HARDIRQ,
    IN_IRQ,
    IRQS_ON,
    PREEMPT_ON,
    SOFTIRQ,
    THREADED,
)


class Limit(NamedTuple):
    """The longest wait in a place, and what sets it: a class, or the state of the context."""

    level: Wait
    by: str


def allowed(config: Config, state: int, held: Iterable[LockClass]) -> Limit:
    """The limit in a context that holds some classes in this irq context, oldest first."""
    limit = min(_of_context(state), _of_masks(config, state))
    for cls in held:
        if cls.kind.override or Wait.UNCHECKED < cls.kind.inner < limit.level:
            limit = Limit(cls.kind.inner, cls.name)
    return Limit(_as_configured(config, limit.level), limit.by)


def needed(config: Config, kind: LockKind, how: How) -> Wait:
    """What an acquisition needs; UNCHECKED when it is not tested."""
    if how.trylock:
        return Wait.UNCHECKED
    return _as_configured(config, kind.drain if how.drain else kind.need)


def _as_configured(config: Config, wait: Wait) -> Wait:
    return Wait.SPIN if wait == Wait.CONFIG and not config.raw_nesting else wait


def _of_context(state: int) -> Limit:
    if state & HARDIRQ:
        return Limit(Wait.CONFIG if state & THREADED else Wait.SPIN, "hardirq")
    return Limit(Wait.CONFIG, "softirq") if state & SOFTIRQ else Limit(Wait.ANY, "task")


def _of_masks(config: Config, state: int) -> Limit:
    """What masked interrupts leave to a task; a handler's own level is stricter already."""
    if state & IN_IRQ:
        return Limit(Wait.ANY, "task")
    atomic = Wait.SPIN if config.preempt_rt else Wait.CONFIG
    if not state & IRQS_ON:
        return Limit(atomic, "hardirqs off")
    if not state & PREEMPT_ON:
        return Limit(atomic, "preemption off")
    return Limit(Wait.ANY, "task") if state & BH_ON else Limit(Wait.CONFIG, "BH off")
