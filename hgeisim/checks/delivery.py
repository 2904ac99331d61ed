"""The delivery of interrupts: SGEI exists while a CPU listens to it, and no vCPU sleeps for ever.

Registers, page tables and armed lines must fit whenever no context is in the middle of a change.
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.check import OfHarts, OfVcpus, ReturnCheck, StateCheck, Unwatched
from hgeisim.checks.conservation import OfGuests
from hgeisim.checks.finding import ELSEWHERE, Cause, Finding
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import (
    IRQ_VS_EXT,
    IRQ_VS_SOFT,
    OUTSIDE_GUEST_MODE,
    REQ_HFENCE,
    Caller,
    Vcpu,
)
from hgeisim.kernel.vcpu import pending_in_vsfile
from hgeisim.machine.hart import Hart, bit, find_first_bit
from hgeisim.machine.shared import addresses
from hgeisim.machine.task import Runner
from hgeisim.machine.translations import file_of


class SgeiRequested(StateCheck[Module]):
    """The SGEI interrupt is not freed while a CPU has it enabled (bug B-17).

    Source: __free_percpu_irq (kernel/irq/manage.c), which warns "percpu IRQ still enabled".
    """

    def watches(self, k: Module) -> Iterator[int]:
        """Whether it was requested, and where it is enabled."""
        yield from addresses(k.globals, "hgei_parent_irq")
        for per_cpu in k.per_cpu:
            yield from addresses(per_cpu, "sgei_irq_enabled")

    def wrong(self, k: Module, subject: Module) -> Iterator[Finding]:
        """Report the CPUs that listen to a freed interrupt."""
        if not k.globals.hgei_parent_irq:
            for cpu, per_cpu in enumerate(k.per_cpu):
                if per_cpu.sgei_irq_enabled:
                    text = f"the SGEI interrupt is freed and still enabled on CPU {cpu}"
                    yield Finding("irq-freed-enabled", "sgei", text)


class SgeiEnds(ReturnCheck):
    """The handler of SGEI ends with the level down for which it was entered.

    SGEI is level-triggered: with the level up, the handler is entered again immediately, for ever.
    Lines whose interrupts came after the entry do not count.
    Source: AIA specification, hgeip; hgei_interrupt (aia.c) clears HGEIE.
    """

    about = "hgei_interrupt"

    def wrong(self, k: Module, ret: None, current: Runner) -> Iterator[Finding]:
        """Report a line that is still pending and armed."""
        hart = current.hart
        lines = hart.sgei_lines & hart.hgeip & hart.hgeie
        if lines and hart.sgeie:
            text = f"hgei_interrupt returns on HART {hart.id} with line {find_first_bit(lines)} "
            text += "pending and armed, for which it was entered"
            yield Finding("storm", "sgei", text)


class NobodyForgotten(OfVcpus):
    """A vCPU that sleeps has no interrupt pending, or is about to be woken up.

    It takes two looks, long apart.  A wake-up is on its way while its locks are held, or while the
    HART of its VS-file is handling an interrupt.
    Source: kvm_vcpu_block (kvm_main.c) sleeps only while kvm_arch_vcpu_runnable is false.
    """

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """It sleeps, and no wake-up has begun."""
        asleep = vcpu.wait.waiter and not vcpu.thread.on_rq
        return bool(asleep) and not (vcpu.thread.pi_lock.drawn or vcpu.swfile_extirq_lock.drawn)

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU that sleeps through an interrupt."""
        if pending_in_vsfile(k, vcpu):
            hart = k.hart[vcpu.vsfile_cpu]
            forgotten = not (hart.sgei_pending() or hart.hardirq)
        else:
            forgotten = vcpu.vsfile_cpu < 0 and vcpu.swfile.deliverable()
        if forgotten:
            text = f"{vcpu.name} sleeps for ever with an interrupt pending"
            yield Finding("lost-wakeup", "vcpu", text, where_it_sleeps(vcpu))
        yield from slept_through_ipi(vcpu)


def slept_through_ipi(vcpu: Vcpu) -> Iterator[Finding]:
    """Report a vCPU that sleeps though it was sent a software interrupt."""
    if vcpu.ledger.soft_owed:
        yield Finding("lost-wakeup", "software", f"{vcpu.name} sleeps for ever; {_vssip(vcpu)}")


def _vssip(vcpu: Vcpu) -> str:
    """The text about the software interrupt of a guest: whether it waits for one, and the bits."""
    owed = vcpu.ledger.soft_owed
    text = "was sent a software interrupt" if owed else "has taken all software interrupts"
    bits = (vcpu.irqs_pending, vcpu.hvip, vcpu.irqs_pending_mask)
    pending, flushed, to_flush = (bool(word & IRQ_VS_SOFT) for word in bits)
    text = f"its guest {text}; VSSIP is {pending:d} in irqs_pending, {flushed:d} in hvip, "
    return f"{text}to be flushed: {to_flush:d}"


