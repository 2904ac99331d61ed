"""Probes on the kernel paths, where the trace of the real kernel has them."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Caller, Thread, Vcpu
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.task import Runner

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


class Probed(Module):
    """Overrides the functions that have probes; nothing else changes."""

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """Alloc and alloc_ret."""
        yield Probe("alloc", hgei(cpu), owner.id, cpu)
        ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        yield Probe("alloc_ret", vsfile(owner.id), owner.id, cpu, value=ret)
        return ret

    def kvm_riscv_aia_free_hgei(k, cpu: int, hgei_: int) -> Path[None]:
        """Free and free_ret."""
        yield Probe("free", hgei(cpu), 0, cpu, hgei_)
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei_)
        yield Probe("free_ret", NOTHING, 0, cpu, hgei_)

    def kvm_riscv_vcpu_aia_imsic_update(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """Upd and upd_ret."""
        yield Probe("upd", vsfile(vcpu.id), vcpu.id)
        ret = yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu)
        yield Probe("upd_ret", NOTHING, vcpu.id, value=ret)
        return ret

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """Rel and rel_ret; the loop of kvm_riscv_aia_disable looks at the next owner after it."""
        yield Probe("rel", vsfile(vcpu.id), vcpu.id)
        yield from super().kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        yield Probe("rel_ret", hgei(current.cpu), vcpu.id)

    def kvm_riscv_mmu_ioremap(k, current: Runner, vcpu: Vcpu, cpu: int, hgei_: int) -> Path[None]:
        """Ioremap."""
        yield Probe("ioremap", vsfile(vcpu.id), vcpu.id, cpu, hgei_)
        yield from super().kvm_riscv_mmu_ioremap(current, vcpu, cpu, hgei_)

    def kvm_riscv_mmu_iounmap(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """Iounmap."""
        yield Probe("iounmap", NOTHING, vcpu.id)
        yield from super().kvm_riscv_mmu_iounmap(current, vcpu)

    def imsic_vsfile_local_read(k, current: Runner, sender: Caller) -> Path[None]:
        """Lread, on the CPU of the VS-file."""
        yield Probe("lread", NOTHING, sender.data.vcpu, current.cpu, sender.data.hgei)
        yield from super().imsic_vsfile_local_read(current, sender)

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """Sgei; the real probe is a little later, where nothing but HGEIE has changed."""
        mask = current.hart.hgeip & current.hart.hgeie
        yield Probe("sgei", hgei(current.cpu), 0, current.cpu, value=mask)
        yield from super().hgei_interrupt(current)

    def kvm_vcpu_kick(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """Kick."""
        yield Probe("kick", hgei(current.cpu), vcpu.id)
        yield from super().kvm_vcpu_kick(current, vcpu)

    def kvm_riscv_aia_disable(k, current: Caller) -> Path[None]:
        """Dis and dis_ret."""
        yield Probe("dis", hgei(current.cpu), 0, current.cpu)
        yield from super().kvm_riscv_aia_disable(current)
        yield Probe("dis_ret", hgei(current.cpu), 0, current.cpu)

    def kvm_riscv_aia_enable(k, current: Runner) -> Path[None]:
        """En and en_ret; virtualization_enabled, which an allocation needs, is set after it."""
        yield Probe("en", hgei(current.cpu), 0, current.cpu)
        yield from super().kvm_riscv_aia_enable(current)
        yield Probe("en_ret", hgei(current.cpu), 0, current.cpu)

    def kvm_riscv_aia_wakeon_hgei(k, current: Runner, owner: Vcpu, enable: int) -> Path[None]:
        """Wakeon."""
        yield Probe("wakeon", hgei(current.cpu), owner.id, current.cpu, value=enable)
        yield from super().kvm_riscv_aia_wakeon_hgei(current, owner, enable)


def probed(kernel: type[Module]) -> type[Module]:
    """Put the probes on a kernel."""
    return type(kernel.__name__, (Probed, kernel), {"__module__": __name__, "name": kernel.name})
