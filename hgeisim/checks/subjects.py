"""The subject of each kind of finding, and whether a run had one: a check that never had a subject
has not passed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol, TypeAlias

from hgeisim.checks.check import vcpus
from hgeisim.checks.ownership import DISABLE
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AUTO
from hgeisim.machine.guest import EnterGuest, SweepVsFile
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import AssertHeld, Op, WarnOn
from hgeisim.machine.rwlock import ReadLock, WriteLock
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import Acquire, InitLock


class Seen(Protocol):
    """The past of a run: functions entered, operations completed, values of fields."""

    @property
    def k(self) -> Module:
        """The kernel."""

    @property
    def entered(self) -> Collection[str]:
        """The functions that were entered."""

    @property
    def done(self) -> Collection[Op]:
        """The operations that were completed."""

    def values(self, shared: Shared, name: str) -> Collection[int]:
        """All values that a field, or an element of an array, has had."""


Subject: TypeAlias = Callable[[Seen], bool]


def _did(*kinds: type[Op]) -> Subject:
    return lambda seen: any(isinstance(op, kinds) for op in seen.done)


def _entered(function: str) -> Subject:
    return lambda seen: function in seen.entered


def _had(
    of: Callable[[Module], Iterable[Any]], field: str, value: Callable[[int], bool]
) -> Subject:
    return lambda seen: any(any(map(value, seen.values(each, field))) for each in of(seen.k))


def _ledgers(k: Module) -> Iterable[Any]:
    return (vcpu.ledger for vcpu in vcpus(k))


def _two_files(seen: Seen) -> bool:
    return sum(max(seen.values(vcpu, "vsfile_hgei")) > 0 for vcpu in vcpus(seen.k)) > 1


def _auto_entered(seen: Seen) -> bool:
    update = "kvm_riscv_vcpu_aia_imsic_update" in seen.entered
    return update and any(vm.aia_mode == AUTO for vm in seen.k.vms)


def _lines_locked(seen: Seen) -> bool:
    locks = [hgctrl.lock for hgctrl in seen.k.hgei]
    return any(isinstance(op, Acquire) and op.lock in locks for op in seen.done)


def _sleeping_lock(seen: Seen) -> bool:
    taken = (op.lock for op in seen.done if isinstance(op, Acquire | ReadLock | WriteLock))
    return any(lock.sleeping for lock in taken)


def _read(seen: Seen) -> bool:
    readers = {"kvm_riscv_aia_imsic_rw_attr", "kvm_riscv_vcpu_aia_imsic_rmw_eie"}
    return not readers.isdisjoint(seen.entered)


def _freed(seen: Seen) -> bool:
    vcpu, table = _had(vcpus, "freed", bool), _had(lambda k: k.vms, "pgd_freed", bool)
    return vcpu(seen) or table(seen)


HAS_VS_FILE: Subject = _had(vcpus, "vsfile_hgei", lambda line: line > 0)
SENT: Subject = _had(_ledgers, "owed", bool)
OWNED: Subject = _had(lambda k: k.hgei, "owners", bool)
SLEPT: Subject = _had(lambda k: (v.thread for v in vcpus(k)), "on_rq", lambda on_rq: not on_rq)
SUBJECTS: dict[str, tuple[str, Subject]] = {
    "illegal-instruction": ("the host accesses a VS-file", _did(SweepVsFile)),
    "use-after-free": ("a vCPU or a page table is freed", _freed),
    "guest-line": ("a guest has a VS-file", _had(vcpus, "vgein", bool)),
    "guest-file": ("a vCPU has a VS-file", HAS_VS_FILE),
    "foreign-vsfile": ("the host accesses a VS-file", _did(SweepVsFile)),
    "foreign-release": ("a CPU turns AIA off", _entered(DISABLE)),
    "double-free": ("a line is given back", _entered("kvm_riscv_aia_free_hgei")),
    "now-on-offline": (
        "a HART goes offline",
        _had(lambda k: k.hart, "online", lambda value: not value),
    ),
    "double-owner": ("two vCPUs have VS-files", _two_files),
    "not-owner": ("a vCPU has a VS-file", HAS_VS_FILE),
    "bitmap-owner": ("a line is owned", OWNED),
    "dead-owner": ("a vCPU is freed", _had(vcpus, "freed", bool)),
    "no-such-line": ("a vCPU has a VS-file", HAS_VS_FILE),
    "no-such-file": ("a vCPU has a VS-file", HAS_VS_FILE),
    "leak": ("a line is owned", OWNED),
    "set-up-lost": ("a guest sets its file up", _had(_ledgers, "setup", bool)),
    "sent-lost": ("an interrupt is sent", SENT),
    "stray": ("a guest is entered", _did(EnterGuest)),
    "misread": ("a guest or an ioctl reads an interrupt file", _read),
    "reset-kept": ("a vCPU is reset", _entered("kvm_riscv_vcpu_aia_imsic_reset")),
    "entry-refused": ("a vCPU in mode auto wants to enter its guest", _auto_entered),
    "stale-pte": ("a page is mapped to a VS-file", _had(vcpus, "pte_hgei", lambda n: n > 0)),
    "stale-translation": ("a guest stores to an IMSIC page", _entered("guest_store")),
    "level": ("a guest is entered", _did(EnterGuest)),
    "storm": ("an SGEI is taken", _entered("hgei_interrupt")),
    "armed": ("a line is armed", _had(lambda k: k.hart, "hgeie", bool)),
    "deaf": ("a vCPU sleeps", SLEPT),
    "lost-wakeup": ("a vCPU sleeps", SLEPT),
    "lost-interrupt": ("an interrupt is sent", SENT),
    "irq-freed-enabled": (
        "the SGEI interrupt is freed",
        _had(lambda k: (k.globals,), "hgei_parent_irq", lambda n: not n),
    ),
    "lock-init-held": ("a lock is initialised", _did(InitLock)),
    "broken-lock": ("the lock of a HART's lines is taken", _lines_locked),
    "ipi-wait-atomic": ("an IPI is waited for", _did(Ipi)),
    "lock-not-held": ("a path asserts a lock", _did(AssertHeld)),
    "warn-on": ("a path comes to a WARN_ON", _did(WarnOn)),
    "sleep-in-atomic": ("a spinlock_t that sleeps is taken (PREEMPT_RT)", _sleeping_lock),
}
"""For each kind, the event that must happen before it can show.  The other kinds can always show:
those that a driver reports itself, registers, and fields that a lock guards."""


def without_subject(seen: Seen, kinds: Iterable[str]) -> list[str]:
    """Those of some kinds whose checks had nothing to look at."""
    return [kind for kind in kinds if kind in SUBJECTS and not SUBJECTS[kind][1](seen)]