class ArmedForAReason(Unwatched[Hart], OfHarts):
    """HGEIE is set only for lines whose owner has its VS-file there.

    Source: kvm_riscv_vcpu_aia_put (aia.c; before v6.16 wakeon_hgei) arms a vCPU's own line.
    """

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report lines that interrupt the host in vain."""
        owners, armed = k.hgei[hart.id].owners, hart.hgeie
        for line in range(1, len(owners)) if armed else ():
            if not armed & bit(line):
                continue
            owner = k.vcpu(owners[line]) if owners[line] else None
            place = f"HART {hart.id} line {line} is armed in HGEIE"
            if owner is None:
                yield Finding("armed", "free-line", f"{place}, and nobody owns it")
            elif (owner.vsfile_cpu, owner.vsfile_hgei) != (hart.id, line):
                text = f"{place} for {owner.name}, which has its VS-file elsewhere"
                yield Finding("armed", "not-its-file", text)


class RegistersFollow(Unwatched[Hart], OfHarts):
    """The AIA registers of a CPU follow virtualization_enabled, and VGEIN is put back.

    Source: kvm_riscv_aia_enable and kvm_riscv_aia_disable (aia.c); the accessors of a VS-file
    (aia_imsic.c) restore hstatus.
    """

    def valid(self, k: Module, hart: Hart) -> bool:
        """The SGEI interrupt was requested, or virtualization is off: then all is off."""
        return bool(k.globals.hgei_parent_irq or not k.per_cpu[hart.id].virtualization_enabled)

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report each register that differs."""
        cpu = k.per_cpu[hart.id]
        on = bool(cpu.virtualization_enabled)
        state = "on" if on else "off"
        registers = {
            "hvien": hart.hvien,
            "hvictl": hart.hvictl,
            "hie.SGEIE": hart.sgeie,
            "sgei_irq_enabled": cpu.sgei_irq_enabled,
        }
        for name, value in registers.items():
            if bool(value) != on:
                text = f"CPU {hart.id} has virtualization {state}, and {name} = {value}"
                yield Finding("register", name, text)
        if not on and hart.hgeie:
            text = f"CPU {hart.id} has virtualization off, and hgeie = {hart.hgeie:#x}"
            yield Finding("register", "hgeie", text)
        if hart.vgein or hart.vsfile_of:
            text = (
                f"CPU {hart.id} is in the host, and hstatus.VGEIN = {hart.vgein} was not put back"
            )
            yield Finding("register", "vgein", text)


class PageMapped(OfGuests):
    """The IMSIC page of a vCPU is mapped to its VS-file, or traps.

    Source: kvm_riscv_gstage_ioremap and kvm_riscv_gstage_iounmap, as imsic_update and imsic_release
    (aia_imsic.c) call them.
    """

    def suspects(self, k: Module, vcpu: Vcpu) -> bool:
        """Whether it is mapped to anything else."""
        return vcpu.pte_cpu >= 0 and (
            vcpu.pte_cpu != vcpu.vsfile_cpu or vcpu.pte_hgei != vcpu.vsfile_hgei
        )

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a page through which interrupts go to another file."""
        page, file = (vcpu.pte_cpu, vcpu.pte_hgei), (vcpu.vsfile_cpu, vcpu.vsfile_hgei)
        if page[0] >= 0 and page != file:
            where = f"HART {file[0]} line {file[1]}" if file[0] >= 0 else "its SW-file"
            text = f"the IMSIC page of {vcpu.name} is HART {page[0]} line {page[1]}, its file is "
            yield Finding("stale-pte", "vcpu", text + where)


class FenceExecuted(OfGuests):
    """A fence that is queued for a vCPU is executed, or its request is set.

    Source: make_xfence_request (tlb.c) sets KVM_REQ_HFENCE after each entry of the queue.
    """

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU that goes on with old translations."""
        if vcpu.hfence and not vcpu.requests & REQ_HFENCE:
            text = f"{vcpu.name} has a fence in its queue, and no request to execute it"
            yield Finding("fence-lost", "vcpu", text)


