"""A fix of B-09: a vCPU is kicked once vsfile_lock is dropped."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner


class B09Fixed(Imsic):
    """Nobody waits for a run queue while it holds vsfile_lock for reading."""

    def kvm_riscv_vcpu_aia_imsic_inject(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_inject (2.12): the level of the SW-file is updated, and the
        vCPU kicked, after the lock."""
        yield vcpu.vsfile_lock.read_lock_irqsave
        on_vsfile = vcpu.vsfile_cpu >= 0
        if on_vsfile:
            hart = k.hart[vcpu.vsfile_cpu]
            hart.write_msi(vcpu.vsfile_hgei, iid)
            yield k.sgei[hart.id]
        else:
            vcpu.swfile.eip |= bit(iid)
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        if not on_vsfile:
            yield from k.imsic_swfile_extirq_update(current, vcpu)
