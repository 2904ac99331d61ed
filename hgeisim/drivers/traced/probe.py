"""Probes on the kernel paths, where the trace of the real kernel has them."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.kernel.module import Module
from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Stop, stopping

Sections = frozenset[tuple[str, int]]
"""What a path may touch before its next probe: ("hgei", CPU) and ("vsfile", vCPU id)."""
NOTHING: Sections = frozenset()


@dataclass(frozen=True, slots=True)
class Probe(Op):
    """A path is at a probe; `name` is that of the event.

    The other fields are the values of the event, -1 or 0 where it has none: `vcpu` is an id,
    `value` a return value or an argument.  `sections` are entered after it.
    """

    name: str
    sections: Sections = NOTHING
    vcpu: int = 0
    cpu: int = -1
    line: int = -1
    value: int = 0


def hgei(cpu: int) -> Sections:
    """The section under hgctrl->lock of a CPU."""
    return frozenset([("hgei", cpu)])


def vsfile(vcpu: int) -> Sections:
    """The section under vsfile_lock of a vCPU."""
    return frozenset([("vsfile", vcpu)])


def _sgei(current: Runner) -> Probe:
    """The real probe is a little later, where nothing but HGEIE has changed."""
    mask = current.hart.hgeip & current.hart.hgeie
    return Probe("sgei", hgei(current.cpu), 0, current.cpu, value=mask)


STOPS: dict[str, Stop] = {
    "kvm_riscv_aia_alloc_hgei": Stop(
        lambda cpu, owner: [Probe("alloc", hgei(cpu), owner.id, cpu)],
        lambda ret, cpu, owner: [Probe("alloc_ret", vsfile(owner.id), owner.id, cpu, value=ret)],
    ),
    "kvm_riscv_aia_free_hgei": Stop(
        lambda cpu, line: [Probe("free", hgei(cpu), 0, cpu, line)],
        lambda ret, cpu, line: [Probe("free_ret", NOTHING, 0, cpu, line)],
    ),
    "kvm_riscv_vcpu_aia_imsic_update": Stop(
        lambda current, vcpu: [Probe("upd", vsfile(vcpu.id), vcpu.id)],
        lambda ret, current, vcpu: [Probe("upd_ret", NOTHING, vcpu.id, value=ret)],
    ),
    # The loop of kvm_riscv_aia_disable looks at the next owner after it.
    "kvm_riscv_vcpu_aia_imsic_release": Stop(
        lambda current, vcpu: [Probe("rel", vsfile(vcpu.id), vcpu.id)],
        lambda ret, current, vcpu: [Probe("rel_ret", hgei(current.cpu), vcpu.id)],
    ),
    "kvm_riscv_mmu_ioremap": Stop(
        lambda current, vcpu, cpu, line: [Probe("ioremap", vsfile(vcpu.id), vcpu.id, cpu, line)]
    ),
    "kvm_riscv_mmu_iounmap": Stop(lambda current, vcpu: [Probe("iounmap", NOTHING, vcpu.id)]),
    "imsic_vsfile_local_read": Stop(
        lambda current, sender: [
            Probe("lread", NOTHING, sender.data.vcpu, current.cpu, sender.data.hgei)
        ]
    ),
    "hgei_interrupt": Stop(lambda current: [_sgei(current)]),
    "kvm_vcpu_kick": Stop(lambda current, vcpu: [Probe("kick", hgei(current.cpu), vcpu.id)]),
    "kvm_riscv_aia_disable": Stop(
        lambda current: [Probe("dis", hgei(current.cpu), 0, current.cpu)],
        lambda ret, current: [Probe("dis_ret", hgei(current.cpu), 0, current.cpu)],
    ),
    # virtualization_enabled, which an allocation needs, is set after it.
    "kvm_riscv_aia_enable": Stop(
        lambda current: [Probe("en", hgei(current.cpu), 0, current.cpu)],
        lambda ret, current: [Probe("en_ret", hgei(current.cpu), 0, current.cpu)],
    ),
    "kvm_riscv_aia_wakeon_hgei": Stop(
        lambda current, owner, enable: [
            Probe("wakeon", hgei(current.cpu), owner.id, current.cpu, value=enable)
        ]
    ),
}
"""Where the paths of a kernel stop, by function."""


def probed(kernel: type[Module]) -> type[Module]:
    """The same kernel, which stops where the trace of a real one has its probes."""
    made: type[Module] = stopping(kernel, STOPS)
    return made
