"""Which fields of aia.c and aia_imsic.c are which cells of the model, and what their objects find
in memory at first.  Everything else that they touch becomes a cell of its own."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.object.csrs import VGEIN_MASK, VGEIN_SHIFT
from hgeisim.kernel.structs import EMUL, HWACCEL, Vcpu, Vm
from hgeisim.machine.shared import address_of
from hgeisim.object.arithmetic import WORD
from hgeisim.object.layout import interrupt_file, percpu_offset
from hgeisim.object.object_code import KernelFault, ObjectCode
from hgeisim.object.shared_memory import same

CONFIG, LOCAL_CONFIG = 6 << 44, 7 << 44
"""Where imsic_global_config lies, and the per-CPU imsic_local_config."""
GUEST_IDS = 63
"""The identities of a guest file; the model has one word of them."""
MODES = {EMUL: 0, HWACCEL: 1}
AUTO_MODE = 2


def bind_globals(k: Any, code: ObjectCode) -> None:
    """The control blocks of all CPUs, the global variables, and what the IMSIC driver says."""
    shared, at, symbols = code.shared, code.debug.offset, code.image.symbols
    for cpu, hgctrl in enumerate(k.hgei):
        base, struct = symbols["aia_hgei"] + percpu_offset(cpu), "aia_hgei_control"
        k.lock_at[base + at(struct, "lock")] = hgctrl.lock
        bitmap = address_of(hgctrl, "free_bitmap")
        shared.bind(base + at(struct, "free_bitmap"), 8, bitmap, to_model=same)
        for i in range(len(hgctrl.owners)):
            place = base + at(struct, "owners") + 8 * i
            cell = hgctrl.owners.base + i
            shared.bind(place, 8, cell, k.pointer_of, k.id_of)
        if code.debug.has_member(struct, "nr_hgei"):
            cell = address_of(hgctrl, "nr_hgei")
            shared.bind(base + at(struct, "nr_hgei"), 4, cell, to_model=same)
    for name in ("kvm_riscv_aia_nr_hgei", "kvm_riscv_aia_available"):
        if name in symbols:
            shared.bind(symbols[name], 4, address_of(k.globals, name), to_model=same)
    _configure(k, code)


def _configure(k: Any, code: ObjectCode) -> None:
    """imsic_global_config and imsic_local_config, which never change."""
    shared, at, struct = code.shared, code.debug.offset, "imsic_global_config"
    shared.fix(CONFIG + at(struct, "guest_index_bits"), 4, k.topology.guest_index_bits)
    shared.fix(CONFIG + at(struct, "nr_guest_ids"), 4, GUEST_IDS)
    shared.fix(CONFIG + at(struct, "local"), 8, LOCAL_CONFIG)
    for cpu in range(len(k.hart)):
        for name in ("msi_pa", "msi_va"):
            place = LOCAL_CONFIG + percpu_offset(cpu) + at("imsic_local_config", name)
            shared.fix(place, 8, interrupt_file(cpu, 0))


def make_vm(k: Any, code: ObjectCode, vm: Vm) -> int:
    """The struct kvm of a VM, with what AIA looks at; returns its address."""
    shared, at = code.shared, code.debug.offset
    address = code.allocate(code.debug.size("kvm"), vm.name)
    k.lock_at[address + at("kvm", "slots_lock")] = vm.slots_lock
    k.lock_at[address + at("kvm", "lock")] = vm.lock
    shared.fix(address + at("kvm", "arch.aia.mode"), 4, MODES.get(vm.aia_mode, AUTO_MODE))
    shared.fix(address + at("kvm", "arch.aia.initialized"), 1, 1)
    shared.fix(address + at("kvm", "arch.aia.nr_ids"), 4, GUEST_IDS)
    return address


def make_vcpu(k: Any, code: ObjectCode, vcpu: Vcpu) -> int:
    """The struct kvm_vcpu of a vCPU with its IMSIC context, as kvm_riscv_vcpu_aia_imsic_init leaves
    them; returns its address."""
    shared, at, size = code.shared, code.debug.offset, code.debug.size
    address = code.allocate(size("kvm_vcpu"), vcpu.name)
    imsic = _make_imsic(k, code, vcpu)
    run = code.allocate(size("kvm_run"), f"{vcpu.name}.run")
    for field, value in (
        ("kvm", k.address_of_vm[vcpu.vm]),
        ("run", run),
        ("arch.aia_context.imsic_addr", vcpu.id << 12),
        ("arch.guest_csr.vsie", WORD),
    ):
        shared.fix(address + at("kvm_vcpu", field), 8, value)
    shared.bind(address + at("kvm_vcpu", "cpu"), 4, address_of(vcpu, "cpu"))
    pointer = k.memory.cell(f"{vcpu.name}.imsic_state", imsic)
    place = address + at("kvm_vcpu", "arch.aia_context.imsic_state")
    shared.bind(place, 8, pointer, to_model=same)
    shared.bind(
        address + at("kvm_vcpu", "arch.guest_context.hstatus"),
        8,
        address_of(vcpu, "vgein"),
        lambda vgein: vgein << VGEIN_SHIFT,
        lambda hstatus: hstatus >> VGEIN_SHIFT & VGEIN_MASK,
    )
    return address


def _make_imsic(k: Any, code: ObjectCode, vcpu: Vcpu) -> int:
    shared, at, size = code.shared, code.debug.offset, code.debug.size
    address = code.allocate(size("imsic"), f"{vcpu.name}.imsic")
    swfile = code.allocate(size("imsic_mrif"), f"{vcpu.name}.swfile")
    k.imsic_at[vcpu.id] = address
    for field, value in (("nr_msis", GUEST_IDS + 1), ("nr_eix", 1), ("nr_hw_eix", 1)):
        shared.fix(address + at("imsic", field), 4, value)
    shared.fix(address + at("imsic", "swfile"), 8, swfile)
    for field in ("vsfile_cpu", "vsfile_hgei"):
        shared.bind(address + at("imsic", field), 4, address_of(vcpu, field))
    k.lock_at[address + at("imsic", "vsfile_lock")] = vcpu.vsfile_lock
    if code.debug.has_member("imsic", "swfile_extirq_lock"):
        k.lock_at[address + at("imsic", "swfile_extirq_lock")] = vcpu.swfile_extirq_lock
    first = at("imsic_mrif", "eix")
    for field, place in (
        ("eidelivery", at("imsic_mrif", "eidelivery")),
        ("eithreshold", at("imsic_mrif", "eithreshold")),
        ("eip", first + at("imsic_mrif_eix", "eip")),
        ("eie", first + at("imsic_mrif_eix", "eie")),
    ):
        shared.bind(swfile + place, 8, address_of(vcpu.swfile, field), to_model=same)
    return address


def id_at(k: Any, pointer: int) -> int:
    """The id of the vCPU that a pointer in owners[] means, 0 for NULL."""
    if not pointer:
        return 0
    found = k.vcpu_at.get(pointer)
    if found is None:
        raise KernelFault(f"owners[] gets {pointer:#x}, not the address of a vCPU", ())
    return int(found.id)
