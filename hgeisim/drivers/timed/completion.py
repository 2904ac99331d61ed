"""The hot operations of the timed driver: spending time, entering and running guests, spinning
locks, and turning interrupts and preemption off and on.

Each function is what `TimedDriver.execute` does with one kind of operation.  It is called for a
path that yields operations; in a fused path (`fused.py`) its statements replace the yield, which is
why none of them may contain a `return`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeAlias

from hgeisim.drivers.timed.costs import Draw
from hgeisim.drivers.timed.cpu import Core, RunningGuest
from hgeisim.drivers.timed.environment import LaneGenerator
from hgeisim.drivers.timed.interrupts import DriverParts, Interrupts
from hgeisim.drivers.timed.wait_queues import ANY_HART
from hgeisim.machine.guest import EnterGuest, RunGuest, SweepVsFile
from hgeisim.machine.idle import GoIdle, PowerDown
from hgeisim.machine.ipi import SampleSgei
from hgeisim.machine.ops import Irq, Op, Preempt, Spend
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.spinlock import Acquire, Release
from hgeisim.machine.srcu import SrcuReadLock, SrcuReadUnlock
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Done

LOOK_NS = 1_000
"""How often an idle task looks whether its HART is wanted."""
POWERED_DOWN_NS = 200_000
"""How long a HART stays without power when nothing wakes it up; an assumption."""


class CompletingDriver(DriverParts, Protocol):
    """The parts of the timed driver that completions use; `done` has the watchers of each kind of
    operation."""

    interrupts: Interrupts
    done: defaultdict[type[Op], list[Done]]
    lock_ns: int
    lock_cost: Draw
    unlock_ns: int
    unlock_cost: Draw

    def wait(self, who: Any, op: Op) -> Generator[int | None, None, int]:
        """Wait until an operation is ready; returns how many ns that took."""

    def wait_for_handler(self, core: Core) -> LaneGenerator:
        """Wait until no hardirq runs on a HART."""

    def make_up(self, core: Core, ns: int, start_ns: float, stolen_ns: int) -> LaneGenerator:
        """Spend the time that handlers took from a task."""

    def give_way(self, who: Any, core: Core) -> LaneGenerator:
        """Let a pending hardirq, or another task, run first."""

    def guest_of(self, who: Runner, op: RunGuest) -> RunningGuest:
        """The guest that a vCPU's thread executes."""


Completion: TypeAlias = Callable[[CompletingDriver, Any, Any, type[Op]], LaneGenerator]
"""completion(driver, who, op, kind): completes an operation of a kind for a runner."""


