"""Which fields of aia.c and aia_imsic.c are which cells of the model, and what their objects find
in memory at first.  Everything else that they touch becomes a cell of its own."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.object.structs import GUEST_IDS
from hgeisim.object.layout import interrupt_file, percpu_offset
from hgeisim.object.object_code import ObjectCode
from hgeisim.object.plain_memory import cell_of, cell_of_element
from hgeisim.object.shared_memory import same

CONFIG, LOCAL_CONFIG = 6 << 44, 7 << 44
"""Where imsic_global_config lies, and the per-CPU imsic_local_config."""


def bind_globals(k: Any, code: ObjectCode) -> None:
    """The control blocks of all CPUs, the global variables, and what the IMSIC driver says."""
    shared, at, symbols = code.shared, code.debug.offset, code.image.symbols
    for cpu, hgctrl in enumerate(k.hgei):
        base, struct = symbols["aia_hgei"] + percpu_offset(cpu), "aia_hgei_control"
        k.structs.locks[base + at(struct, "lock")] = hgctrl.lock
        bitmap = cell_of(code.memory, hgctrl, "free_bitmap")
        shared.bind(base + at(struct, "free_bitmap"), 8, bitmap, to_model=same)
        for i in range(len(hgctrl.owners)):
            place = base + at(struct, "owners") + 8 * i
            cell = cell_of_element(code.memory, hgctrl, "owners", i)
            shared.bind_pointer(place, cell, k.structs.pointer, k.structs.id_at)
        if code.debug.has_member(struct, "nr_hgei"):
            cell = cell_of(code.memory, hgctrl, "nr_hgei")
            shared.bind(base + at(struct, "nr_hgei"), 4, cell, to_model=same)
    for name in ("kvm_riscv_aia_nr_hgei", "kvm_riscv_aia_available"):
        if name in symbols:
            shared.bind(symbols[name], 4, cell_of(code.memory, k.globals, name), to_model=same)
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
