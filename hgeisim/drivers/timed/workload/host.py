"""The host as its workload sees it: its vCPUs, and the HARTs that take new work.

HARTs go offline and come back at set times or at random, and a load balancer moves vCPU threads at
random; neither begins in the quiet end of a run.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import inf
from typing import Any, Protocol, TypeAlias

import simpy

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import Lane
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.ops import Path
from hgeisim.machine.schedule import TASK_INTERRUPTIBLE
from hgeisim.scenario.schema import Balance, Hotplug, RandomHotplug, Run
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.timing import Law

Process: TypeAlias = Generator[simpy.Event, Any, None]


class Device(Protocol):
    """A device that answers the vCPUs that ask it."""

    def add(self, vcpu: Vcpu, law: Law) -> None:
        """Answer this vCPU, too, after such a time."""


class Host:
    """The state that the processes of a workload share; `vcpus` are those not yet stopped, and
    `closed_load` answers guests that wait for that.

    From `quiet_ns` on no HART goes offline or comes online, and no vCPU is moved.
    """

    def __init__(self, driver: TimedDriver, streams: Streams, run: Run) -> None:
        self.driver, self.k, self.env, self.streams = driver, driver.k, driver.env, streams
        self.quiet_ns = inf if run.quiet is None else run.until - run.quiet
        self.vcpus: list[Vcpu] = []
        self.closed_load: Device | None = None
        self._placed = 0

    @property
    def quiet(self) -> bool:
        """Whether the quiet end of the run has begun."""
        return self.env.now >= self.quiet_ns

    @property
    def all_harts(self) -> int:
        """The mask of all HARTs of the machine."""
        return (1 << len(self.k.hart)) - 1

    def active(self, mask: int) -> list[int]:
        """The active HARTs of a mask, or all active ones if the mask contains none."""
        active = [hart.id for hart in self.k.hart if hart.active]
        return [cpu for cpu in active if mask >> cpu & 1] or active

    def next_hart(self, mask: int) -> int:
        """The HART for a new thread: the active ones of a mask in turn."""
        active = self.active(mask)
        self._placed += 1
        return active[(self._placed - 1) % len(active)]

    def hart_from(self, cpu: int, mask: int) -> int:
        """HART `cpu`, or the next active one of a mask, wrapping around."""
        if mask >> cpu & 1 and self.k.hart[cpu].active:
            return cpu
        active = self.active(mask)
        return next((other for other in active if other >= cpu), active[0])


def mask_of(harts: tuple[int, ...] | None, default: int) -> int:
    """The mask of the HARTs that a scenario lists, `default` if it lists none."""
    return default if harts is None else sum(1 << hart for hart in harts)


def sleep(host: Host, current: Thread, time_ns: int) -> Path[None]:
    """nanosleep: a timer of the HART on which the sleep begins wakes the thread."""
    host.env.process(_wake_later(host, current, current.cpu, time_ns))
    current.state = TASK_INTERRUPTIBLE
    yield from host.k.schedule(current)


def _wake_later(host: Host, who: Thread, cpu: int, time_ns: int) -> Process:
    yield host.env.timeout(time_ns)
    alive = host.hart_from(cpu, host.all_harts)
    host.driver.interrupt(alive, lambda _: wake(host, who))


def wake(host: Host, who: Thread) -> Path[None]:
    """Wake a thread."""  # try_to_wake_up returns an int
    yield from host.k.try_to_wake_up(who)


def balance(host: Host, plan: Balance) -> Process:
    """The load balancer: now and then, until the quiet end, it moves a random vCPU to a random
    active HART that its VM may use."""
    stream = host.streams.stream("balance")
    while True:
        yield host.env.timeout(stream.draw(plan.every))
        if host.quiet:
            return
        if host.vcpus:
            thread = stream.choice(host.vcpus).thread
            host.driver.scheduler.move(thread, stream.choice(host.active(thread.cpus_mask)))


def window(host: Host, plan: Hotplug) -> Process:
    """A hotplug plan: a HART goes offline at a set time and comes back at another, or as soon after
    as it can; or it has been offline from the start."""
    cpuhp = host.k.add_thread(f"cpuhp/{plan.hart}", plan.hart)
    if plan.offline is not None:
        yield host.env.timeout(plan.offline)
        if not host.quiet:
            yield _down(host, cpuhp, plan.hart)
    if plan.online is not None:
        yield host.env.timeout(max(0, plan.online - host.env.now))
        if not host.quiet:
            yield _up(host, cpuhp, plan.hart)


def random_windows(host: Host, plan: RandomHotplug, harts: Sequence[int]) -> Process:
    """Random hotplug: one HART after the other, drawn at random, goes offline for a random time."""
    every, offline_for, which = (
        host.streams.stream(f"random_hotplug/{name}") for name in ("every", "offline_for", "hart")
    )
    cpuhp = {hart: host.k.add_thread(f"cpuhp/{hart}", hart) for hart in harts}
    while True:
        yield host.env.timeout(every.draw(plan.every))
        if host.quiet:
            return
        hart = which.choice(harts)
        yield _down(host, cpuhp[hart], hart)
        yield host.env.timeout(offline_for.draw(plan.offline_for))
        if host.quiet:
            return
        yield _up(host, cpuhp[hart], hart)


def _down(host: Host, cpuhp: Thread, hart: int) -> Lane:
    return host.driver.spawn(cpuhp, host.k.cpu_down(cpuhp, hart), urgent=True)


def _up(host: Host, cpuhp: Thread, hart: int) -> Lane:
    return host.driver.spawn(cpuhp, host.k.cpu_up(cpuhp, hart), urgent=True)