def pass_time(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """Spend."""
    show(driver, who, op, kind, 0)
    yield from spend(driver, who, driver.costs.of(op))
    yield from take_pending(driver, who)


def run_guest(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """RunGuest: until the guest has done its stretch or has to exit."""
    show(driver, who, op, kind, 0)
    yield from driver.guest_of(who, op).run(driver.cores[who.cpu])
    yield from take_pending_now(driver, who)


def timed_action(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """EnterGuest and SweepVsFile: operations that take time and are always ready."""
    yield from spend(driver, who, driver.costs.by_name[op.cost]())
    finish(driver, who, op, kind, 0)
    wake_waiters(driver, ANY_HART)
    yield from take_pending_now(driver, who)


def sample_sgei(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """SampleSgei: a HART, this one or another, may take an interrupt."""
    show(driver, who, op, kind, 0)
    driver.interrupts.poll(driver.cores[op.cpu])
    yield from take_pending_now(driver, who)


def read_srcu(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """SrcuReadLock and SrcuReadUnlock: no time passes, but a grace period may end."""
    finish(driver, who, op, kind, 0)
    wake_waiters(driver, op.srcu)
    yield from ()


def take_spinlock(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """Acquire: spin until the lock serves our ticket, then spend the cost of taking it."""
    op.begin(who)
    waited_ns = 0
    if op.lock.owner != who.ticket:  # `ready`, without a call in the common case
        waited_ns = yield from driver.wait(who, op)
    yield from charge(driver, who, op.irqsave, driver.lock_ns or driver.lock_cost())
    finish(driver, who, op, kind, waited_ns)


def take_rwlock(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """ReadLock and WriteLock: spend the cost first, then wait, since others may come first."""
    op.begin(who)
    yield from charge(driver, who, op.irqsave, driver.lock_ns or driver.lock_cost())
    waited_ns = 0
    if who.phase:
        waited_ns = yield from driver.wait(who, op)
    finish(driver, who, op, kind, waited_ns)


def drop_lock(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """Release, ReadUnlock and WriteUnlock: waiters for the lock may go on."""
    yield from charge(driver, who, op.irqrestore, driver.unlock_ns or driver.unlock_cost())
    finish(driver, who, op, kind, 0)
    wake_waiters(driver, op.lock)
    yield from take_pending(driver, who)


def toggle(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """Irq and Preempt: turn interrupts or preemption off or on, in no time."""
    op.end(who)
    show(driver, who, op, kind, 0)
    if not op.off:
        wake_waiters(driver, ANY_HART)
        yield from take_pending(driver, who)


def power_down(driver: CompletingDriver, who: Any, op: Any, kind: type[Op]) -> LaneGenerator:
    """PowerDown: until an interrupt or a task wants the HART, or a timer of its own expires."""
    finish(driver, who, op, kind, 0)
    core, until_ns = driver.cores[who.cpu], driver.env.now + POWERED_DOWN_NS
    while driver.env.now < until_ns and not (core.arrived or core.queue):
        yield LOOK_NS


def finish(driver: CompletingDriver, who: Any, op: Any, kind: type[Op], waited_ns: int) -> None:
    """Let an operation have its effect, after `waited_ns` of waiting."""
    op.end(who)
    show(driver, who, op, kind, waited_ns)


def show(driver: CompletingDriver, who: Any, op: Any, kind: type[Op], waited_ns: int) -> None:
    """Show an operation to its watchers."""
    for see in driver.done[kind]:
        see(who, op, waited_ns)


def wake_waiters(driver: CompletingDriver, channel: object) -> None:
    """Wake the waiters of a channel, and those for any HART; mostly there are none, so a cheap test
    comes before the call."""
    parked = driver.wait_queues.parked
    if channel in parked or ANY_HART in parked:
        driver.wait_queues.unpark(channel)


def charge(driver: CompletingDriver, who: Any, deaf: bool, ns: int) -> LaneGenerator:
    """Spend the cost of a lock operation; if the operation itself has turned interrupts off
    (`deaf`), no handler can add to it."""
    if deaf:
        if ns:
            yield ns
    else:
        yield from spend(driver, who, ns)


def spend(driver: CompletingDriver, who: Any, ns: int) -> LaneGenerator:
    """Spend ns of this context's own time; the time of handlers on its HART comes on top."""
    if not who.id:  # a hardirq, which nothing interrupts
        yield ns
    else:
        core = driver.cores[who.cpu]
        if core.busy:
            yield from driver.wait_for_handler(core)
        if ns:
            start_ns, stolen_ns = driver.env._now, core.stolen_ns
            yield ns
            if core.busy or core.stolen_ns != stolen_ns:
                yield from driver.make_up(core, ns, start_ns, stolen_ns)


def take_pending(driver: CompletingDriver, who: Any) -> LaneGenerator:
    """Let pending interrupts and preemption in between two operations of a task outside of a guest,
    if interrupts are on."""
    if not who.harts[who.cpu].irq_off:
        yield from take_pending_now(driver, who)


def take_pending_now(driver: CompletingDriver, who: Any) -> LaneGenerator:
    """The same whether interrupts are on or not: a guest exits for them even if they are off."""
    if who.id:
        core = driver.cores[who.cpu]
        pending = core.busy or core.arrived or core.hart.hgeip & core.hart.hgeie
        if pending or who.need_resched:
            yield from driver.give_way(who, core)


COMPLETIONS: dict[type[Op], Completion] = {
    Spend: pass_time,
    RunGuest: run_guest,
    EnterGuest: timed_action,
    SweepVsFile: timed_action,
    SampleSgei: sample_sgei,
    SrcuReadLock: read_srcu,
    SrcuReadUnlock: read_srcu,
    Acquire: take_spinlock,
    ReadLock: take_rwlock,
    WriteLock: take_rwlock,
    Release: drop_lock,
    ReadUnlock: drop_lock,
    WriteUnlock: drop_lock,
    Preempt: toggle,
    Irq: toggle,
    GoIdle: toggle,
    PowerDown: power_down,
}
