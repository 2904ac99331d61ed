"""The operations of case files: the name of each, its argument, its options, and its effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hgeisim.lockorder.graph.lock_class import How, Lock
from hgeisim.lockorder.rules.context import Context
from hgeisim.lockorder.rules.validator import Validator


class Takes(Enum):
    """The kind of argument that follows the name of an operation."""

    NOTHING = "nothing"
    LOCK = "a lock of lock_types"
    READERS = "a lock of lock_types that has readers"
    FLAG = "a name for the saved state"
    GFP = "a GFP flag"
    EVENT = "the name of an event"


@dataclass(frozen=True)
class Operation:
    """One step of a thread, as its file writes it."""

    name: str
    argument: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Player:
    """The executor of operations: one thread of a case at a time."""

    validator: Validator
    context: Context
    locks: dict[str, Lock]
    flags: dict[str, bool] = field(default_factory=dict)

    def lock(self, op: Operation) -> Lock:
        """The lock that an operation names."""
        return self.locks[op.argument]

    def how(self, op: Operation, trylock: bool = False) -> How:
        """The way in which an operation takes its lock."""
        nest = self.locks[op.options["nest"]] if "nest" in op.options else None
        return How(subclass=op.options.get("subclass", 0), trylock=trylock, nest=nest)


Play = Callable[[Player, Operation], None]


@dataclass(frozen=True)
class Form:
    """The argument of an operation, its effect, and its options."""

    takes: Takes
    play: Play
    options: tuple[str, ...] = ()


def _on_lock(call: Callable[[Validator, Context, Lock], None]) -> Form:
    return Form(Takes.LOCK, lambda p, op: call(p.validator, p.context, p.lock(op)))


def _plain(call: Callable[[Validator, Context], None]) -> Form:
    return Form(Takes.NOTHING, lambda p, op: call(p.validator, p.context))


def _named(takes: Takes, call: Callable[[Validator, Context, str], None]) -> Form:
    return Form(takes, lambda p, op: call(p.validator, p.context, op.argument))


def _save(player: Player, op: Operation) -> None:
    player.flags[op.argument] = player.validator.irq_save(player.context)


def _taking(
    takes: Takes, take: Callable[[Validator, Context, Lock, How], None], trylock: bool = False
) -> Form:
    return Form(
        takes,
        lambda p, op: take(p.validator, p.context, p.lock(op), p.how(op, trylock)),
        ("subclass", "nest"),
    )


def _rcu(variant: str) -> dict[str, Form]:
    suffix = variant.removeprefix("rcu")
    return {
        f"rcu_read_lock{suffix}": _plain(lambda v, c: v.rcu_read_lock(c, variant)),
        f"rcu_read_unlock{suffix}": _plain(lambda v, c: v.rcu_read_unlock(c, variant)),
    }


OPERATIONS: dict[str, Form] = {
    "lock": _taking(Takes.LOCK, Validator.acquire),
    "trylock": _taking(Takes.LOCK, Validator.acquire, trylock=True),
    "read_lock": _taking(Takes.READERS, Validator.acquire_read),
    "read_trylock": _taking(Takes.READERS, Validator.acquire_read, trylock=True),
    "unlock": _on_lock(Validator.release),
    "read_unlock": _on_lock(lambda v, c, lock: v.release(c, lock, reader=True)),
    "downgrade": _on_lock(Validator.downgrade),
    "sync": _on_lock(Validator.synchronize),
    "might_lock": _on_lock(Validator.might_lock),
    "might_lock_read": _on_lock(Validator.might_lock_read),
    "init": _on_lock(Validator.init),
    "free": _on_lock(Validator.free),
    "pin": _on_lock(Validator.pin),
    "unpin": _on_lock(Validator.unpin),
    "assert_held": _on_lock(Validator.assert_held),
    "assert_not_held": _on_lock(Validator.assert_not_held),
    "irq_disable": _plain(Validator.irq_disable),
    "irq_enable": _plain(Validator.irq_enable),
    "irq_save": Form(Takes.FLAG, _save),
    "irq_restore": Form(
        Takes.FLAG, lambda p, op: p.validator.irq_restore(p.context, p.flags[op.argument])
    ),
    "bh_disable": _plain(Validator.bh_disable),
    "bh_enable": _plain(Validator.bh_enable),
    "hardirq_enter": Form(
        Takes.NOTHING,
        lambda p, op: p.validator.enter_hardirq(p.context, **op.options),
        ("threaded",),
    ),
    "hardirq_exit": _plain(Validator.leave_hardirq),
    "softirq_enter": _plain(Validator.enter_softirq),
    "softirq_exit": _plain(Validator.leave_softirq),
    **_rcu("rcu"),
    **_rcu("rcu_bh"),
    **_rcu("rcu_sched"),
    "fs_reclaim_acquire": _named(Takes.GFP, Validator.fs_reclaim_acquire),
    "fs_reclaim_release": _named(Takes.GFP, Validator.fs_reclaim_release),
    "might_alloc": _named(Takes.GFP, Validator.might_alloc),
    "memalloc_nofs_save": _plain(lambda v, c: v.memalloc_nofs(c, on=True)),
    "memalloc_nofs_restore": _plain(lambda v, c: v.memalloc_nofs(c, on=False)),
    "mmu_notifier_start": _plain(lambda v, c: v.notify_mmu(c, on=True)),
    "mmu_notifier_end": _plain(lambda v, c: v.notify_mmu(c, on=False)),
    "return_to_user": _plain(Validator.return_to_user),
    "task_exit": _plain(Validator.exit_task),
    "wait": _named(Takes.EVENT, Validator.wait),
    "complete": _named(Takes.EVENT, Validator.complete),
    "ipi_wait": _plain(Validator.wait_for_ipi),
}
"""Every operation by its name in a file."""
