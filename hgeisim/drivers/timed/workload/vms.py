"""The lives of VMs: they arrive once or repeatedly, start their vCPUs, and are destroyed; some come
back.

The thread of a vCPU belongs to the monitor, which decides what to do if KVM has no VS-file for it.
"""

from __future__ import annotations

from itertools import count

import simpy

from hgeisim.drivers.timed.environment import Lane
from hgeisim.drivers.timed.workload.host import Host, Process, mask_of, sleep
from hgeisim.drivers.timed.workload.interrupts import device, guest_ipis, ticks
from hgeisim.kernel.structs import AIA_MODES, Thread, Vcpu
from hgeisim.kernel.structs import Vm as KernelVm
from hgeisim.kernel.vcpu import FAIL_ENTRY
from hgeisim.machine.ops import Path
from hgeisim.scenario.schema import Vm
from hgeisim.scenario.timing import Law, never_takes_time

FORGET_NS = 10_000_000
"""How long after its end the memory of a VM is given back."""


def vcpu_thread(host: Host, vcpu: Vcpu, plan: Vm, given_up: simpy.Event) -> Path[None]:
    """KVM_RUN in a loop.  After KVM_EXIT_FAIL_ENTRY the thread sleeps for `fail_wait`; then, as
    `fail_entry` says, "retry" lets others run and tries again, "move" goes to the next HART first,
    and "give_up" ends the monitor, and with it the VM.
    """
    if plan.fail_entry == "retry" and never_takes_time(plan.fail_wait):
        return host.k.vcpu_thread(vcpu.thread, vcpu)
    return _thread(host, vcpu, plan, given_up)


def _thread(host: Host, vcpu: Vcpu, plan: Vm, given_up: simpy.Event) -> Path[None]:
    """The loop of a monitor that sleeps, moves or gives up.  After a move (sched_setaffinity to the
    next HART, wrapping around) the thread may run anywhere again."""
    current, stream = vcpu.thread, host.streams.stream(f"{vcpu.name}/fail_wait")
    while not vcpu.stop:
        reason = yield from host.k.kvm_arch_vcpu_ioctl_run(current, vcpu)
        if reason != FAIL_ENTRY:
            continue
        wait_ns = stream.draw(plan.fail_wait)
        if wait_ns:
            yield from sleep(host, current, wait_ns)
        if plan.fail_entry == "give_up":
            if not given_up.triggered:
                given_up.succeed()
            return
        if plan.fail_entry == "move":
            host.driver.scheduler.move(current, host.hart_from(current.cpu + 1, current.cpus_mask))
        if plan.fail_entry == "move" or not wait_ns:
            yield from host.k.schedule(current)


def arrivals(host: Host, plan: Vm) -> Process:
    """The arrivals of a [[vm]] table: one VM, or with `every` or `count` many: name#1, name#2,
    ...; with `returns`, as many sources of them."""
    yield host.env.timeout(plan.arrives)
    if plan.returns is not None:
        for number in range(1, (plan.count or 1) + 1):
            prefix = f"{plan.name}#" if plan.count is None else f"{plan.name}#{number}."
            host.env.process(source(host, plan, plan.returns, prefix))
        return
    if plan.every is None and plan.count is None:
        yield from life(host, plan, plan.name)
        return
    stream = host.streams.stream(f"{plan.name}/every")
    for number in count(1) if plan.count is None else range(1, plan.count + 1):
        host.env.process(life(host, plan, f"{plan.name}#{number}"))
        if plan.every is not None:
            yield host.env.timeout(stream.draw(plan.every))


def source(host: Host, plan: Vm, returns: Law, prefix: str) -> Process:
    """A closed source: a VM, and a while after its end the next one."""
    stream = host.streams.stream(f"{prefix.rstrip('#.')}/returns")
    for number in count(1):
        yield from life(host, plan, f"{prefix}{number}")
        yield host.env.timeout(stream.draw(returns))


