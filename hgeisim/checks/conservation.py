"""Conservation: no set-up of a guest's interrupt file, and no interrupt sent to it, is lost.

The books of a guest (`machine/ledger.py`) record what it may expect.  They are compared with the
interrupt file that it looks at, when no context is in the middle of moving that file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hgeisim.checks.check import OfVcpus, ReturnCheck, Unwatched, vcpus
from hgeisim.checks.finding import ABOVE_31, Cause, Finding
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import EIE, EMUL, Thread, Vcpu
from hgeisim.machine.interrupt_file import LOW


class LookedAt(NamedTuple):
    """The registers of the interrupt file that a guest looks at."""

    eidelivery: int
    eie: int
    eip: int


NO_FILE = LookedAt(0, 0, 0)


def looked_at(k: Module, vcpu: Vcpu) -> LookedAt:
    """The VS-file of a vCPU if it has one, else its SW-file."""
    if vcpu.vsfile_cpu < 0:
        swfile = vcpu.swfile
        return LookedAt(swfile.eidelivery, swfile.eie, swfile.eip)
    hart, hgei = k.hart[vcpu.vsfile_cpu], vcpu.vsfile_hgei
    if not hart.has_file(hgei):
        return NO_FILE
    return LookedAt(hart.eidelivery[hgei], hart.eie[hgei], hart.eip[hgei])


def place_looked_at(k: Module, vcpu: Vcpu) -> str:
    """The name of that file in reports."""
    if vcpu.vsfile_cpu < 0:
        return "its SW-file"
    place = f"HART {vcpu.vsfile_cpu} line {vcpu.vsfile_hgei}"
    exists = k.hart[vcpu.vsfile_cpu].has_file(vcpu.vsfile_hgei)
    return place if exists else f"{place}, which does not exist"


def missing(k: Module, vcpu: Vcpu) -> int:
    """The identities that a guest is owed and that are not pending where it looks."""
    owed = vcpu.ledger.owed
    return owed & ~looked_at(k, vcpu).eip if owed else 0


def _about(bits: int) -> Cause:
    """Whether bits in which a register is wrong are all of identities above 31."""
    return Cause(frozenset([] if bits & LOW else [ABOVE_31]))


def _has_set_up(vcpu: Vcpu) -> bool:
    """Whether a vCPU lives whose guest has set its interrupt file up."""
    return bool(vcpu.ledger.setup and not vcpu.freed and vcpu.vm.aia_mode != EMUL)


class OfGuests(Unwatched[Vcpu], OfVcpus):
    """A check of each vCPU whose guest may expect something; asked at the end, and in time."""

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """Its destruction has not begun, KVM emulates no other interrupt controller for it, and its
        interrupt file exists (`no-such-line` reports one that does not)."""
        if vcpu.ledger.gone or vcpu.freed or vcpu.vm.aia_mode == EMUL:
            return False
        return vcpu.vsfile_cpu < 0 or k.hart[vcpu.vsfile_cpu].has_file(vcpu.vsfile_hgei)


class SetUpKept(OfGuests):
    """A guest's set-up of its interrupt file stays there: eidelivery and eie.

    Source: AIA specification, chapter 3: only writes of the guest change these registers, and
    imsic_update (aia_imsic.c) copies them from file to file.
    """

    def suspects(self, k: Module, vcpu: Vcpu) -> bool:
        """Whether it can take no interrupt, not all that it has enabled, or more than that."""
        setup = vcpu.ledger.setup
        if not setup:
            return False
        file = looked_at(k, vcpu)
        return not file.eidelivery or setup != file.eie

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a guest that has lost its set-up for ever."""
        if self.suspects(k, vcpu):
            setup, file = vcpu.ledger.setup, looked_at(k, vcpu)
            text = f"the guest of {vcpu.name} has enabled {setup:#x}; {place_looked_at(k, vcpu)}, "
            text = f"{text}where it looks, has eidelivery = {file.eidelivery}, eie = {file.eie:#x}"
            cause = _about(file.eie ^ setup if file.eidelivery else 1)
            yield Finding("set-up-lost", "vcpu", text, cause)


