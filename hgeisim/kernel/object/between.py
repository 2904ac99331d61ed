"""Calls between the functions of objects that go by way of the kernel, and the IPI that they send.

So a patch, the model or a check that watches such a function gets it, whoever has it.
"""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.object.externs import Extern, OfKernel
from hgeisim.machine.ops import Path
from hgeisim.object.arithmetic import s32
from hgeisim.object.layout import interrupt_file


def send_local_read(k: Any, current: Any, mask: int, info: int) -> Path[None]:
    """on_each_cpu_mask of imsic_vsfile_local_read: checks look at `data` for what it is about."""
    at = info + k.object.debug.offset("imsic_vsfile_read_data", "hgei")
    current.data.hgei, current.data.value = k.object.shared.load(at, 4), info
    yield from k.on_each_cpu_mask(current, mask, k.vsfile_local_read)
    current.data.hgei = current.data.value = 0


def send_local_rw(k: Any, current: Any, mask: int, info: int) -> Path[None]:
    """on_each_cpu_mask of imsic_vsfile_local_rw."""
    at = info + k.object.debug.offset("imsic_vsfile_rw_data", "hgei")
    current.data.hgei, current.data.value = k.object.shared.load(at, 4), info
    yield from k.on_each_cpu_mask(current, mask, k.vsfile_local_rw)
    current.data.hgei = current.data.value = 0


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
