"""The obvious fix of B-08, which deadlocks: vsfile_lock as a raw_spinlock_t."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.kernel.structs import Vcpu, Vm
from hgeisim.machine.shared import Memory, build
from hgeisim.machine.spinlock import Acquire, RawSpinlock, Release, equipped


class RawVsfileLock(RawSpinlock):
    """vsfile_lock, by the names that its functions call: nobody shares it any more."""

    read_lock_irqsave: Acquire
    read_unlock_irqrestore: Release
    write_lock_irqsave: Acquire
    write_unlock_irqrestore: Release


class B08Raw(Imsic):
    """With "Change imsic->vsfile_lock from rwlock_t to raw_spinlock_t" (January 2026, not merged).

    An injection kicks the vCPU with the lock held, which waits for a run queue; who puts that vCPU
    holds the run queue, and waits for the lock.
    """

    def add_vcpu(k, name: str, cpu: int, vm: Vm) -> Vcpu:
        """kvm_riscv_vcpu_aia_imsic_init with raw_spin_lock_init."""
        vcpu: Any = super().add_vcpu(name, cpu, vm)
        vcpu.vsfile_lock = raw_vsfile_lock(k.memory, f"{name}.vsfile_lock")
        made: Vcpu = vcpu
        return made


def raw_vsfile_lock(memory: Memory | None, name: str) -> RawVsfileLock:
    """Make it."""
    lock = equipped(build(RawVsfileLock, memory, name), name, "imsic->vsfile_lock")
    lock.read_lock_irqsave = lock.write_lock_irqsave = lock.lock_irqsave
    lock.read_unlock_irqrestore = lock.write_unlock_irqrestore = lock.unlock_irqrestore
    return lock