class SentKept(OfGuests):
    """An interrupt that was sent to a guest is pending until the guest takes it.

    Before the guest has set its interrupt file up, the file may be zeroed.
    Source: AIA specification, chapter 3: a bit of eip stays set until it is claimed or cleared.
    """

    def suspects(self, k: Module, vcpu: Vcpu) -> bool:
        """Whether one is not pending where the guest looks."""
        return bool(vcpu.ledger.setup and missing(k, vcpu))

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report an interrupt that is no longer pending anywhere."""
        if self.suspects(k, vcpu):
            place, eip = place_looked_at(k, vcpu), looked_at(k, vcpu).eip
            text = f"{vcpu.name} was sent {vcpu.ledger.owed:#x} and has not taken it; {place},"
            text = f"{text} where its guest looks, has eip = {eip:#x}"
            if vcpu.vsfile_cpu >= 0 and missing(k, vcpu) & vcpu.swfile.eip:
                text = f"{text}, and its SW-file {vcpu.swfile.eip:#x}"
            yield Finding("sent-lost", "vcpu", text)


class AttributeRead(ReturnCheck):
    """An ioctl that reads eidelivery or eie of a vCPU gets what its guest has written there.

    A file that has lost that is `set-up-lost`, and then its value is right as well.
    Source: Documentation/virt/kvm/devices (RISC-V AIA): KVM_DEV_RISCV_AIA_GRP_IMSIC is a register
    of the IMSIC of a vCPU; AIA specification, chapter 3: only writes change these.
    """

    about = "kvm_riscv_aia_imsic_rw_attr"

    def wrong(self, k: Module, ret: None, current: Thread, vcpu: Vcpu) -> Iterator[Finding]:
        """Report another value, if the guest has written nothing since the ioctl began."""
        data, ledger = current.data, vcpu.ledger
        if data.write or data.asked != ledger.changes or not _has_set_up(vcpu):
            return
        file = looked_at(k, vcpu)
        right = (ledger.setup, file.eie) if data.isel == EIE else (1, file.eidelivery)
        if data.value not in right:
            register = "eie" if data.isel == EIE else "eidelivery"
            text = f"an ioctl reads {data.value:#x} from {register} of {vcpu.name}, whose guest "
            text = f"{text}has written {right[0]:#x}"
            yield Finding("misread", "attribute", text, _about(data.value ^ right[0]))


class TrapRead(ReturnCheck):
    """A guest that reads eie of its SW-file, by a trap, gets what it has written there.

    A file that has lost more than the access writes is `set-up-lost`.
    Source: AIA specification, chapter 3: only writes of the guest change eie.
    """

    about = "kvm_riscv_vcpu_aia_imsic_rmw_eie"

    def wrong(
        self, k: Module, ret: int, current: Thread, vcpu: Vcpu, *written: int
    ) -> Iterator[Finding]:
        """Report another value than that from before the access, which has a new value and a mask
        as `written`."""
        setup, before = vcpu.ledger.setup, vcpu.ledger.before
        lost = (looked_at(k, vcpu).eie ^ setup) & ~written[1]
        if _has_set_up(vcpu) and ret != before and not lost:
            text = f"the guest of {vcpu.name} reads {ret:#x} from eie, and has written {before:#x}"
            yield Finding("misread", "trap", text, _about(ret ^ before))


class StoreInjected(ReturnCheck):
    """A guest's store to an IMSIC page that has trapped becomes an interrupt.

    Source: kvm_riscv_vcpu_mmio_store (vcpu_insn.c) hands it to imsic_mmio_write (aia_imsic.c).
    """

    about = "kvm_riscv_vcpu_mmio_store"

    def wrong(self, k: Module, ret: None, current: Thread, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a trap that was not emulated; `SentKept` looks at one that was."""
        if vcpu.mmio:
            text = f"{vcpu.name} has stored to the IMSIC page of {k.vcpu(vcpu.mmio).name}, and the "
            yield Finding("sent-lost", "vcpu", f"{text}trap was not emulated")


class NothingStray(OfGuests):
    """A guest takes only interrupts that were sent to it, and not before its last reset.

    Source: AIA specification, chapter 3: only a write to its page makes an identity pending.
    """

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a guest that took another guest's interrupt."""
        for bit, subject, what in ((1, "vcpu", "an"), (2, "software", "a software")):
            if vcpu.ledger.stray & bit:
                text = f"took {what} interrupt that nobody has sent it since it started"
                yield Finding("stray", subject, f"the guest of {vcpu.name} {text}")


class ResetEmpties(ReturnCheck):
    """After a reset, the interrupt file of a vCPU is not set up, and of the interrupts that were
    sent before, only one that was still on its way may be pending.

    Source: kvm_riscv_vcpu_aia_imsic_reset (aia_imsic.c), which releases and zeroes the file.
    """

    about = "kvm_riscv_vcpu_aia_imsic_reset"

    def wrong(self, k: Module, ret: None, current: Thread, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a set-up that is left, or an interrupt."""
        file = looked_at(k, vcpu)
        kept = file.eip & ~vcpu.ledger.sent
        if file.eidelivery or file.eie or kept:
            text = f"{vcpu.name} was reset; {place_looked_at(k, vcpu)} still has "
            text = f"{text}eidelivery = {file.eidelivery}, eie = {file.eie:#x}, eip = {kept:#x}"
            yield Finding("reset-kept", "vcpu", text)


class ResetHvip(ReturnCheck):
    """After a reset, no virtual interrupt is pending in hvip.

    Only the vCPU's own thread copies irqs_pending there, before it enters its guest, so that an
    interrupt of before the reset is the only one that can be.
    Source: SBI specification, HART state management: a HART starts with interrupts of nobody;
    kvm_riscv_vcpu_flush_interrupts (vcpu.c).
    """

    about = "reset_vcpu_context"

    def wrong(self, k: Module, ret: None, vcpu: Vcpu) -> Iterator[Finding]:
        """Report what is left."""
        if vcpu.hvip:
            text = f"{vcpu.name} was reset, and its hvip still is {vcpu.hvip:#x}"
            yield Finding("reset-kept", "hvip", text)


class NothingStranded(Unwatched[Module]):
    """At the end, no interrupt waits where no guest looks.

    Source: imsic_update (aia_imsic.c), which moves pending interrupts to the file of the guest.
    """

    def wrong(self, k: Module, subject: Module) -> Iterator[Finding]:
        """Report interrupts pending in a SW-file beside a VS-file, or in a file without owner."""
        for vcpu in vcpus(k):
            if vcpu.swfile.eip and vcpu.vsfile_cpu >= 0:
                text = f"{vcpu.name} has a VS-file and an interrupt pending in its SW-file"
                yield Finding("lost-interrupt", "swfile", text)
        if not any(missing(k, vcpu) for vcpu in vcpus(k) if not vcpu.ledger.gone):
            return  # what is pending was for a vCPU that is destroyed
        for cpu, hgctrl in enumerate(k.hgei):
            for line in range(1, len(hgctrl.owners)):
                if k.hart[cpu].hgeip >> line & 1 and not hgctrl.owners[line]:
                    text = f"an interrupt is pending in HART {cpu} line {line}, which nobody owns"
                    yield Finding("lost-interrupt", "vsfile", text)
