"""Executes kernel paths in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

import simpy

from hgeisim.drivers.timed.core import Core
from hgeisim.drivers.timed.costs import Costs
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
from hgeisim.machine.shared import build
from hgeisim.machine.task import Runner

Process: TypeAlias = Generator[simpy.Event, Any, None]
Observe: TypeAlias = Callable[[Runner, Op], None]


class TimedDriver:
    """Runs contexts of a kernel as processes of a SimPy environment, in integer ns.

    An operation waits until it is ready, then takes its cost, then has its effect.  A task's time
    goes on only while no hardirq runs on its HART: what a handler takes is added.  `observe` lists
    who wants to see operations of a type: just before a `Spend`, just after any other, when
    `waited_ns` is how long that one was not ready.
    """

    def __init__(self, env: simpy.Environment, k: Cpuhp, costs: Costs) -> None:
        self.env, self.k, self.costs = env, k, costs
        self.cores = [Core(env, hart) for hart in k.hart]
        self.scheduler = Scheduler(env, k, self.cores, costs)
        self.parked: dict[object, list[tuple[Op, Runner, simpy.Event]]] = {}
        self.observe: dict[type[Op], list[Observe]] = {}
        self.waited_ns = 0
        self._irq = [_hardirq_runner(k, cpu) for cpu in range(len(k.hart))]

    def spawn(self, who: Runner, path: Path[Any], urgent: bool = False) -> simpy.Process:
        """Start a task: it queues for its HART first, at the head of the queue when urgent."""
        return self.env.process(self._task(who, path, urgent))

    def device(self, path: Path[Any]) -> simpy.Process:
        """Start something that happens outside all HARTs, such as an MSI."""
        return self.env.process(self.execute(_device_runner(self.k), path))

    def _task(self, who: Runner, path: Path[Any], urgent: bool) -> Process:
        yield from self.scheduler.enter(who, urgent)
        yield from self._wait_for_handler(who)
        yield from self.execute(who, path)
        self.cores[who.cpu].leave(who)
        self._unpark(StopMachine)

    def execute(self, who: Runner, path: Path[Any]) -> Process:
        """Complete the operations of a path one after the other."""
        for op in path:
            if type(op) is Step:
                continue
            yield from self._complete(who, op)
            if who.id and self.cores[who.cpu].handler is not None:
                yield from self._wait_for_handler(who)

    def _complete(self, who: Runner, op: Op) -> Process:
        if op.scheduling:
            yield from self._schedule(who, op)
        elif isinstance(op, Spend):
            self._tell(who, op)
            yield from self._spend(who, self.costs.of(op))
            return
        else:
            op.begin(who)
            if isinstance(op, Ipi) and who.ipi_to:
                self.env.process(self._send(who, op))
            asked_ns = self.env.now
            while not op.ready(who):
                yield self._park(who, op)
            waited_ns = int(self.env.now - asked_ns)
            if op.cost and not isinstance(op, Ipi):
                yield from self._spend(who, self.costs.by_name[op.cost]())
            op.end(who)
            self.waited_ns = waited_ns
        self._tell(who, op)
        self._after(who, op)

    def _tell(self, who: Runner, op: Op) -> None:
        for observe in self.observe.get(type(op), ()):
            observe(who, op)

    def _after(self, who: Runner, op: Op) -> None:
        """Let those go on whom the operation may have made ready."""
        self._unpark(_channel(who, op))
        if isinstance(op, Release):
            self._poll(self.cores[who.cpu])
        elif not isinstance(op, Acquire):
            self._poll(self.cores[getattr(op, "cpu", who.cpu)])
        self._unpark(StopMachine)

    def _park(self, who: Runner, op: Op) -> simpy.Event:
        """Return the event that comes when `op` may have become ready."""
        event = self.env.event()
        self.parked.setdefault(_channel(who, op), []).append((op, who, event))
        return event

    def _unpark(self, channel: object) -> None:
        """Wake those that wait for this and are ready, in the order in which they came."""
        if channel not in self.parked:
            return
        still = []
        for op, who, event in self.parked.pop(channel):
            if op.ready(who):
                event.succeed()
            else:
                still.append((op, who, event))
        if still:
            self.parked[channel] = still

    def _schedule(self, who: Runner, op: Op) -> Process:
        """Give the HART up, wait, queue for one again."""
        if isinstance(op, PushOff):
            self.scheduler.push_off(op.cpu)
            return
        self.cores[who.cpu].leave(who)
        self._unpark(StopMachine)
        while isinstance(op, Block) and not op.ready(who):
            yield self._park(who, op)
        yield from self.scheduler.complete(who, op)

    def _spend(self, who: Runner, ns: int) -> Process:
        """Let ns of this context's own time go by."""
        core = self.cores[who.cpu]
        while ns > 0:
            stolen_ns = core.stolen_ns
            yield self.env.timeout(ns)
            if not who.id:
                return
            if core.handler is not None:
                yield from self._wait_for_handler(who)
            ns = core.stolen_ns - stolen_ns

    def _wait_for_handler(self, who: Runner) -> Process:
        core = self.cores[who.cpu]
        while core.handler is not None:
            yield core.handler

    def _send(self, sender: Runner, op: Ipi) -> Process:
        """An IPI on its way."""
        yield self.env.timeout(self.costs.by_name[op.cost]())
        self.cores[op.cpu].ipis.append((sender, op))
        self._poll(self.cores[op.cpu])

    def _poll(self, core: Core) -> None:
        """Take an interrupt if there is one and the HART takes it."""
        if not core.hart.interruptible():
            return
        if core.ipis:
            sender, op = core.ipis.popleft()
            self._interrupt(core, op.handler(op.cpu, sender), sender)
        elif core.hart.sgei_pending():
            self._interrupt(core, self.k.hgei_interrupt(core.hart.id), None)

    def _interrupt(self, core: Core, path: Path[None], sender: Runner | None) -> None:
        core.hart.hardirq = 1
        core.handler = self.env.event()
        self.env.process(self._hardirq(core, core.handler, path, sender))

    def _hardirq(
        self, core: Core, done: simpy.Event, path: Path[None], sender: Runner | None
    ) -> Process:
        """Run a handler on top of whatever the HART was doing."""
        start_ns = self.env.now
        yield self.env.timeout(self.costs.by_name["interrupt_entry"]())
        yield from self.execute(self._irq[core.hart.id], path)
        core.hart.hardirq = 0
        core.handler = None
        core.stolen_ns += int(self.env.now - start_ns)
        done.succeed()
        if sender is not None:
            sender.ipi_to = 0
            self._unpark(sender)
        self._poll(core)
        self._unpark(StopMachine)


def _channel(who: Runner, op: Op) -> object:
    """What an operation waits for, or changes: a lock, a sleeper, an IPI of its sender."""
    if isinstance(op, StopMachine):
        return StopMachine
    if isinstance(op, Ipi):
        return who
    return getattr(op, "lock", None) or getattr(op, "wait", None)


def _hardirq_runner(k: Cpuhp, cpu: int) -> Runner:
    runner = build(Runner, None, f"hardirq/{cpu}", cpu=cpu, harts=k.hart)
    runner.name, runner.id = f"hardirq/{cpu}", 0
    return runner


def _device_runner(k: Cpuhp) -> Runner:
    runner = build(Runner, None, "device", harts=k.hart)
    runner.name, runner.id = "device", 0
    return runner
