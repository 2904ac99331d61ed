"""Executes kernel paths in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from hgeisim.drivers.timed.core import Core
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.drivers.timed.scheduler import Scheduler
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.machine.ops import (
    Acquire,
    Block,
    Ipi,
    Op,
    Path,
    PushOff,
    Release,
    Spend,
    Step,
    StopMachine,
)
from hgeisim.machine.task import Runner, no_task

Observe: TypeAlias = Callable[[Runner, Op], None]
Parked: TypeAlias = list[tuple[Op, Runner, Lane]]


class TimedDriver:
    """Runs contexts of a kernel as lanes of a SimPy environment, in integer ns.

    An operation waits until it is ready, then takes its cost, then has its effect.  A task's time
    goes on only while no hardirq runs on its HART: what a handler takes is added.  `observe` lists
    who wants to see operations of a type: just before a `Spend`, just after any other, when
    `waited_ns` is how long that one was not ready.
    """

    def __init__(self, env: LaneEnvironment, k: Cpuhp, costs: Costs) -> None:
        self.env, self.k, self.costs = env, k, costs
        self.cores = [Core(hart) for hart in k.hart]
        self.scheduler = Scheduler(env, k, self.cores, costs)
        self.parked: dict[object, Parked] = {}
        self.observe: dict[type[Op], list[Observe]] = {}
        self.waited_ns = 0
        self._ran_out: set[Runner] = set()
        self._irq = [no_task(None, f"hardirq/{cpu}", cpu, k.hart) for cpu in range(len(k.hart))]
        self._device = no_task(None, "device", 0, k.hart)

    def spawn(self, who: Runner, path: Path[Any], urgent: bool = False) -> Lane:
        """Start a task: it queues for its HART first, at the head of the queue when urgent."""
        return self.env.lane(self._task(who, path, urgent))

    def device(self, path: Path[Any]) -> Lane:
        """Start something that happens outside all HARTs, such as an MSI."""
        return self.env.lane(self.execute(self._device, path))

    def _task(self, who: Runner, path: Path[Any], urgent: bool) -> LaneGenerator:
        yield from self.scheduler.enter(who, urgent)
        yield from self._spend(who, self.costs.by_name["context_switch"]())
        yield from self.execute(who, path)
        self.cores[who.cpu].leave(who)

    def execute(self, who: Runner, path: Path[Any]) -> LaneGenerator:
        """Complete the operations of a path one after the other.

        The operations of locks, which are most of all, are written out here, without a generator
        of their own; they say the same as `_complete`.
        """
        cores, parked = self.cores, self.parked
        lock_ns = self.costs.by_name["raw_spin_lock"]
        unlock_ns = self.costs.by_name["raw_spin_unlock"]
        acquired, released = self.observe.get(Acquire, ()), self.observe.get(Release, ())
        for op in path:
            kind = type(op)
            if kind is Step:
                continue
            if kind is Acquire:
                op.begin(who)
                waited_ns = 0 if op.ready(who) else (yield from self._wait(who, op))
                yield lock_ns()
                op.end(who)
                self.waited_ns = waited_ns
                for see in acquired:
                    see(who, op)
                continue
            if kind is Release:
                yield unlock_ns()
                op.end(who)
                for see in released:
                    see(who, op)
                if parked:
                    self._unpark(op.lock)  # type: ignore[attr-defined]
                self._poll(cores[who.cpu])
            else:
                yield from self._complete(who, op)
            if who.id and cores[who.cpu].busy:
                yield from self._wait_for_handler(who)

    def _complete(self, who: Runner, op: Op) -> LaneGenerator:
        """Any operation, in the general way."""
        if op.scheduling:
            yield from self._schedule(who, op)
            return
        if isinstance(op, Spend):
            self._tell(who, op)
            yield from self._spend(who, self._length(who, op))
            if op.guest and not who.hart.guest:
                self._ran_out.add(who)
            return
        op.begin(who)
        if isinstance(op, Ipi):
            if who.ipi_to:
                self.env.lane(self._send(who, op))
        elif op.cost:
            yield from self._spend(who, self.costs.by_name[op.cost]())
        self.waited_ns = yield from self._wait(who, op)
        op.end(who)
        self._tell(who, op)
        self._unpark(_channel(who, op))
        self._poll(self.cores[getattr(op, "cpu", who.cpu)])

    def _length(self, who: Runner, op: Spend) -> int:
        """How long a time lasts.  A guest that interrupts made exit has run its whole time, so
        when it is entered again it has nothing left but to wait."""
        if op.guest and who in self._ran_out:
            self._ran_out.remove(who)
            return 0
        return self.costs.of(op)

    def _tell(self, who: Runner, op: Op) -> None:
        for observe in self.observe.get(type(op), ()):
            observe(who, op)

    def _wait(self, who: Runner, op: Op) -> Generator[int | None, None, int]:
        """Wait until an operation is ready; returns how many ns that took.

        A wait proceeds only while no hardirq runs on top of it; it may let others go on.
        """
        asked_ns, channel = self.env.now, _channel(who, op)
        while not op.ready(who):
            if not op.can_go_on(who):
                waiting = self.parked.setdefault(channel, [])
                waiting.append((op, who, self.env.active_lane))
                yield None
            elif who.id and self.cores[who.cpu].busy:
                yield from self._wait_for_handler(who)
            elif op.proceed(who):
                self._unpark(channel)
        return int(self.env.now - asked_ns)

    def _unpark(self, channel: object) -> None:
        """Wake those that wait for this, or for all HARTs to be preemptible, and are ready."""
        for key in (channel, StopMachine):
            if key in self.parked:
                self._wake(key, self.parked.pop(key))

    def _wake(self, channel: object, waiting: Parked) -> None:
        still = [entry for entry in waiting if not entry[0].can_go_on(entry[1])]
        if still:
            self.parked[channel] = still
        for op, who, lane in waiting:
            if op.can_go_on(who):
                lane.wake()

    def _schedule(self, who: Runner, op: Op) -> LaneGenerator:
        """Give the HART up, wait, queue for one again."""
        if isinstance(op, PushOff):
            self.scheduler.push_off(op.cpu)
            return
        self.cores[who.cpu].leave(who)
        if isinstance(op, Block):
            yield from self._wait(who, op)
        yield from self.scheduler.complete(who, op)
        yield from self._spend(who, self.costs.by_name["context_switch"]())

    def _spend(self, who: Runner, ns: int) -> LaneGenerator:
        """Let ns of this context's own time go by; what handlers take on its HART comes on top."""
        if not who.id:
            yield ns
            return
        core = self.cores[who.cpu]
        if core.busy:
            yield from self._wait_for_handler(who)
        while ns > 0:
            start_ns, stolen_ns = self.env.now, core.stolen_ns
            yield ns
            if core.busy:
                yield from self._wait_for_handler(who)
            ns += core.stolen_ns - stolen_ns - int(self.env.now - start_ns)

    def _wait_for_handler(self, who: Runner) -> LaneGenerator:
        core = self.cores[who.cpu]
        while core.busy:
            core.held_up.append(self.env.active_lane)
            yield None

    def _send(self, sender: Runner, op: Ipi) -> LaneGenerator:
        """An IPI on its way; to the sender's own HART it is a call."""
        if op.cpu != sender.cpu:
            yield self.costs.by_name[op.cost]()
        self.cores[op.cpu].ipis.append((sender, op))
        self._poll(self.cores[op.cpu])

    def _poll(self, core: Core) -> None:
        """Take an interrupt if there is one and the HART takes it."""
        hart = core.hart
        if not (core.ipis or hart.hgeip & hart.hgeie) or not hart.interruptible():
            return
        if core.ipis:
            sender, op = core.ipis.popleft()
            self._interrupt(core, op.handler(op.cpu, sender), sender)
        elif hart.sgei_pending():
            self._interrupt(core, self.k.hgei_interrupt(hart.id), None)

    def _interrupt(self, core: Core, path: Path[None], sender: Runner | None) -> None:
        core.hart.take_interrupt()
        core.busy = True
        self.env.lane(self._hardirq(core, path, sender))

    def _hardirq(self, core: Core, path: Path[None], sender: Runner | None) -> LaneGenerator:
        """Run a handler on top of whatever the HART was doing."""
        start_ns = self.env.now
        yield self.costs.by_name["interrupt_entry"]()
        yield from self.execute(self._irq[core.hart.id], path)
        core.hart.hardirq = 0
        core.stolen_ns += int(self.env.now - start_ns)
        core.end_hardirq()
        if sender is not None:
            sender.ipi_to = 0
        self._unpark(sender)
        self._poll(core)
        core.pick()


def _channel(who: Runner, op: Op) -> object:
    """What an operation waits for, or changes: a lock, a sleeper, an IPI of its sender."""
    if isinstance(op, StopMachine):
        return StopMachine
    if isinstance(op, Ipi):
        return who
    return getattr(op, "lock", None) or getattr(op, "wait", None) or getattr(op, "srcu", None)