def life(host: Host, plan: Vm, name: str) -> Process:
    """One VM from its creation on."""
    mask = mask_of(plan.harts, host.all_harts)
    end_ns = _end_ns(host, plan, name)
    monitor = host.k.add_thread(f"monitor/{name}", host.next_hart(mask))
    made = host.k.add_vm(name, AIA_MODES.index(plan.mode))
    yield host.driver.spawn(monitor, host.k.kvm_create_vm(monitor, made))
    lanes, given_up = list[Lane](), host.env.event()
    for index in range(plan.vcpus):
        lanes.append(_start_vcpu(host, plan, made, f"{name}/{index}", given_up))
        yield host.env.timeout(plan.stagger)
    ends: list[simpy.Event] = [given_up] if plan.fail_entry == "give_up" else []
    if end_ns is not None:
        ends.append(host.env.timeout(max(0, end_ns - host.env.now)))
    if ends:
        yield ends[0] if len(ends) == 1 else simpy.AnyOf(host.env, ends)
        yield from _destroy(host, made, monitor, lanes)
        host.env.process(_forget(host, made, monitor))


def _end_ns(host: Host, plan: Vm, name: str) -> int | None:
    """The time in ns at which a VM that arrives now is destroyed, None for never."""
    if plan.lives is None:
        return plan.destroyed
    return int(host.env.now) + host.streams.stream(f"{name}/lives").draw(plan.lives)


def _start_vcpu(host: Host, plan: Vm, made: KernelVm, name: str, given_up: simpy.Event) -> Lane:
    mask = mask_of(plan.harts, host.all_harts)
    vcpu = host.k.add_vcpu(name, host.next_hart(mask), made)
    vcpu.thread.cpus_mask = mask
    vcpu.identity = plan.identity or 0
    host.vcpus.append(vcpu)
    host.driver.costs.of_owner("guest_run", name, plan.run)
    lane = host.driver.spawn(vcpu.thread, vcpu_thread(host, vcpu, plan, given_up))
    if plan.replies is not None and host.closed_load is not None:
        host.closed_load.add(vcpu, plan.replies)
    if plan.msi is not None:
        host.env.process(device(host, vcpu, plan.msi))
    if plan.tick is not None:
        host.env.process(ticks(host, vcpu, plan.tick))
    if plan.ipi is not None:
        host.env.process(guest_ipis(host, vcpu, plan.ipi))
    return lane


def _destroy(host: Host, made: KernelVm, monitor: Thread, lanes: list[Lane]) -> Process:
    """Stop the threads of all vCPUs, wait until they have ended, then free the memory."""
    for vcpu in made.vcpus:
        vcpu.stop = 1
        vcpu.ledger.end()
        host.vcpus.remove(vcpu)
    yield host.driver.spawn(monitor, _kick_all(host, monitor, made.vcpus))
    yield simpy.AllOf(host.env, lanes)
    yield host.driver.spawn(monitor, host.k.kvm_destroy_vm(monitor, made))


def _forget(host: Host, made: KernelVm, monitor: Thread) -> Process:
    """Give back the memory of a VM once it has been gone for so long that nobody is in the middle
    of anything with it; not if a patch has left a line in its name."""
    yield host.env.timeout(FORGET_NS)
    numbers = {vcpu.id for vcpu in made.vcpus}
    if any(hgctrl.owners[i] in numbers for hgctrl in host.k.hgei for i in range(host.k.slots)):
        return
    for owner in (made.name, *(vcpu.name for vcpu in made.vcpus)):
        host.streams.forget(owner)
        host.driver.costs.forget(owner)
    for thread in (monitor, *(vcpu.thread for vcpu in made.vcpus)):
        host.driver.scheduler.runtime_ns.pop(thread, None)
    host.k.forget_vm(made)
    host.k.forget_thread(monitor)


def _kick_all(host: Host, monitor: Thread, vcpus: list[Vcpu]) -> Path[None]:
    """Send a signal to the thread of each vCPU."""
    for vcpu in vcpus:
        yield from host.k.kvm_vcpu_kick(monitor, vcpu)
