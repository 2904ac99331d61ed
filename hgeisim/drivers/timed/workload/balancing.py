"""A load balancer that moves vCPU threads at random."""

from __future__ import annotations

from hgeisim.drivers.timed.workload.host import Host, Process
from hgeisim.scenario.schema import Balance


def balance(host: Host, plan: Balance) -> Process:
    """Now and then, until all is quiet, some vCPU is to go on on some active HART that its VM may
    use."""
    stream = host.streams.stream("balance")
    while True:
        yield host.env.timeout(stream.draw(plan.every))
        if host.quiet:
            return
        if host.vcpus:
            thread = stream.choice(host.vcpus).thread
            host.driver.scheduler.move(thread, stream.choice(host.active(thread.cpus_mask)))
