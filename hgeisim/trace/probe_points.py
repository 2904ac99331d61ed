"""Probe points: where to probe the kernel to record the events of the table in event_names.py.

Names and arguments of functions are those of v6.12 and later; of several names, a kernel has one,
or none: `wakeon` is of v6.12, `imput` of v6.16 and later, `fload` of v7.1 and later.
None of the functions is inlined: they are global, or their address is taken (hgei_interrupt,
imsic_vsfile_local_read).  `run` is where the guest's TLB is cleaned up, the last call before guest
entry, made after the kernel looked at pending requests.
"""

from __future__ import annotations

from typing import NamedTuple


class Argument(NamedTuple):
    """An argument of an event: its `name`, and where its value is.

    That is argument `number` of the function (from 1; 0: the return value), or, with `member`, a
    member of the structure that it points to (a key of MEMBERS).
    """

    name: str
    number: int
    kind: str = "s32"
    member: str = ""


class Probe(NamedTuple):
    """A probe that records an event: at the entry of the first existing function, or its return."""

    event: str
    functions: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()
    at_return: bool = False

    @property
    def members(self) -> tuple[str, ...]:
        """The members of structures that the probe reads."""
        found = [argument.member for argument in self.arguments if argument.member]
        return ("IMSIC_STATE", *found) if any(m.startswith("VSFILE") for m in found) else (*found,)


MEMBERS = {
    "VCPU_CPU": ("kvm_vcpu", "cpu"),
    "VCPU_MODE": ("kvm_vcpu", "mode"),
    "LAST_EXIT": ("kvm_vcpu", "arch.last_exit_cpu"),
    "HSTATUS": ("kvm_vcpu", "arch.guest_context.hstatus"),
    "IMSIC_STATE": ("kvm_vcpu", "arch.aia_context.imsic_state"),
    "VSFILE_CPU": ("imsic", "vsfile_cpu"),
    "VSFILE_HGEI": ("imsic", "vsfile_hgei"),
    "READ_HGEI": ("imsic_vsfile_read_data", "hgei"),
}
"""Structure and member; VSFILE_* are those of the IMSIC_STATE of a vCPU."""

AIA = "kvm_riscv_aia_"
IMSIC = "kvm_riscv_vcpu_aia_imsic_"
_VCPU = Argument("vcpu", 1, "x64")
_CPU = Argument("cpu", 1, member="VCPU_CPU")
_VSFILE = (
    Argument("vs_cpu", 1, member="VSFILE_CPU"),
    Argument("vs_hgei", 1, member="VSFILE_HGEI"),
)

PROBES = (
    Probe(
        "alloc", (f"{AIA}alloc_hgei",),
        (
            Argument("cpu", 1), Argument("vcpu", 2, "x64"),
            Argument("old_cpu", 2, member="VSFILE_CPU"),
            Argument("old_hgei", 2, member="VSFILE_HGEI"),
        ),
    ),
    Probe("alloc_ret", (f"{AIA}alloc_hgei",), (Argument("ret", 0),), at_return=True),
    Probe("free", (f"{AIA}free_hgei",), (Argument("cpu", 1), Argument("hgei", 2))),
    Probe("free_ret", (f"{AIA}free_hgei",), at_return=True),
    Probe(
        "upd", (f"{IMSIC}update",),
        (_VCPU, Argument("vcpu_cpu", 1, member="VCPU_CPU"), *_VSFILE),
    ),
    Probe("upd_ret", (f"{IMSIC}update",), (Argument("ret", 0),), at_return=True),
    Probe("rel", (f"{IMSIC}release",), (_VCPU, *_VSFILE)),
    Probe("rel_ret", (f"{IMSIC}release",), at_return=True),
    Probe("dis", (f"{AIA}disable",)),
    Probe("dis_ret", (f"{AIA}disable",), at_return=True),
    Probe("en", (f"{AIA}enable",)),
    Probe("en_ret", (f"{AIA}enable",), at_return=True),
    Probe(
        "ioremap", ("kvm_riscv_mmu_ioremap", "kvm_riscv_gstage_ioremap"),
        (Argument("kvm", 1, "x64"), Argument("gpa", 2, "x64"), Argument("hpa", 3, "x64")),
    ),
    Probe(
        "iounmap", ("kvm_riscv_mmu_iounmap", "kvm_riscv_gstage_iounmap"),
        (Argument("kvm", 1, "x64"), Argument("gpa", 2, "x64")),
    ),
    Probe(
        "lread", ("imsic_vsfile_local_read",),
        (Argument("data", 1, "x64"), Argument("hgei", 1, member="READ_HGEI")),
    ),
    Probe("inject", (f"{IMSIC}inject",), (_VCPU, Argument("iid", 4), *_VSFILE)),
    Probe(
        "run", ("kvm_riscv_gstage_vmid_sanitize", "kvm_riscv_local_tlb_sanitize"),
        (_VCPU, _CPU, Argument("hstatus", 1, "x64", "HSTATUS")),
    ),
    Probe("wakeon", (f"{AIA}wakeon_hgei",), (Argument("vcpu", 1, "x64"), Argument("en", 2, "u8"))),
    Probe(
        "kick", ("__kvm_vcpu_kick", "kvm_vcpu_kick"),
        (_VCPU, _CPU, Argument("mode", 1, member="VCPU_MODE")),
    ),
    Probe(
        "vload", ("kvm_arch_vcpu_load",),
        (_VCPU, Argument("cpu", 2), Argument("last_exit", 1, member="LAST_EXIT")),
    ),
    Probe("fload", ("kvm_riscv_vcpu_config_load",), (_VCPU,)),
    Probe("vput", ("kvm_arch_vcpu_put",), (_VCPU, _CPU)),
    Probe("imput", (f"{IMSIC}put",), (_VCPU, *_VSFILE)),
)  # fmt: skip
"""A probe for each meaning of KVM except `sgei`, which is inside a function: see SGEI."""

SGEI = ("sgei", "hgei_interrupt", "mask")
"""Event, function and argument: after the instruction that clears the bits of HGEIE, in a register
that the disassembly shows."""

TRACEPOINTS = {
    "sched": ("sched_waking", "sched_wakeup", "sched_wakeup_new", "sched_migrate_task"),
    "cpuhp": ("cpuhp_enter", "cpuhp_multi_enter", "cpuhp_exit"),
    "csd": ("csd_queue_cpu", "csd_function_entry", "csd_function_exit"),
    "ipi": ("ipi_send_cpu", "ipi_send_cpumask"),
}
"""The kernel's own events that are recorded, if it has them."""
ON_DEMAND = {
    "sched": ("sched_switch",),
    "ipi": ("ipi_raise", "ipi_entry", "ipi_exit"),
    "lock": ("lock_acquire", "lock_release", "lock_contended"),
}
"""Events that are frequent, or missing on RISC-V: recorded on request."""
