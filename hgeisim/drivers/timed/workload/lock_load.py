"""A plain load on the lock of a HART's HGEI lines, to measure what waiting for it costs."""

from __future__ import annotations

from itertools import cycle

from hgeisim.drivers.timed.workload.host import Host, Process, sleep, wake
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ops import Path, Spend
from hgeisim.machine.schedule import TASK_INTERRUPTIBLE
from hgeisim.scenario.schema import LockLoad


def start_lock_load(host: Host, plan: LockLoad) -> None:
    """Start the thread that holds the lock now and then, or those of an open load."""
    host.driver.costs.of_owner("lock_load", plan.name, plan.holds)
    if plan.hart is not None:
        thread = _thread(host, f"load/{plan.name}", plan.hart)
        host.driver.spawn(thread, lock_load(host, plan, thread))
        return
    takers = [Taker(host, plan, hart) for hart in plan.places]
    for taker in takers:
        host.driver.spawn(taker.thread, taker.path())
    host.env.process(_arrivals(host, plan, takers))


def lock_load(host: Host, plan: LockLoad, current: Thread) -> Path[None]:
    """Sleep, take the lock with interrupts off, hold it, and so on."""
    draw = host.streams.stream(f"{plan.name}/every").draw
    while True:
        yield from sleep(host, current, draw(plan.every))
        yield from _hold(host, plan)


class Taker:
    """A thread that holds the lock once for each time that it is asked to."""

    def __init__(self, host: Host, plan: LockLoad, hart: int) -> None:
        self.host, self.plan, self.asked = host, plan, 0
        self.thread = _thread(host, f"load/{plan.name}/{hart}", hart)

    def path(self) -> Path[None]:
        """Sleep until asked, and hold the lock."""
        while True:
            while not self.asked:
                self.thread.state = TASK_INTERRUPTIBLE
                yield from self.host.k.schedule(self.thread)
            self.asked -= 1
            yield from _hold(self.host, self.plan)

    def ask(self) -> None:
        """A timer of its HART, or of the next active one, wakes the thread."""
        self.asked += 1
        alive = self.host.hart_from(self.thread.cpu, self.host.all_harts)
        self.host.driver.interrupt(alive, lambda _: wake(self.host, self.thread))


def _arrivals(host: Host, plan: LockLoad, takers: list[Taker]) -> Process:
    """Ask one taker after the other."""
    draw = host.streams.stream(f"{plan.name}/every").draw
    for taker in cycle(takers):
        yield host.env.timeout(draw(plan.every))
        taker.ask()


def _thread(host: Host, name: str, hart: int) -> Thread:
    thread = host.k.add_thread(name, hart)
    thread.cpus_mask = 1 << hart
    return thread


def _hold(host: Host, plan: LockLoad) -> Path[None]:
    """Take the lock with interrupts off, and hold it."""
    lock = host.k.hgei[plan.lines_of].lock
    yield lock.lock_irqsave
    yield Spend("lock_load", plan.name)
    yield lock.unlock_irqrestore
