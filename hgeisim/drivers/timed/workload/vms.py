"""VMs: they arrive once or again and again, their vCPUs start, in the end they are destroyed."""

from __future__ import annotations

from itertools import count

import simpy

from hgeisim.drivers.timed.environment import Lane
from hgeisim.drivers.timed.workload.host import Host, Process, mask_of
from hgeisim.drivers.timed.workload.interrupts import device, guest_ipis, ticks
from hgeisim.drivers.timed.workload.monitor import vcpu_thread
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.structs import Vm as KernelVm
from hgeisim.machine.ops import Path
from hgeisim.scenario.schema import Vm


def arrivals(host: Host, plan: Vm) -> Process:
    """The VM of a [[vm]] table; with `every` or `count` many of them, name#1, name#2, ..."""
    yield host.env.timeout(plan.arrives)
    if plan.every is None and plan.count is None:
        yield from life(host, plan, plan.name)
        return
    stream = host.streams.stream(f"{plan.name}/every")
    for number in count(1) if plan.count is None else range(1, plan.count + 1):
        host.env.process(life(host, plan, f"{plan.name}#{number}"))
        if plan.every is not None:
            yield host.env.timeout(stream.draw(plan.every))


def life(host: Host, plan: Vm, name: str) -> Process:
    """One VM from its creation on."""
    mask = mask_of(plan.harts, host.all_harts)
    end_ns = _end_ns(host, plan, name)
    monitor = host.k.add_thread(f"monitor/{name}", host.next_hart(mask))
    made = host.k.add_vm(name, plan.mode)
    yield host.driver.spawn(monitor, host.k.kvm_create_vm(monitor, made))
    lanes = []
    for index in range(plan.vcpus):
        lanes.append(_start_vcpu(host, plan, made, f"{name}/{index}"))
        yield host.env.timeout(plan.stagger)
    if end_ns is not None:
        yield host.env.timeout(max(0, end_ns - host.env.now))
        yield from _destroy(host, made, monitor, lanes)


def _end_ns(host: Host, plan: Vm, name: str) -> int | None:
    """When a VM that arrives now is to be destroyed, None for never."""
    if plan.lives is None:
        return plan.destroyed
    return int(host.env.now) + host.streams.stream(f"{name}/lives").draw(plan.lives)


def _start_vcpu(host: Host, plan: Vm, made: KernelVm, name: str) -> Lane:
    mask = mask_of(plan.harts, host.all_harts)
    vcpu = host.k.add_vcpu(name, host.next_hart(mask), made)
    vcpu.thread.cpus_mask = mask
    host.vcpus.append(vcpu)
    host.driver.costs.of_owner("guest_run", name, plan.run)
    lane = host.driver.spawn(vcpu.thread, vcpu_thread(host, vcpu, plan))
    host.env.process(device(host, vcpu, plan.msi))
    if plan.tick is not None:
        host.env.process(ticks(host, vcpu, plan.tick))
    if plan.ipi is not None:
        host.env.process(guest_ipis(host, vcpu, plan.ipi))
    return lane


def _destroy(host: Host, made: KernelVm, monitor: Thread, lanes: list[Lane]) -> Process:
    """Stop the threads of all vCPUs, wait for their end, then give the memory back."""
    for vcpu in made.vcpus:
        vcpu.stop = 1
        vcpu.ledger.end()
        host.vcpus.remove(vcpu)
    yield host.driver.spawn(monitor, _kick_all(host, monitor, made.vcpus))
    yield simpy.AllOf(host.env, lanes)
    yield host.driver.spawn(monitor, host.k.kvm_destroy_vm(monitor, made))


def _kick_all(host: Host, monitor: Thread, vcpus: list[Vcpu]) -> Path[None]:
    """A signal to the thread of each vCPU."""
    for vcpu in vcpus:
        yield from host.k.kvm_vcpu_kick(monitor, vcpu)
