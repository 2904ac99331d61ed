"""Sources of interrupts: devices of the host, timers of guests, and IPIs between guests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.drivers.timed.cpu import Core
from hgeisim.drivers.timed.workload.host import Host, Process
from hgeisim.kernel.script import IID
from hgeisim.kernel.structs import Vcpu
from hgeisim.kernel.vcpu import IPI_IID
from hgeisim.machine.ipi import SampleSgei
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner
from hgeisim.runs.tables import table_of
from hgeisim.scenario.schema import Device
from hgeisim.scenario.timing import Law


def device(host: Host, vcpu: Vcpu, every: Law) -> Process:
    """A device of the host whose interrupts become MSIs of a vCPU, as long as the vCPU lives.

    Each device interrupts one HART, or the next active one (irqfd, without irqbypass).
    """
    draw = host.streams.stream(f"{vcpu.name}/msi").draw
    home = vcpu.thread.cpu
    while True:
        yield host.env.timeout(draw(every))
        if vcpu.stop:
            return
        send(host, home, vcpu, vcpu.identity or IID)


def send(host: Host, home: int, vcpu: Vcpu, iid: int) -> None:
    """A device interrupts its HART, or the next active one, with an MSI for a vCPU."""
    host.driver.interrupt(host.hart_from(home, host.all_harts), injection(host, vcpu, iid))


def injection(host: Host, vcpu: Vcpu, iid: int) -> Callable[[Runner], Path[None]]:
    """The handler of a device's interrupt; the MSI is owed to the guest from its beginning on."""

    def handler(current: Runner) -> Path[None]:
        vcpu.ledger.send(iid)
        yield from host.k.kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, iid)
        vcpu.ledger.arrive()

    return handler


def bursts(host: Host, plan: Device) -> Process:
    """A device of a VM, or of all VMs of one [[vm]] table, whose interrupt injects some MSIs, each
    into a vCPU drawn at random; it interrupts its HART, or all HARTs in turn."""
    every, targets = (host.streams.stream(f"{plan.name}/{name}") for name in ("every", "to"))
    for number in count():
        yield host.env.timeout(every.draw(plan.every))
        alive = [vcpu for vcpu in host.vcpus if table_of(vcpu.vm.name) == plan.vm]
        if alive:
            home = number % len(host.k.hart) if plan.hart is None else plan.hart
            chosen = [targets.choice(alive) for _ in range(plan.burst)]
            cpu = host.hart_from(home, host.all_harts)
            host.driver.interrupt(cpu, partial(_burst, host, chosen))


def _burst(host: Host, vcpus: list[Vcpu], current: Runner) -> Path[None]:
    for vcpu in vcpus:
        if not vcpu.stop:
            yield from injection(host, vcpu, vcpu.identity or IID)(current)


def ticks(host: Host, vcpu: Vcpu, every: Law) -> Process:
    """The timer of a guest: an hrtimer of the HART on which the vCPU runs or ran last."""
    draw = host.streams.stream(f"{vcpu.name}/tick").draw
    while True:
        yield host.env.timeout(draw(every))
        if vcpu.stop:
            return
        cpu = host.hart_from(vcpu.thread.cpu, host.all_harts)
        host.driver.interrupt(cpu, lambda c: host.k.kvm_riscv_vcpu_hrtimer_expired(c, vcpu))


def guest_ipis(host: Host, vcpu: Vcpu, every: Law) -> Process:
    """The guest of a vCPU sends IPIs to other vCPUs of its VM, by stores to their IMSIC pages.

    A guest that is not running at that moment sends none.
    """
    times, targets = (host.streams.stream(f"{vcpu.name}/{name}") for name in ("ipi", "ipi_to"))
    while not vcpu.stop:
        yield host.env.timeout(times.draw(every))
        others = [other for other in vcpu.vm.vcpus if other is not vcpu]
        if others:
            target, core = targets.choice(others), host.driver.cores[vcpu.thread.cpu]
            if core.guest is not None and core.hart.guest == vcpu.id:
                _store(host, core, vcpu, target)


def _store(host: Host, core: Core, vcpu: Vcpu, target: Vcpu) -> None:
    """The running guest stores to the IMSIC page of another vCPU.

    If a VS-file is behind the page, no software sees the store, and it takes no time.  Else it
    traps, and KVM injects the MSI in the thread of the vCPU that stored.
    """
    target.ledger.send(IPI_IID)
    if target.pte_cpu < 0:
        vcpu.ledger.store_traps(target.id)
        vcpu.mmio = target.id
        core.trap(int(host.env.now))
        return
    reached, bus = host.driver.cores[target.pte_cpu], host.driver.interrupts.runner[core.hart.id]
    run_alone(host.k.imsic_page_write(bus, target, IPI_IID), bus, host.k.watch.only(SampleSgei))
    target.ledger.arrive()
    host.driver.interrupts.poll(reached)
