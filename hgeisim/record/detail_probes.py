"""Probes that tell `Details` how interrupts and vCPUs get on, around functions of the kernel."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Caller, Thread, Vcpu, Vm
from hgeisim.kernel.variants import stacked
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner
from hgeisim.record.details import Details, claim_of
from hgeisim.record.probes import Probes
from hgeisim.record.vcpu_time import BLOCKED, HOST


class DetailProbes(Probes):
    """A kernel that keeps `k.details` from its boot on."""

    def __init__(k, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        k.details = Details(k.hart, k.hgei, k.now)

    def now(k) -> int:
        """ktime_get, which a driver of time replaces once the kernel is there."""
        return k.ktime_get()

    def add_vcpu(k, name: str, cpu: int, vm: Vm) -> Vcpu:
        """A vCPU's life begins."""
        vcpu = super().add_vcpu(name, cpu, vm)
        k.details.born(vcpu)
        return vcpu

    def kvm_riscv_vcpu_aia_imsic_cleanup(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """A vCPU's life ends."""
        yield from super().kvm_riscv_vcpu_aia_imsic_cleanup(current, vcpu)
        k.details.gone(vcpu)

    def kvm_riscv_vcpu_aia_imsic_update(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """A vCPU looks for a VS-file on its way into the guest."""
        start_ns, origin = k.ktime_get(), vcpu.vsfile_cpu
        ret = yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu)
        k.details.updated(vcpu, start_ns, origin, ret)
        return ret

    def kvm_riscv_vcpu_enter_exit(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """The guest was left."""
        reason = yield from super().kvm_riscv_vcpu_enter_exit(current, vcpu)
        k.details.become(vcpu, HOST)
        return reason

    def kvm_vcpu_halt(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """A vCPU waits for an interrupt, polling or asleep."""
        k.details.become(vcpu, BLOCKED)
        yield from super().kvm_vcpu_halt(current, vcpu)
        k.details.become(vcpu, HOST)

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """An SGEI is handled."""
        k.details.sgei_taken(current.hart)
        yield from super().hgei_interrupt(current)

    def disarm_new_line(k, cpu: int, hgei: int) -> Path[None]:
        """A line may not be enabled any more."""
        yield from super().disarm_new_line(cpu, hgei)
        k.details.sample(k.hart[cpu])

    def kvm_riscv_aia_disable(k, current: Caller) -> Path[None]:
        """No line of this HART is enabled any more."""
        yield from super().kvm_riscv_aia_disable(current)
        k.details.sample(current.hart)

    def kvm_riscv_vcpu_aia_imsic_inject(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """KVM injects an MSI."""
        k.details.msi_arrives(current, vcpu, iid)
        yield from super().kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, iid)
        k.details.msi_stored(vcpu)

    def imsic_page_write(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """A guest sends an MSI."""
        k.details.page_write(current)
        yield from super().imsic_page_write(current, vcpu, iid)
        k.details.page_written(current, vcpu, iid)

    def kvm_riscv_vcpu_aia_imsic_rmw_topei(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """A guest claims from its SW-file."""
        claim = claim_of(vcpu)
        yield from super().kvm_riscv_vcpu_aia_imsic_rmw_topei(current, vcpu)
        k.details.msi_claimed(vcpu, claim)


def with_details(kernel: type[Module]) -> type[Module]:
    """Put the probes of the timeline, and these in front of them, on a kernel; the same class each
    time."""
    return stacked(kernel.name, (DetailProbes, kernel))
