"""Which path of the kernel an event begins, when no call of its thread is under way."""

from __future__ import annotations

from hgeisim.drivers.traced.context import DISABLE, Context, answered
from hgeisim.drivers.traced.hypothesis import Hypothesis
from hgeisim.drivers.traced.probe import NOTHING, hgei, vsfile
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.trace import meaning as kvm
from hgeisim.trace.interval import Event

UPDATE = "kvm_riscv_vcpu_aia_imsic_update"
PREEMPTION_OFF = (UPDATE, "kvm_arch_vcpu_blocking", "kvm_arch_vcpu_unblocking")
"""Calls that are made with preemption off."""


def call_of(h: Hypothesis, event: Event) -> Context | None:
    """The call that an event begins, before its first step; None when it begins none."""
    match event.meaning:
        case kvm.Alloc() | kvm.Update() | kvm.Run():
            return update(h, h.world.vcpus[event.meaning.vcpu], event.record.cpu)
        case kvm.Release():
            return release(h, h.world.vcpus[event.meaning.vcpu], event)
        case kvm.Free():
            owner = h.owner(event.meaning.cpu, event.meaning.line)
            return cleanup(h, owner, event) if owner else None
        case kvm.Disable():
            return disable(h, event)
        case kvm.Enable():
            return enable(h, event)
        case kvm.Wakeon():
            return wakeon(h, event.meaning, event.record.cpu)
    return None


def update(h: Hypothesis, vcpu: Vcpu, cpu: int) -> Context:
    """A vCPU is about to enter its guest."""
    k, irqs, who = h.world.k, h.world.irqs, vcpu.thread
    _place(h, who, cpu)
    vcpu.freed = 0
    return Context(
        UPDATE, who, cpu, vcpu.id,
        lambda: answered(k.kvm_riscv_vcpu_aia_imsic_update(who, vcpu), who, irqs),
        vsfile(vcpu.id),
    )  # fmt: skip


def release(h: Hypothesis, vcpu: Vcpu, event: Event) -> Context:
    """A vCPU is reset, and loses its VS-file."""
    k, irqs, who = h.world.k, h.world.irqs, h.world.threads[event.thread]
    _place(h, who, event.record.cpu)
    return Context(
        "kvm_riscv_vcpu_aia_imsic_release", who, event.record.cpu, vcpu.id,
        lambda: answered(k.kvm_riscv_vcpu_aia_imsic_release(who, vcpu), who, irqs),
        vsfile(vcpu.id),
    )  # fmt: skip


def cleanup(h: Hypothesis, vcpu: Vcpu, event: Event) -> Context:
    """A vCPU is destroyed."""
    k, irqs, who = h.world.k, h.world.irqs, h.world.threads[event.thread]
    _place(h, who, event.record.cpu)
    h.unswept.add((vcpu.vsfile_cpu, vcpu.vsfile_hgei))
    return Context(
        "kvm_riscv_vcpu_aia_imsic_cleanup", who, event.record.cpu, vcpu.id,
        lambda: answered(k.kvm_riscv_vcpu_aia_imsic_cleanup(who, vcpu), who, irqs),
        vsfile(vcpu.id),
    )  # fmt: skip


def disable(h: Hypothesis, event: Event) -> Context:
    """A CPU gives up virtualization."""
    k, irqs, who = h.world.k, h.world.irqs, h.world.threads[event.thread]
    _place(h, who, event.record.cpu)
    return Context(
        DISABLE, who, event.record.cpu, 0,
        lambda: answered(k.kvm_disable_virtualization_cpu(who, who), who, irqs),
    )  # fmt: skip


def enable(h: Hypothesis, event: Event) -> Context:
    """A CPU takes up virtualization."""
    k, irqs, who = h.world.k, h.world.irqs, h.world.threads[event.thread]
    _place(h, who, event.record.cpu)
    return Context(
        "kvm_riscv_aia_enable", who, event.record.cpu, 0,
        lambda: answered(k.kvm_enable_virtualization_cpu(who), who, irqs),
    )  # fmt: skip


def wakeon(h: Hypothesis, told: kvm.Wakeon, cpu: int) -> Context:
    """A vCPU blocks, or has blocked."""
    k, irqs, vcpu = h.world.k, h.world.irqs, h.world.vcpus[told.vcpu]
    who, enable_ = vcpu.thread, int(told.enabled != 0)
    path = k.kvm_arch_vcpu_blocking if enable_ else k.kvm_arch_vcpu_unblocking
    _place(h, who, cpu)
    return Context(
        path.__name__, who, cpu, vcpu.id, lambda: answered(path(who, vcpu), who, irqs), NOTHING
    )


def sgei_call(h: Hypothesis, cpu: int, mask: int) -> Context:
    """A HART takes an SGEI, for the pending and enabled lines of `mask`."""
    k, irqs, who = h.world.k, h.world.irqs, h.world.sgeis[cpu]
    h.install()
    k.hart[cpu].hgeip = mask
    return Context(
        "hgei_interrupt", who, cpu, 0,
        lambda: answered(k.hgei_interrupt(who), who, irqs), hgei(cpu),
    )  # fmt: skip


def _place(h: Hypothesis, who: Thread, cpu: int) -> None:
    """Let a thread be on a CPU."""
    h.install()
    who.cpu = cpu
