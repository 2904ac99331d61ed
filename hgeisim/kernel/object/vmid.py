"""The functions of vmid.c that are taken from vmid.o, where a build has it, and its variables."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.object.path import call
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.ops import Path
from hgeisim.object.plain_memory import cell_of

FILE = "vmid.o"
VMID_BITS = 7
"""More VMs than a scenario has: here VMIDs are used up by others (`vmids_run_out`)."""
VMID_NEXT = 2
"""vmid_next: the VM that was first in this version has had 1."""
FIRST_VERSION = 1
"""vmid_version at first; the model counts from 0."""


def bind_vmids(k: Any) -> None:
    """The variables of vmid.c, in a kernel with vmid.o."""
    code = k.object
    symbols, shared = code.image.symbols, code.shared
    if "vmid_version" not in symbols:
        return
    cell = cell_of(code.memory, k.globals, "vmid_version")
    shared.bind(symbols["vmid_version"], 8, cell, version_in_c, version_in_model)
    shared.fix(symbols["vmid_bits"], 8, VMID_BITS)
    shared.store_bytes(symbols["vmid_next"], 8, VMID_NEXT)
    k.structs.locks[symbols["vmid_lock"]] = k.vmid_lock
    k.structs.vmid_version = cell


def version_in_c(version: int) -> int:
    """A version as vmid.c counts it."""
    return version + FIRST_VERSION


def version_in_model(version: int) -> int:
    """A version as the model counts it."""
    return version - FIRST_VERSION


class VmidFunctions:
    """Each function of vmid.o that the kernel enters."""

    def kvm_riscv_gstage_vmid_update(k: Any, current: Thread, vcpu: Vcpu | None) -> Path[None]:
        """kvm_riscv_gstage_vmid_update of a vCPU; that other VMs have used up all VMIDs is the
        model's."""
        if vcpu is None:
            yield from k.first_user_of_a_version(current)
        else:
            pointer = k.structs.pointer(vcpu.id)
            yield from call(k, current, "kvm_riscv_gstage_vmid_update", pointer)
