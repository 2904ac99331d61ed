"""The account of all MSIs of a run: which were sent, which took an SGEI, and how each ended.

`Books` keeps the ledgers of guests up to date where guests call the kernel: traps, resets.

An MSI took an SGEI if an SGEI was handled for the line of its vCPU while the MSI was pending, that
is between being sent and being taken by the guest; an example is an MSI for a vCPU that sleeps on a
VS-file.  One SGEI serves all MSIs that are pending then, and an MSI that sees several SGEIs counts
once.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

from hgeisim.checks.check import vcpus
from hgeisim.checks.conservation import missing
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import entered, returned
from hgeisim.watch.moves import Moves


class Books:
    """Enters what a guest gets from kernel functions into its ledger.

    It watches the functions from outside, so a patch of them does not change the entries.
    """

    def __init__(self, k: Module) -> None:
        self.k = k

    @returned("kvm_riscv_vcpu_aia_imsic_rmw_setup")
    def set_up(self, ret: None, current: Thread, vcpu: Vcpu, eie: int) -> None:
        """The guest has set up its SW-file."""
        vcpu.ledger.set_up(eie)

    @entered("kvm_riscv_vcpu_aia_imsic_rmw_eie")
    def disables(self, current: Thread, vcpu: Vcpu, new_val: int, wr_mask: int) -> None:
        """The guest disables identities of its SW-file."""
        vcpu.ledger.disable(wr_mask & ~new_val)

    @entered("kvm_riscv_aia_imsic_rw_attr")
    def asked(self, current: Thread, vcpu: Vcpu) -> None:
        """An ioctl begins."""
        vcpu.ledger.ask(current.data)

    @returned("kvm_riscv_aia_imsic_rw_attr")
    def restored(self, ret: None, current: Thread, vcpu: Vcpu) -> None:
        """An ioctl has ended, which may have written what the guest had enabled."""
        if current.data.write:
            vcpu.ledger.restore(current.data.value)

    @returned("kvm_riscv_vcpu_set_reg_csr")
    def changed(self, ret: None, vcpu: Any) -> None:
        """User space has changed a register in memory: what a HART has is old."""
        if self.k.memory is not None and self.k.keeps_registers:
            self.k.memory.aside(vcpu.registers.renew)
        elif self.k.keeps_registers:
            vcpu.registers.renew()

    @returned("kvm_riscv_vcpu_mmio_store")
    def emulated(self, ret: None, current: Thread, vcpu: Vcpu) -> None:
        """A store of the guest to an IMSIC page, which has trapped, was emulated."""
        vcpu.ledger.store_emulated({each.id: each.ledger for each in vcpu.vm.vcpus})

    @returned("kvm_riscv_vcpu_aia_imsic_rmw_topei")
    def claimed(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """The guest has read stopei, which returned `ret`."""
        if ret:
            vcpu.ledger.take(1 << ret)

    @entered("kvm_riscv_vcpu_aia_imsic_reset")
    def reset_begins(self, current: Thread, vcpu: Vcpu) -> None:
        """A reset begins."""
        vcpu.ledger.reset_begins()

    @returned("kvm_riscv_vcpu_aia_imsic_reset")
    def reset_ends(self, ret: None, current: Thread, vcpu: Vcpu) -> None:
        """A reset ends."""
        vcpu.ledger.reset_ends()

    @returned("reset_vcpu_context")
    def context_reset(self, ret: None, vcpu: Vcpu) -> None:
        """The rest of the vCPU has been reset."""
        vcpu.ledger.drop_soft()


class Sgeis:
    """The ids of the `vcpus` with an MSI that took an SGEI.  In a search that is all that can be
    known, since it makes the same step any number of times."""

    def __init__(self, k: Module) -> None:
        self.k = k
        self.vcpus: set[int] = set()

    @property
    def msis(self) -> int:
        """The number of MSIs of a run that took an SGEI."""
        tallies = (vcpu.ledger.tally for vcpu in vcpus(self.k))
        return sum(tally.by_sgei for tally in tallies if tally)

    @entered("hgei_interrupt")
    def took(self, current: Runner) -> None:
        """An interrupt was taken; reading the state here does not count as an access of the
        path."""
        owed_to = self._owed
        owed = self.k.memory.aside(owed_to, current) if self.k.memory else owed_to(current)
        for vcpu, identities in owed:
            self.vcpus.add(vcpu.id)
            if vcpu.ledger.tally:
                vcpu.ledger.tally.sgei(identities)

    def _owed(self, current: Runner) -> list[tuple[Vcpu, int]]:
        """The vCPUs whose lines are armed and pending and that are owed MSIs, with these."""
        lines, owners = current.hart.hgeip & current.hart.hgeie, self.k.hgei[current.cpu].owners
        ids = [owners[i] for i in range(1, len(owners)) if lines & bit(i) and owners[i]]
        owed = [(vcpu, vcpu.ledger.owed) for vcpu in map(self.k.vcpu, ids)]
        return [each for each in owed if each[1]]


NOT_SET_UP = "not set up"
"""The rule for MSIs sent before the guest has set its interrupt file up: the file may be zeroed."""
Account: TypeAlias = tuple[Counter[str], Counter[str]]
"""Counts by fate, and counts of dropped MSIs by rule."""
FATES = ("sent", "delivered", "merged", "pending", "lost")


def account(k: Module, moves: Moves) -> dict[str, Any]:
    """The MSIs of each VM, and of `all`: a count for each fate, and `dropped` by rule.

    `sent` is counted where MSIs are sent, so it is the sum of the rest only if none was forgotten.
    """
    vms: dict[str, Account] = {}
    everything: Account = Counter(), Counter()
    for vcpu in filter(None, k.vcpus):
        fates, dropped = _fates(k, vcpu, moves)
        for total in (everything, vms.setdefault(vcpu.vm.name, (Counter(), Counter()))):
            total[0].update(fates)
            total[1].update(dropped)
    return {"all": _row(*everything), "vms": {name: _row(*vms[name]) for name in vms}}


def _row(fates: Counter[str], dropped: Counter[str]) -> dict[str, Any]:
    return {fate: fates[fate] for fate in FATES} | {"dropped": dict(sorted(dropped.items()))}


def _fates(k: Module, vcpu: Vcpu, moves: Moves) -> Account:
    """The fates of the MSIs of one vCPU, and how many each rule dropped."""
    ledger, tally = vcpu.ledger, vcpu.ledger.tally
    if tally is None:
        return Counter(), Counter()
    dropped = Counter(tally.dropped)
    nowhere = missing(k, vcpu) if moves.at_rest(vcpu) else 0
    if not ledger.setup:
        dropped[NOT_SET_UP] += nowhere.bit_count()
    fates = {
        "sent": tally.sent,
        "delivered": tally.delivered,
        "merged": tally.merged,
        "pending": (ledger.owed & ~nowhere).bit_count(),
        "lost": tally.lost + (nowhere.bit_count() if ledger.setup else 0),
    }
    return Counter(fates), dropped
