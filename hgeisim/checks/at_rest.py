"""What must fit when nobody is in the middle of anything: registers, page tables, armed lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.cause import ELSEWHERE, Cause
from hgeisim.checks.check import StateCheck
from hgeisim.checks.conservation import OfGuests
from hgeisim.checks.finding import Finding
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import IRQ_VS_EXT, REQ_HFENCE, Vcpu
from hgeisim.machine.hart import Hart, bit


class OfHarts(StateCheck[Hart]):
    """A check of each HART when nothing can happen any more."""

    def watches(self, k: Module) -> Iterator[int]:
        """Nothing: it is asked at the end only."""
        yield from ()

    def subjects(self, k: Module) -> Iterable[Hart]:
        """All HARTs."""
        return k.hart


class ArmedForAReason(OfHarts):
    """HGEIE is set only for lines whose owner has its VS-file there."""

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report lines that interrupt the host for nobody."""
        if hart.hgeie:
            for line in range(1, len(k.hgei[hart.id].owners)):
                if hart.hgeie & bit(line):
                    yield from self._armed(k, hart, line)

    def _armed(self, k: Module, hart: Hart, line: int) -> Iterator[Finding]:
        owner = k.hgei[hart.id].owners[line]
        place = f"HART {hart.id} line {line} is armed in HGEIE"
        if not owner:
            yield Finding("armed", "free-line", f"{place}, and nobody owns it")
            return
        vcpu = k.vcpu(owner)
        if (vcpu.vsfile_cpu, vcpu.vsfile_hgei) != (hart.id, line):
            text = f"{place} for {vcpu.name}, which has its VS-file elsewhere"
            yield Finding("armed", "not-its-file", text)


class RegistersFollow(OfHarts):
    """The AIA registers of a CPU follow virtualization_enabled, and VGEIN is put back."""

    def valid(self, k: Module, hart: Hart) -> bool:
        """Interrupts of AIA exist."""
        return bool(k.globals.hgei_parent_irq)

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report each register that says something else."""
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
    """The IMSIC page of a vCPU is mapped to its VS-file, or traps."""

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
    """A fence that is queued for a vCPU is executed, or asked for, when nothing else happens."""

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU that goes on with old translations."""
        if vcpu.hfence and not vcpu.requests & REQ_HFENCE:
            text = f"{vcpu.name} has a fence in its queue, and no request to execute it"
            yield Finding("fence-lost", "vcpu", text)


class LevelFollows(OfGuests):
    """VS-level external interrupt is pending for a vCPU on its SW-file while that delivers.

    On a VS-file the hardware makes it pending, and hvip has nothing to add (AIA specification,
    hstatus.VGEIN; privileged architecture, hvip).
    """

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a level that is not that of the SW-file, in irqs_pending or in hvip."""
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


class SleeperHears(OfGuests):
    """A vCPU that sleeps on a VS-file would be woken by the next interrupt."""

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """It sleeps, on a VS-file."""
        asleep = vcpu.wait.waiter and not vcpu.thread.on_rq and not vcpu.thread.pi_lock.drawn
        return bool(asleep) and vcpu.vsfile_cpu >= 0 and super().valid(k, vcpu)

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a sleeper that nothing can wake, and why."""
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
            cause = Cause(frozenset([ELSEWHERE] if vcpu.thread.cpu != hart.id else []))
            yield Finding("deaf", "vcpu", text, cause)
