"""A plain load on the lock of a HART's HGEI lines, to measure what waiting for it costs."""

from __future__ import annotations

from hgeisim.drivers.timed.workload.host import Host, sleep
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ops import Path, Spend
from hgeisim.scenario.schema import LockLoad


def start_lock_load(host: Host, plan: LockLoad) -> None:
    """Start the thread that holds the lock now and then."""
    thread = host.k.add_thread(f"load/{plan.name}", plan.hart)
    thread.cpus_mask = 1 << plan.hart
    host.driver.costs.of_owner("lock_load", plan.name, plan.holds)
    host.driver.spawn(thread, lock_load(host, plan, thread))


def lock_load(host: Host, plan: LockLoad, current: Thread) -> Path[None]:
    """Sleep, take the lock with interrupts off, hold it, and so on."""
    draw, lock = host.streams.stream(f"{plan.name}/every").draw, host.k.hgei[plan.lines_of].lock
    hold = Spend("lock_load", plan.name)
    while True:
        yield from sleep(host, current, draw(plan.every))
        yield lock.lock_irqsave
        yield hold
        yield lock.unlock_irqrestore
