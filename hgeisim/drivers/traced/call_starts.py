"""Which path of the kernel an event begins, when no call of its thread is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hgeisim.drivers.traced.possible_state import Hypothesis
from hgeisim.drivers.traced.probed_call import DISABLE, NOTHING, Context, answered, hgei, vsfile
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event

UPDATE = "kvm_riscv_vcpu_aia_imsic_update"
RELEASE = "kvm_riscv_vcpu_aia_imsic_release"
PREEMPTION_OFF = (UPDATE, "kvm_arch_vcpu_blocking", "kvm_arch_vcpu_unblocking")
"""Calls that are made with preemption off."""


def call_of(h: Hypothesis, event: Event) -> Context | None:
    """The call that an event begins, before its first step; None when it begins none.

    It is made by the thread of the event, but where that is known to be a vCPU's: by the vCPU's.
    """
    k, told, cpu = h.world.k, event.meaning, event.record.cpu
    match told:
        case kvm.Alloc() | kvm.Update() | kvm.Run():
            return update(h, h.world.vcpus[told.vcpu], cpu)
        case kvm.Wakeon():
            return wakeon(h, told, cpu)
    who = _placed(h, h.world.threads[event.thread], cpu)
    match told:
        case kvm.Release():
            return release(h, who, h.world.vcpus[told.vcpu])
        case kvm.Free():
            owner = h.owner(told.cpu, told.line)
            return cleanup(h, who, owner) if owner else None
        case kvm.Disable():
            return _call(h, DISABLE, who, lambda: k.kvm_disable_virtualization_cpu(who, who))
        case kvm.Enable():
            path = k.kvm_enable_virtualization_cpu
            return _call(h, "kvm_riscv_aia_enable", who, lambda: path(who))
    return None


def update(h: Hypothesis, vcpu: Vcpu, cpu: int) -> Context:
    """A vCPU is about to enter its guest."""
    who, path = _placed(h, vcpu.thread, cpu), h.world.k.kvm_riscv_vcpu_aia_imsic_update
    vcpu.freed = 0
    return _call(h, UPDATE, who, lambda: path(who, vcpu), vcpu)


def release(h: Hypothesis, who: Thread, vcpu: Vcpu) -> Context:
    """A vCPU is reset, and loses its VS-file."""
    path = h.world.k.kvm_riscv_vcpu_aia_imsic_release
    return _call(h, RELEASE, who, lambda: path(who, vcpu), vcpu)


def cleanup(h: Hypothesis, who: Thread, vcpu: Vcpu) -> Context:
    """A vCPU is destroyed."""
    path = h.world.k.kvm_riscv_vcpu_aia_imsic_cleanup
    h.unswept.add((vcpu.vsfile_cpu, vcpu.vsfile_hgei))
    return _call(h, "kvm_riscv_vcpu_aia_imsic_cleanup", who, lambda: path(who, vcpu), vcpu)


def wakeon(h: Hypothesis, told: kvm.Wakeon, cpu: int) -> Context:
    """A vCPU blocks, or has blocked."""
    k, vcpu = h.world.k, h.world.vcpus[told.vcpu]
    path = k.kvm_arch_vcpu_blocking if told.enabled else k.kvm_arch_vcpu_unblocking
    who = _placed(h, vcpu.thread, cpu)
    context = _call(h, path.__name__, who, lambda: path(who, vcpu), vcpu)
    context.sections = NOTHING
    return context


def sgei_call(h: Hypothesis, cpu: int, mask: int) -> Context:
    """A HART takes an SGEI, for the pending and enabled lines of `mask`."""
    k, who = h.world.k, h.world.sgeis[cpu]
    h.install()
    k.hart[cpu].hgeip = mask
    context = _call(h, "hgei_interrupt", who, lambda: k.hgei_interrupt(who))
    context.sections = hgei(cpu)
    return context


def _placed(h: Hypothesis, who: Thread, cpu: int) -> Thread:
    """Let a thread be on a CPU."""
    h.install()
    who.cpu = cpu
    return who


def _call(
    h: Hypothesis,
    function: str,
    who: Runner,
    path: Callable[[], Path[Any]],
    about: Vcpu | None = None,
) -> Context:
    """A call of a function by whoever is on its CPU already, about a vCPU if it is about one."""
    irqs = h.world.irqs
    sections = vsfile(about.id) if about else NOTHING
    vcpu = about.id if about else 0
    return Context(function, who, who.cpu, vcpu, lambda: answered(path(), who, irqs), sections)