class FileUnreachable(ReturnCheck):
    """When the host has read a VS-file that it takes away, no guest that runs can store to it: what
    its CPU has cached was fenced before.

    Source: privileged architecture, HFENCE.GVMA; imsic_update and imsic_release (aia_imsic.c) read
    the file when its page is mapped elsewhere and the fence was waited for.
    """

    about = "imsic_vsfile_local_read"

    def wrong(self, k: Module, ret: None, current: Runner, sender: Caller) -> Iterator[Finding]:
        """Report a CPU whose guest goes on with the old translation."""
        owner = k.vcpu(sender.data.vcpu) if sender.data.vcpu else None
        if owner is None or not owner.vm.stores:
            return
        for hart in k.hart:
            file = file_of(owner.translations.page[hart.id])
            guest = k.vcpu(hart.guest) if hart.guest else None
            if file == (current.cpu, sender.data.hgei) and guest and guest.vm is owner.vm:
                text = f"the VS-file of {owner.name}, HART {file[0]} line {file[1]}, was read, and "
                text += f"the guest of {guest.name} on HART {hart.id} can still store to it"
                yield Finding("stale-translation", "vcpu", text)


class LevelFollows(OfGuests):
    """The VS-level external interrupt of a vCPU on its SW-file is pending while that file delivers.

    On a VS-file the hardware makes it pending, and hvip has nothing to add.
    Source: AIA specification, hstatus.VGEIN; privileged architecture, hvip.
    """

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a level in irqs_pending or hvip that differs from that of the SW-file."""
        on_swfile = vcpu.vsfile_cpu < 0
        delivers = on_swfile and bool(vcpu.swfile.deliverable())
        pending = bool(vcpu.irqs_pending & IRQ_VS_EXT)
        flushed = bool(vcpu.hvip & IRQ_VS_EXT)
        to_flush = bool(vcpu.irqs_pending_mask & IRQ_VS_EXT)
        if pending != delivers or (flushed != pending and not to_flush):
            how = "delivers" if delivers else "does not deliver"
            file = (
                f"the SW-file of {vcpu.name} {how}" if on_swfile else f"{vcpu.name} has a VS-file"
            )
            text = f"{file}; VSEIP is {pending:d} in irqs_pending, {flushed:d} in hvip, to be "
            text = f"{text}flushed: {to_flush:d}"
            yield Finding("level", "swfile" if on_swfile else "vsfile", text)


class SoftwareFollows(OfVcpus):
    """The VS-level software interrupt of a guest is pending if one was sent that it has not taken,
    and only if one was sent.

    The guest takes it by clearing vsip.SSIP, which is hvip.VSSIP; one that is sent meanwhile stays.
    Source: privileged architecture, hvip and vsip; SBI specification, sbi_send_ipi.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """Nothing: it is asked at the end."""
        yield from ()

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """Its destruction has not begun, and its guest has been left."""
        return not (vcpu.ledger.gone or vcpu.freed) and vcpu.mode == OUTSIDE_GUEST_MODE

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report an interrupt that is lost, or that comes again."""
        pending, flushed = bool(vcpu.irqs_pending & IRQ_VS_SOFT), bool(vcpu.hvip & IRQ_VS_SOFT)
        to_flush = bool(vcpu.irqs_pending_mask & IRQ_VS_SOFT)
        comes = pending if to_flush else flushed
        lost, stray = vcpu.ledger.soft_owed and not comes, comes and not vcpu.ledger.soft_sent
        if lost or stray or (pending != flushed and not to_flush):
            yield Finding("level", "software", f"{vcpu.name}: {_vssip(vcpu)}")


class SleeperHears(OfGuests):
    """A vCPU that sleeps on a VS-file would be woken by the next interrupt.

    Source: privileged architecture, hgeie and hie.SGEIE; hgei_interrupt (aia.c) kicks the owner.
    """

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """It sleeps, on a VS-file."""
        asleep = vcpu.wait.waiter and not vcpu.thread.on_rq and not vcpu.thread.pi_lock.drawn
        return bool(asleep) and vcpu.vsfile_cpu >= 0 and super().valid(k, vcpu)

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a sleeper that no interrupt can wake, and why."""
        hart, line = k.hart[vcpu.vsfile_cpu], vcpu.vsfile_hgei
        causes = {
            "HGEIE is clear": not hart.hgeie & bit(line),
            "hie.SGEIE is clear": not hart.sgeie,
            "SGEI is not requested": not k.globals.hgei_parent_irq,
            "the HART is offline": not hart.online,
            "the line is not its own": k.hgei[hart.id].owners[line] != vcpu.id,
        }
        why = [cause for cause, holds in causes.items() if holds]
        if why and not hart.sgei_pending() and not hart.hardirq:
            text = f"{vcpu.name} sleeps on HART {hart.id} line {line}: {', '.join(why)}"
            yield Finding("deaf", "vcpu", text, where_it_sleeps(vcpu))


def where_it_sleeps(vcpu: Vcpu) -> Cause:
    """Whether it is on another HART than that of its VS-file."""
    elsewhere = vcpu.vsfile_cpu not in (-1, vcpu.thread.cpu)
    return Cause(frozenset([ELSEWHERE] if elsewhere else []))
