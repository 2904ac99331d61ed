"""The structs of C that VMs and vCPUs are, and which VM or vCPU is at an address.

Memory of a VM that is gone is given to another one, as an allocator does; then objects have nothing
to learn again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hgeisim.kernel.object.csrs import VGEIN_MASK, VGEIN_SHIFT
from hgeisim.kernel.object.vmid import version_in_c, version_in_model
from hgeisim.kernel.structs import (
    EMUL,
    HWACCEL,
    REQ_HFENCE,
    REQ_UPDATE_HGATP,
    REQ_VCPU_RESET,
    Vcpu,
    Vm,
)
from hgeisim.object.arithmetic import WORD
from hgeisim.object.layout import PAGE_SHIFT
from hgeisim.object.object_code import KernelFault, ObjectCode
from hgeisim.object.plain_memory import PlainMemory, cell_of
from hgeisim.object.shared_memory import same

GUEST_IDS = 63
"""The identities of a guest file; the model has one word of them."""
MODES = {EMUL: 0, HWACCEL: 1}
AUTO_MODE = 2

REQUESTS = {REQ_VCPU_RESET: 1 << 9, REQ_UPDATE_HGATP: 1 << 10, REQ_HFENCE: 1 << 13}
"""The bits of vcpu->requests that the model has, and those of C (asm/kvm_host.h)."""


def requests_in_c(requests: int) -> int:
    """vcpu->requests of C."""
    return sum(bit for here, bit in REQUESTS.items() if requests & here)


def requests_in_model(requests: int) -> int:
    """vcpu->requests of the model."""
    return sum(here for here, bit in REQUESTS.items() if requests & bit)


@dataclass
class VcpuStruct:
    """The struct kvm_vcpu of a vCPU, with its IMSIC context and SW-file; `pointer` is the cell of
    imsic_state."""

    vcpu: Vcpu
    address: int
    imsic: int
    swfile: int
    pointer: int


@dataclass
class VmStruct:
    """The struct kvm of a VM, and those of its vCPUs, in their order; of the first `used` of them a
    VM has vCPUs."""

    vm: Vm
    vmid: Any
    address: int
    vcpus: list[VcpuStruct] = field(default_factory=list)
    used: int = 0


class Structs:
    """All of them, in one kernel."""

    def __init__(self, code: ObjectCode) -> None:
        self.code = code
        self.locks: dict[int, Any] = {}
        self._pointers = [0]
        self._vcpus: dict[int, VcpuStruct] = {}
        self._imsics: dict[int, VcpuStruct] = {}
        self._pages: list[VcpuStruct] = []
        self._vms: dict[int, VmStruct] = {}
        self._of: dict[Vm, VmStruct] = {}
        self._gone: dict[int, list[VmStruct]] = {}
        self.vmid_version: int | None = None

    def pointer(self, ident: int) -> int:
        """The address of the vCPU with an id; NULL for 0."""
        return self._pointers[ident]

    def vcpu(self, address: int) -> Vcpu:
        """The vCPU that a pointer points to.  Raises `KernelFault`."""
        found = self._vcpus.get(address)
        if found is None:
            raise KernelFault(f"{address:#x} is not the address of a vCPU", ())
        return found.vcpu

    def place_of(self, vcpu: Vcpu) -> tuple[int, int]:
        """The address of the VM of a vCPU, and which of its vCPUs it is."""
        return self._of[vcpu.vm].address, vcpu.vm.vcpus.index(vcpu)

    def vcpu_of_page(self, kvm: int, address: int) -> Vcpu:
        """The vCPU whose IMSIC page has a guest physical address (aia_context.imsic_addr) in the
        VM whose struct kvm is at `kvm`.  Raises `KernelFault`."""
        page, rest = divmod(address, 1 << PAGE_SHIFT)
        vm = self.vm(kvm)
        if rest or not 1 <= page <= len(self._pages) or self._pages[page - 1].vcpu.vm is not vm:
            raise KernelFault(f"{vm.name} has no IMSIC page at {address:#x}", ())
        return self._pages[page - 1].vcpu

    def vcpu_of_imsic(self, address: int) -> Vcpu | None:
        """The vCPU whose IMSIC context is at an address."""
        found = self._imsics.get(address)
        return found.vcpu if found else None

    def vm(self, address: int) -> Vm:
        """The VM whose struct kvm is at an address.  Raises `KernelFault`."""
        if address not in self._vms:
            raise KernelFault(f"{address:#x} is not the address of a VM", ())
        return self._vms[address].vm

    def vcpu_in(self, array: int, index: int) -> int:
        """The address of the vCPU at an index of kvm->vcpu_array, NULL if there is none."""
        at = array - self.code.debug.offset("kvm", "vcpu_array")
        if at not in self._vms:
            raise KernelFault(f"{array:#x} is not the vcpu_array of a VM", ())
        vm = self._vms[at]
        return vm.vcpus[index].address if index < vm.used else 0

    def id_at(self, pointer: int) -> int:
        """The id of the vCPU that a pointer in owners[] means, 0 for NULL."""
        if not pointer:
            return 0
        found = self._vcpus.get(pointer)
        if found is None:
            raise KernelFault(f"owners[] gets {pointer:#x}, not the address of a vCPU", ())
        return int(found.vcpu.id)

    def add(self, vcpu: Vcpu) -> None:
        """A vCPU comes, as kvm_riscv_vcpu_aia_imsic_init leaves it."""
        vm = self._of.get(vcpu.vm) or self._begin(vcpu.vm)
        if vm.used < len(vm.vcpus):
            here = vm.vcpus[vm.used]
            self._take_over(here, vcpu)
        else:
            here = self._make(vm, vcpu)
            vm.vcpus.append(here)
        vm.used += 1
        if self.code.debug.has_member("kvm", "online_vcpus"):
            at = vm.address + self.code.debug.offset("kvm", "online_vcpus")
            self.code.shared.fix(at, 4, vm.used)
        self._pointers.append(here.address)
        self._set_locks(here)

    def end(self, vm: Vm) -> None:
        """A VM has been gone for so long that its memory may be another one's."""
        if vm in self._of:
            self._gone.setdefault(vm.aia_mode, []).append(self._of.pop(vm))

    def _begin(self, vm: Vm) -> VmStruct:
        code, gone = self.code, self._gone.get(vm.aia_mode)
        if gone:
            here = gone.pop()
            if self.vmid_version is not None and isinstance(code.memory, PlainMemory):
                code.memory.exchange(here.vmid, vm.vmid)
            here.vm, here.vmid, here.used = vm, vm.vmid, 0
            code.shared.forget(here.address)
        else:
            here = VmStruct(vm, vm.vmid, code.allocate(code.debug.size("kvm"), vm.name))
            self._vms[here.address] = here
            at = code.debug.offset
            mode = MODES.get(vm.aia_mode, AUTO_MODE)
            code.shared.fix(here.address + at("kvm", "arch.aia.mode"), 4, mode)
            code.shared.fix(here.address + at("kvm", "arch.aia.initialized"), 1, 1)
            code.shared.fix(here.address + at("kvm", "arch.aia.nr_ids"), 4, GUEST_IDS)
            if self.vmid_version is not None:
                self._bind_vmid(here, self.vmid_version)
        self._of[vm] = here
        for name in ("slots_lock", "lock"):
            self.locks[here.address + code.debug.offset("kvm", name)] = getattr(vm, name)
        return here

    def _bind_vmid(self, here: VmStruct, of_now: int) -> None:
        """kvm->arch.vmid.  The model has the version in which a VMID was given out for the VMID; in
        C a VMID means the same once it is handed out again."""
        code = self.code
        shared, at, memory = code.shared, code.debug.offset, code.memory
        version, vmid = (cell_of(memory, here.vmid, name) for name in ("version", "vmid"))
        place = here.address + at("kvm", "arch.vmid.vmid_version")
        shared.bind(place, 8, version, version_in_c, version_in_model)
        place = here.address + at("kvm", "arch.vmid.vmid")
        shared.bind(place, 8, vmid, to_model=lambda _: shared.memory.read(of_now))

    def _take_over(self, here: VcpuStruct, vcpu: Vcpu) -> None:
        """A vCPU gets the structs of one that is gone."""
        memory = self.code.memory
        if isinstance(memory, PlainMemory):  # in a search nothing is given back
            memory.exchange(here.vcpu, vcpu)
            memory.exchange(here.vcpu.swfile, vcpu.swfile)
        here.vcpu = vcpu
        for address in (here.address, here.imsic, here.swfile):
            self.code.shared.forget(address)
        memory.write(here.pointer, here.imsic)

    def _make(self, vm: VmStruct, vcpu: Vcpu) -> VcpuStruct:
        code = self.code
        shared, at, size = code.shared, code.debug.offset, code.debug.size
        address = code.allocate(size("kvm_vcpu"), vcpu.name)
        imsic = code.allocate(size("imsic"), f"{vcpu.name}.imsic")
        swfile = code.allocate(size("imsic_mrif"), f"{vcpu.name}.swfile")
        run = code.allocate(size("kvm_run"), f"{vcpu.name}.run")
        pointer = code.memory.cell(f"{vcpu.name}.imsic_state", imsic)
        here = VcpuStruct(vcpu, address, imsic, swfile, pointer)
        self._vcpus[address] = self._imsics[imsic] = here
        self._pages.append(here)
        for name, value in (
            ("kvm", vm.address),
            ("run", run),
            ("arch.aia_context.imsic_addr", len(self._pages) << PAGE_SHIFT),
            ("arch.guest_csr.vsie", WORD),
        ):
            shared.fix(address + at("kvm_vcpu", name), 8, value)
        for name in ("vcpu_id", "vcpu_idx"):
            if code.debug.has_member("kvm_vcpu", name):
                shared.fix(address + at("kvm_vcpu", name), 4, len(vm.vcpus))
        for name, count in (("nr_msis", GUEST_IDS + 1), ("nr_eix", 1), ("nr_hw_eix", 1)):
            shared.fix(imsic + at("imsic", name), 4, count)
        shared.fix(imsic + at("imsic", "swfile"), 8, swfile)
        self._bind(here)
        return here

    def _bind(self, here: VcpuStruct) -> None:
        """The fields that the model has."""
        code, vcpu = self.code, here.vcpu
        shared, at, memory = code.shared, code.debug.offset, code.memory
        shared.bind(here.address + at("kvm_vcpu", "cpu"), 4, cell_of(memory, vcpu, "cpu"))
        place = here.address + at("kvm_vcpu", "arch.aia_context.imsic_state")
        shared.bind(place, 8, here.pointer, to_model=same)
        shared.bind(
            here.address + at("kvm_vcpu", "arch.guest_context.hstatus"),
            8,
            cell_of(memory, vcpu, "vgein"),
            lambda vgein: vgein << VGEIN_SHIFT,
            lambda hstatus: hstatus >> VGEIN_SHIFT & VGEIN_MASK,
        )
        if self.vmid_version is not None:
            cell = cell_of(memory, vcpu, "requests")
            place = here.address + at("kvm_vcpu", "requests")
            shared.bind(place, 8, cell, requests_in_c, requests_in_model)
        for name in ("vsfile_cpu", "vsfile_hgei"):
            shared.bind(here.imsic + at("imsic", name), 4, cell_of(memory, vcpu, name))
        first = at("imsic_mrif", "eix")
        for name, offset in (
            ("eidelivery", at("imsic_mrif", "eidelivery")),
            ("eithreshold", at("imsic_mrif", "eithreshold")),
            ("eip", first + at("imsic_mrif_eix", "eip")),
            ("eie", first + at("imsic_mrif_eix", "eie")),
        ):
            cell = cell_of(memory, vcpu.swfile, name)
            shared.bind(here.swfile + offset, 8, cell, to_model=same)

    def _set_locks(self, here: VcpuStruct) -> None:
        at = self.code.debug.offset
        if self.code.debug.has_member("kvm_vcpu", "mutex"):
            self.locks[here.address + at("kvm_vcpu", "mutex")] = here.vcpu.mutex
        self.locks[here.imsic + at("imsic", "vsfile_lock")] = here.vcpu.vsfile_lock
        if self.code.debug.has_member("imsic", "swfile_extirq_lock"):
            lock = here.vcpu.swfile_extirq_lock
            self.locks[here.imsic + at("imsic", "swfile_extirq_lock")] = lock
