"""HARTs that go offline and come back: at set times, or at random; none begins to in the quiet."""

from __future__ import annotations

from collections.abc import Sequence

from hgeisim.drivers.timed.environment import Lane
from hgeisim.drivers.timed.workload.host import Host, Process
from hgeisim.kernel.structs import Thread
from hgeisim.scenario.schema import Hotplug, RandomHotplug


def window(host: Host, plan: Hotplug) -> Process:
    """A HART goes offline at a set time and comes back at another, or as soon as it can."""
    cpuhp = host.k.add_thread(f"cpuhp/{plan.hart}", plan.hart)
    yield host.env.timeout(plan.offline)
    if not host.quiet:
        yield _down(host, cpuhp, plan.hart)
    if plan.online is not None:
        yield host.env.timeout(max(0, plan.online - host.env.now))
        if not host.quiet:
            yield _up(host, cpuhp, plan.hart)


def random_windows(host: Host, plan: RandomHotplug, harts: Sequence[int]) -> Process:
    """One of the HARTs after the other, drawn at random, goes offline for a random time."""
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
