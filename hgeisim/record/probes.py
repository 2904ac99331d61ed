"""Return probes on kernel functions, which tell a timeline what happened.

They are put in front of a kernel class, as kretprobes are put on functions: the paths do not know.
"""

from __future__ import annotations

from collections.abc import Callable

from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Caller, Thread, Vcpu, Vm
from hgeisim.kernel.variants import stacked
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner
from hgeisim.record.timeline import ALLOC, FAIL, FREE, OFFLINE, ONLINE, RELEASE, SGEI

Tell = Callable[[int, int, int, int], None]


class Probes(Module):
    """Overrides the functions of interest and calls `k.tell(kind, hart, vcpu, line)`, and
    `k.created(vm)` with a VM that was created.

    `emptied` says what made the global count of lines 0: the HART, the time in ns, and whether it
    was enabling that HART (True) or the initcall there; None while the count is not 0.
    """

    tell: Tell = staticmethod(lambda kind, hart, vcpu, line: None)
    created: Callable[[Vm], None] = staticmethod(lambda vm: None)
    emptied: tuple[int, int, bool] | None = None

    def kvm_riscv_aia_init(k, current: Runner) -> Path[None]:
        """Look whether the initcall counts any line."""
        yield from super().kvm_riscv_aia_init(current)
        k.look_at_count(current.cpu, enabling=False)

    def kvm_riscv_aia_enable(k, current: Runner) -> Path[None]:
        """Look whether a HART leaves any line in the count."""
        yield from super().kvm_riscv_aia_enable(current)
        k.look_at_count(current.cpu, enabling=True)

    def look_at_count(k, cpu: int, enabling: bool) -> None:
        """Remember what made the global count 0, if something has."""
        if k.globals.kvm_riscv_aia_nr_hgei:
            k.emptied = None
        else:
            k.emptied = k.emptied or (cpu, k.ktime_get(), enabling)

    def kvm_create_vm(k, current: Thread, vm: Vm) -> Path[None]:
        """Tell of a VM, which has its AIA mode by now."""
        yield from super().kvm_create_vm(current, vm)
        k.created(vm)

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """Tell of a line taken, or of none free."""
        hgei = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        k.tell(ALLOC if hgei > 0 else FAIL, cpu, owner.id, max(hgei, 0))
        return hgei

    def kvm_riscv_aia_free_hgei(k, cpu: int, hgei: int) -> Path[None]:
        """Tell of a line given back."""
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)
        k.tell(FREE, cpu, 0, hgei)

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """Tell of an SGEI that was handled."""
        yield from super().hgei_interrupt(current)
        k.tell(SGEI, current.cpu, 0, 0)

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """Tell of a vCPU that lost its VS-file."""
        cpu, hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        yield from super().kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        if cpu >= 0:
            k.tell(RELEASE, cpu, vcpu.id, hgei)

    def kvm_disable_virtualization_cpu(k, current: Caller, sender: Caller) -> Path[None]:
        """Tell of a HART that has no HGEI any more."""
        k.tell(OFFLINE, current.cpu, 0, 0)
        yield from super().kvm_disable_virtualization_cpu(current, sender)

    def kvm_enable_virtualization_cpu(k, current: Runner) -> Path[None]:
        """Tell of a HART that has HGEI again."""
        yield from super().kvm_enable_virtualization_cpu(current)
        k.tell(ONLINE, current.cpu, 0, 0)


def probed(kernel: type[Module]) -> type[Module]:
    """Put the probes on a kernel; the same class each time."""
    return stacked(kernel.name, (Probes, kernel))
