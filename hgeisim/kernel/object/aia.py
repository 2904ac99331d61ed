"""The functions of aia.c and aia_imsic.c that are taken from objects, each as a path of the kernel.

They are put in front of a kernel like a patch: what they have goes to the object, all else is the
model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import Any, ClassVar

from hgeisim.kernel.main import Module
from hgeisim.kernel.object import path as paths
from hgeisim.kernel.object.aia_cells import CONFIG, bind_globals
from hgeisim.kernel.object.between import IPIS, MODEL_FUNCTIONS
from hgeisim.kernel.object.csrs import selected, set_back
from hgeisim.kernel.object.externs import CONSTANTS, EXTERNS, Extern
from hgeisim.kernel.object.path import call, entered
from hgeisim.kernel.object.structs import Structs
from hgeisim.kernel.object.vmid import bind_vmids
from hgeisim.kernel.structs import Caller, Thread, Vcpu, Vm
from hgeisim.machine.guest import SWEEP_VSFILE
from hgeisim.machine.kernel_name import is_of_kernel
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner
from hgeisim.object.debug_info import DebugInfo
from hgeisim.object.image import Image
from hgeisim.object.object_code import ObjectCode, Outside
from hgeisim.object.plain_memory import PlainMemory

FILES = ("aia.o", "aia_imsic.o")
EIDELIVERY, EIE, TOPEI = 0x70, 0xC0, 0x200
"""Registers of an interrupt file (AIA specification); TOPEI is KVM_RISCV_AIA_IMSIC_TOPEI."""
ISEL_BITS = 12
"""Where the number of the vCPU begins in the attribute that an ioctl names."""
SETIPNUM_LE = 0
"""The register of an IMSIC page to which MSIs are stored."""
IN_C = {
    "kvm_riscv_vcpu_aia_imsic_rmw_topei": "kvm_riscv_vcpu_aia_imsic_rmw",
    "kvm_riscv_vcpu_aia_imsic_rmw_setup": "kvm_riscv_vcpu_aia_imsic_rmw",
    "kvm_riscv_vcpu_aia_imsic_rmw_eie": "kvm_riscv_vcpu_aia_imsic_rmw",
}
"""The names in C of functions that the model has in several forms."""
NOBODY = 0
"""The number of a context for functions that do not say who calls them: they look at no CPU."""
BETWEEN = (
    "kvm_riscv_aia_alloc_hgei",
    "kvm_riscv_aia_free_hgei",
    "kvm_riscv_vcpu_aia_imsic_release",
)
"""Functions that objects call by way of the kernel, so that patches and checks see them."""


class AiaObjects(Module):
    """A kernel with objects: `image` and `debug` are those of a build, `from_model` the functions
    that objects call and the model has.

    It keeps no state besides addresses, which never change.
    """

    image: ClassVar[Image]
    debug: ClassVar[DebugInfo]
    from_model: ClassVar[frozenset[str]] = frozenset()
    stores_apart = True

    def __init__(k, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        constants = {**CONSTANTS, "imsic_get_global_config": CONFIG}
        outside = Outside(frozenset((*BETWEEN, *k.from_model)), constants)
        cpus = len(k.hart)
        memory = PlainMemory() if k.memory is None else k.memory
        k.object = ObjectCode(k.image, k.debug, memory, cpus, outside)
        k.vsiselect = [memory.cell(f"hart{cpu}.vsiselect") for cpu in range(cpus)]
        k.structs = Structs(k.object)
        k.sent_ipis: dict[tuple[int, int], Any] = {}
        k.ipis = IPIS
        k.externs: dict[str, Extern] = EXTERNS | MODEL_FUNCTIONS
        bind_globals(k, k.object)
        bind_vmids(k)

    def add_vcpu(k, name: str, cpu: int, vm: Vm) -> Vcpu:
        """A vCPU, in the memory of C as well."""
        vcpu = super().add_vcpu(name, cpu, vm)
        k.structs.add(vcpu)
        return vcpu

    def forget_vm(k, vm: Vm) -> None:
        """Give back its memory, in C as well."""
        super().forget_vm(vm)
        k.structs.end(vm)

    def source_of(k, frames: Sequence[FrameType]) -> str:
        """Where in C a path is, if the innermost function of the kernel is one of an object."""
        inner = next((each for each in reversed(frames) if is_of_kernel(each)), None)
        if inner is None or inner.f_code.co_filename != paths.__file__:
            return ""
        return str(k.object.line(inner.f_locals["at"]))

    def object_path(k, name: str) -> Any:
        """The path of a function of this name, to be given a kernel, a context and a number."""
        return entered(name)


class AiaFunctions(AiaObjects):
    """Each function of the objects that the kernel enters, under the model's name for it.

    A kernel of objects has those that are not left to the model.
    """

    def kvm_riscv_aia_init(k, current: Runner) -> Path[None]:
        """kvm_riscv_aia_init."""
        yield from call(k, current, "kvm_riscv_aia_init")

    def kvm_riscv_aia_exit(k, current: Thread) -> Path[None]:
        """kvm_riscv_aia_exit."""
        yield from call(k, current, "kvm_riscv_aia_exit")

    def kvm_riscv_aia_enable(k, current: Runner) -> Path[None]:
        """kvm_riscv_aia_enable."""
        yield from call(k, current, "kvm_riscv_aia_enable")

    def kvm_riscv_aia_disable(k, current: Caller) -> Path[None]:
        """kvm_riscv_aia_disable."""
        yield from call(k, current, "kvm_riscv_aia_disable")

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt."""
        yield from call(k, current, "hgei_interrupt", 0, 0)

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Runner, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_has_interrupts, of all interrupts."""
        name, pointer = "kvm_riscv_vcpu_aia_has_interrupts", k.structs.pointer(vcpu.id)
        done = yield from call(k, current, name, pointer, -1)
        return int(done.value)

    def kvm_riscv_aia_wakeon_hgei(k, current: Runner, owner: Vcpu, enable: int) -> Path[None]:
        """kvm_riscv_aia_wakeon_hgei."""
        pointer = k.structs.pointer(owner.id)
        yield from call(k, current, "kvm_riscv_aia_wakeon_hgei", pointer, enable)

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """kvm_riscv_aia_alloc_hgei, called from the model, which has no use for the addresses."""
        name, pointer = "kvm_riscv_aia_alloc_hgei", k.structs.pointer(owner.id)
        done = yield from call(k, owner.thread, name, cpu, pointer, 0, 0)
        return int(done.value)

    def kvm_riscv_aia_free_hgei(k, cpu: int, hgei: int) -> Path[None]:
        """kvm_riscv_aia_free_hgei, from any context."""
        at = k.object.enter(NOBODY, "kvm_riscv_aia_free_hgei", (cpu, hgei))
        yield from entered("kvm_riscv_aia_free_hgei")(k, None, at)

    def kvm_riscv_vcpu_aia_imsic_update(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_update."""
        current.data.vcpu = vcpu.id
        name, pointer = "kvm_riscv_vcpu_aia_imsic_update", k.structs.pointer(vcpu.id)
        before = selected(k, current)
        done = yield from call(k, current, name, pointer)
        set_back(k, current, before)
        current.data.vcpu = 0
        return int(done.value)

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_release."""
        current.data.vcpu = vcpu.id
        pointer = k.structs.pointer(vcpu.id)
        yield from call(k, current, "kvm_riscv_vcpu_aia_imsic_release", pointer)
        current.data.vcpu = 0

    def kvm_riscv_vcpu_aia_imsic_reset(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_reset."""
        pointer = k.structs.pointer(vcpu.id)
        yield from call(k, current, "kvm_riscv_vcpu_aia_imsic_reset", pointer)

    def kvm_riscv_vcpu_aia_imsic_cleanup(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_cleanup."""
        pointer = k.structs.pointer(vcpu.id)
        yield from call(k, current, "kvm_riscv_vcpu_aia_imsic_cleanup", pointer)

    def kvm_riscv_vcpu_aia_imsic_inject(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_inject, of an MSI to the guest's only page."""
        name, pointer = "kvm_riscv_vcpu_aia_imsic_inject", k.structs.pointer(vcpu.id)
        yield from call(k, current, name, pointer, 0, SETIPNUM_LE, iid)

    def imsic_vsfile_local_read(k, current: Any, sender: Caller) -> Path[None]:
        """imsic_vsfile_local_read, in an IPI; `sender.data.value` is the pointer that it gets."""
        if not sender.data.value:  # the model has sent it
            yield from super(AiaObjects, k).imsic_vsfile_local_read(current, sender)
            return
        mine, current.data.vcpu = current.data.vcpu, sender.data.vcpu
        before = selected(k, current)
        yield from call(k, current, "imsic_vsfile_local_read", sender.data.value)
        set_back(k, current, before)
        current.data.vcpu = mine

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_aia_imsic_rw_attr, with kvm->lock of aia_get_attr or aia_set_attr around it;
        `data` says which register, and whether it is written."""
        data = current.data
        isel, value = data.isel, data.value
        yield vcpu.vm.lock.lock
        data.vcpu, data.isel = vcpu.id, 0  # objects keep something else there meanwhile
        at = rw_attr(k, current, vcpu, (isel, data.write, value))
        done = yield from entered("kvm_riscv_aia_imsic_rw_attr")(k, current, at)
        data.vcpu, data.isel = 0, isel
        data.value = value if data.write else done.out
        done = None  # a path holds nothing but numbers across a yield
        yield vcpu.vm.lock.unlock

    def imsic_vsfile_local_rw(k, current: Any, sender: Caller) -> Path[None]:
        """imsic_vsfile_local_rw, in an IPI; `sender.data.value` is the pointer that it gets."""
        info = sender.data.value
        at = info + k.object.debug.offset("imsic_vsfile_rw_data", "isel")
        if k.object.shared.load(at, 4) != EIDELIVERY:  # which is a sweep by itself, see csrs.py
            yield SWEEP_VSFILE
        mine, current.data.vcpu = current.data.vcpu, sender.data.vcpu
        before = selected(k, current)
        yield from call(k, current, "imsic_vsfile_local_rw", info)
        set_back(k, current, before)
        current.data.vcpu = mine

    def kvm_riscv_vcpu_aia_imsic_rmw_topei(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_rmw of topei: the guest claims."""
        at = rmw(k, current, vcpu, TOPEI, 0, -1)
        done = yield from entered("kvm_riscv_vcpu_aia_imsic_rmw")(k, current, at)
        return int(done.out) >> 16

    def kvm_riscv_vcpu_aia_imsic_rmw_setup(k, current: Thread, vcpu: Vcpu, eie: int) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_rmw of eie, then of eidelivery: the guest sets its file up."""
        at = rmw(k, current, vcpu, EIE, eie, eie)
        yield from entered("kvm_riscv_vcpu_aia_imsic_rmw")(k, current, at)
        at = rmw(k, current, vcpu, EIDELIVERY, 1, 1)
        yield from entered("kvm_riscv_vcpu_aia_imsic_rmw")(k, current, at)

    def kvm_riscv_vcpu_aia_imsic_rmw_eie(
        k, current: Thread, vcpu: Vcpu, new_val: int, wr_mask: int
    ) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_rmw of eie; returns what the guest reads."""
        at = rmw(k, current, vcpu, EIE, new_val, wr_mask)
        done = yield from entered("kvm_riscv_vcpu_aia_imsic_rmw")(k, current, at)
        return int(done.out)


def nr_hgei_of_cpu(k: Any, hgctrl: Any) -> int:
    """The number of lines of a CPU, for checks: hgctrl->nr_hgei, where objects have that."""
    return int(hgctrl.nr_hgei)


def rw_attr(k: Any, current: Any, vcpu: Vcpu, access: tuple[int, int, int]) -> int:
    """kvm_riscv_aia_imsic_rw_attr about to begin, with room for the value: `access` is the register
    as the model has it, whether to write it, and what."""
    isel, write, value = access
    kvm, index = k.structs.place_of(vcpu)
    arguments = (kvm, index << ISEL_BITS | (EIDELIVERY, EIE)[isel], write, 0)
    name, given = "kvm_riscv_aia_imsic_rw_attr", value if write else 0
    number: int = k.object.enter(current.number, name, arguments, out=3, given=given)
    return number


def rmw(k: Any, current: Any, vcpu: Vcpu, *access: int) -> int:
    """kvm_riscv_vcpu_aia_imsic_rmw about to begin, with room for what it reads: `access` is the
    register, the new value and the mask of its bits that change."""
    isel, new_val, wr_mask = access
    arguments = (k.structs.pointer(vcpu.id), isel, 0, new_val, wr_mask)
    number: int = k.object.enter(current.number, "kvm_riscv_vcpu_aia_imsic_rmw", arguments, out=2)
    return number
