"""Moves of interrupt files: the checks of a vCPU's file once nobody moves it any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.conservation import missing
from hgeisim.checks.finding import Finding
from hgeisim.checks.ownership import OnlyItsOwn
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Caller, Vcpu
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.rwlock import RwLock, WriteLock, WriteUnlock
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned

MOVERS = (
    "kvm_riscv_vcpu_aia_imsic_update",
    "kvm_riscv_vcpu_aia_imsic_release",
    "kvm_riscv_vcpu_aia_imsic_reset",
)
CLEANUP = "kvm_riscv_vcpu_aia_imsic_cleanup"
"""Functions in which a vCPU's interrupt file is in an intermediate state; CLEANUP frees it."""
CARRIERS = (
    *("kvm_riscv_vcpu_aia_imsic_inject", "kvm_riscv_vcpu_aia_imsic_rmw_topei"),
    *("kvm_riscv_vcpu_aia_imsic_rmw_eie", "kvm_riscv_aia_imsic_rw_attr"),
)
"""Functions in which an identity is on its way, an MSI to the file, or out of it to the guest, or
in which the books and the file may differ, since one is written after the other."""
MOVED = [check for check in asked(At.MOVED) if not isinstance(check, OnlyItsOwn)]
STILL, CALM = asked(At.STILL), asked(At.CALM)


class Moves:
    """Counts, for each vCPU, the contexts that are moving its interrupt file, injecting into it, or
    claiming from it.

    `moving` counts the contexts that move the file of a vCPU, `movers` those of all vCPUs together,
    `busy` those that inject or claim.  `left` are the HARTs that files have left or reached since
    the last time that nobody moved any.
    """

    def __init__(self, k: Module, note: Callable[[Iterable[Finding]], None]) -> None:
        self.k, self.note = k, note
        self.moving: dict[int, int] = defaultdict(int)
        self.movers = 0
        self.left: dict[int, None] = {}
        self._was: dict[int, int] = {}
        self.busy: dict[int, int] = defaultdict(int)
        self._disabling: set[Runner] = set()
        self._before: dict[Runner, tuple[Vcpu, int]] = {}

    def at_rest(self, vcpu: Vcpu) -> bool:
        """Whether nobody moves its file, and no MSI for it is on its way or is being claimed."""
        if self.moving[vcpu.id] or self.busy[vcpu.id]:
            return False
        return not any(other.mmio == vcpu.id for other in vcpu.vm.vcpus)

    def ask(self, vcpu: Vcpu) -> None:
        """Check a vCPU if it is at rest."""
        suspects = [check for check in MOVED if check.suspects(self.k, vcpu)]
        if suspects and self.at_rest(vcpu):
            for check in suspects:
                self.note(check.of(self.k, vcpu))
            if vcpu.ledger.setup:
                vcpu.ledger.lose(missing(self.k, vcpu))

    def end(self) -> None:
        """The run is cut: check all vCPUs."""
        for vcpu in self.k.vcpus:
            if vcpu is not None:
                self.ask(vcpu)

    @entered(*MOVERS, CLEANUP)
    def move_begins(self, current: Caller, vcpu: Vcpu) -> None:
        """A context may move or free the file from now on."""
        if not self.moving[vcpu.id]:
            self._was[vcpu.id] = vcpu.vsfile_cpu
        self.moving[vcpu.id] += 1
        self.movers += 1

    @returned(*MOVERS)
    def move_ends(self, ret: int | None, current: Caller, vcpu: Vcpu) -> None:
        """A context has stopped moving the file."""
        self.cleanup_ends(None, current, vcpu)
        self.ask(vcpu)

    @returned(CLEANUP)
    def cleanup_ends(self, ret: None, current: Caller, vcpu: Vcpu) -> None:
        """A context has stopped moving or freeing the file; if it was the last one of all, the
        HARTs are calm."""
        self.moving[vcpu.id] -= 1
        self.movers -= 1
        if not self.moving[vcpu.id] and self._was[vcpu.id] != vcpu.vsfile_cpu:
            self.left |= dict.fromkeys((self._was[vcpu.id], vcpu.vsfile_cpu))
        if self.left and not (self.movers or self._disabling):
            for cpu in self.left:
                for check in CALM if cpu >= 0 else ():  # -1: the file was or is the SW-file
                    self.note(check.of(self.k, self.k.hart[cpu]))
            self.left.clear()

    @done(EnterGuest)
    def guest_entered(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """A guest starts to run: its thread is not moving anything."""
        vcpu = self.k.vcpu(op.vcpu)
        may_be_wrong = vcpu.vsfile_cpu < 0 or vcpu.irqs_pending or vcpu.hvip
        if may_be_wrong and self.at_rest(vcpu):
            for check in STILL:
                self.note(check.of(self.k, vcpu))

    @entered(*CARRIERS)
    def carrying_begins(self, current: Runner, vcpu: Vcpu, *iid: int) -> None:
        """An identity has left its sender or the SW-file and has not arrived yet."""
        self.busy[vcpu.id] += 1

    @returned(*CARRIERS)
    def carrying_ends(self, ret: int | None, current: Runner, vcpu: Vcpu, *iid: int) -> None:
        """The identity has arrived."""
        self.busy[vcpu.id] -= 1

    # A CPU that goes away

    @entered("kvm_riscv_aia_disable")
    def disable_begins(self, current: Caller) -> None:
        """A CPU takes VS-files away from now on."""
        self._disabling.add(current)

    @returned("kvm_riscv_aia_disable")
    def disable_ends(self, ret: None, current: Caller) -> None:
        """The CPU has taken all VS-files away."""
        self._disabling.discard(current)
        self.left[current.cpu] = None

    @done(WriteLock)
    def locked(self, who: Runner, op: WriteLock, waited_ns: int) -> None:
        """A CPU that is being disabled may be about to take a VS-file away."""
        if who in self._disabling:
            vcpu = self._vcpu_of(op.lock)
            if vcpu is not None:
                self._before[who] = vcpu, vcpu.vsfile_cpu

    @done(WriteUnlock)
    def unlocked(self, who: Runner, op: WriteUnlock, waited_ns: int) -> None:
        """A CPU may have taken a VS-file away."""
        if who in self._before:
            self.note(OnlyItsOwn.taken(who, *self._before.pop(who)))

    def _vcpu_of(self, lock: RwLock) -> Vcpu | None:
        """The vCPU whose vsfile_lock this is, None for any other lock."""
        vcpus = (vcpu for vcpu in self.k.vcpus if vcpu is not None)
        return next((vcpu for vcpu in vcpus if vcpu.vsfile_lock is lock), None)
