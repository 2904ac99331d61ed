"""Calls between the functions of objects that go by way of the kernel, and the IPI that they send.

So a patch, the model or a check that watches such a function gets it, whoever has it.
"""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.object.externs import Extern, OfKernel
from hgeisim.machine.ops import Path
from hgeisim.object.arithmetic import s32
from hgeisim.object.layout import interrupt_file


def sender(struct: str, ipi: str) -> Extern:
    """on_each_cpu_mask of an IPI with a pointer into the stack of its sender: `ipi` is the kernel's
    operation that sends it, `struct` has what the pointer means.  Checks look at `data` for which
    file it is about."""

    def on_each_cpu_mask(k: Any, current: Any, mask: int, info: int) -> Path[None]:
        at = info + k.object.debug.offset(struct, "hgei")
        current.data.hgei, current.data.value = k.object.shared.load(at, 4), info
        yield from k.on_each_cpu_mask(current, mask, getattr(k, ipi))
        current.data.hgei = current.data.value = 0

    return on_each_cpu_mask


IPIS = {
    "imsic_vsfile_local_read": sender("imsic_vsfile_read_data", "vsfile_local_read"),
    "imsic_vsfile_local_rw": sender("imsic_vsfile_rw_data", "vsfile_local_rw"),
}
"""The senders of the IPIs that the model has, too, by the function that they call."""


def alloc_hgei(k: Any, current: Any, cpu: int, owner: int, *out: int) -> Path[int]:
    """kvm_riscv_aia_alloc_hgei, called from an object: it has the addresses written where they are
    wanted, see `imsic_local_config`."""
    vcpu = k.structs.vcpu(owner)
    got = yield from k.kvm_riscv_aia_alloc_hgei(s32(cpu), vcpu)
    if got > 0:
        for pointer in out[:2]:
            if pointer:
                k.object.shared.store_bytes(pointer, 8, interrupt_file(s32(cpu), got))
    return int(got)


def free_hgei(k: Any, current: Any, cpu: int, hgei: int, *_: int) -> OfKernel:
    """kvm_riscv_aia_free_hgei, called from an object."""
    return k.kvm_riscv_aia_free_hgei(s32(cpu), s32(hgei))


def release(k: Any, current: Any, vcpu: int, *_: int) -> OfKernel:
    """kvm_riscv_vcpu_aia_imsic_release, called from an object."""
    return k.kvm_riscv_vcpu_aia_imsic_release(current, k.structs.vcpu(vcpu))


def find_hgei(k: Any, current: Any, owner: int, *_: int) -> OfKernel:
    """aia_find_hgei, called from an object."""
    return k.aia_find_hgei(current, k.structs.vcpu(owner))


def extirq_update(k: Any, current: Any, vcpu: int, *_: int) -> OfKernel:
    """imsic_swfile_extirq_update, called from an object."""
    return k.imsic_swfile_extirq_update(current, k.structs.vcpu(vcpu))


MODEL_FUNCTIONS: dict[str, Extern] = {
    "kvm_riscv_aia_alloc_hgei": alloc_hgei,
    "kvm_riscv_aia_free_hgei": free_hgei,
    "kvm_riscv_vcpu_aia_imsic_release": release,
    "aia_find_hgei": find_hgei,
    "imsic_swfile_extirq_update": extirq_update,
}
"""Calls that take the way by the kernel; the last two only where they are left to the model."""
