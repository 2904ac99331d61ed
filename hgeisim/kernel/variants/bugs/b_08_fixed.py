"""A fix of B-08, and of B-09: a vCPU that is put tries vsfile_lock, and does not wait for it."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import STEP, Path


class B08Fixed(Imsic):
    """Nobody waits for vsfile_lock while it holds the lock of a run queue.

    A context that holds it for writing takes the VS-file away, and kicks the vCPU where an
    interrupt is pending: there is no line to be armed.
    """

    def kvm_riscv_vcpu_aia_imsic_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_put (2.10) with read_trylock."""
        yield STEP
        if vcpu.wait.waiter:
            got = yield vcpu.vsfile_lock.read_trylock
            if got:
                if vcpu.vsfile_cpu > -1:
                    current.hart.write_hgeie(current.hart.hgeie | bit(vcpu.vsfile_hgei))
                    yield k.sgei[current.cpu]
                yield vcpu.vsfile_lock.read_unlock
