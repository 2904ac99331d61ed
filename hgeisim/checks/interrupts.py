"""Interrupts: SGEI is there while a CPU listens to it, and nobody sleeps through one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.check import ReturnCheck, StateCheck
from hgeisim.checks.finding import Finding
from hgeisim.checks.ownership import vcpus
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.kernel.vcpu import pending_in_vsfile
from hgeisim.machine.hart import ffs
from hgeisim.machine.shared import addresses
from hgeisim.machine.task import Runner


class SgeiRequested(StateCheck[Module]):
    """The SGEI interrupt is not freed while a CPU has it enabled (bug B-17)."""

    def watches(self, k: Module) -> Iterator[int]:
        """Whether it was requested, and where it is enabled."""
        yield from addresses(k.globals, "hgei_parent_irq")
        for per_cpu in k.per_cpu:
            yield from addresses(per_cpu, "sgei_irq_enabled")

    def wrong(self, k: Module, subject: Module) -> Iterator[Finding]:
        """Report the CPUs that listen to an interrupt that is gone."""
        if not k.globals.hgei_parent_irq:
            for cpu, per_cpu in enumerate(k.per_cpu):
                if per_cpu.sgei_irq_enabled:
                    text = f"the SGEI interrupt is freed and still enabled on CPU {cpu}"
                    yield Finding("irq-freed-enabled", "sgei", text)


class SgeiEnds(ReturnCheck):
    """The handler of SGEI ends with the level down for which it was entered.

    SGEI is level-triggered (AIA specification, hgeip): else it is entered again at once, for ever.
    Lines whose interrupts came after the entry do not count.
    """

    about = "hgei_interrupt"

    def wrong(self, k: Module, ret: None, current: Runner) -> Iterator[Finding]:
        """Report a line that is still pending and armed."""
        hart = current.hart
        lines = hart.sgei_lines & hart.hgeip & hart.hgeie
        if lines and hart.sgeie:
            text = f"hgei_interrupt returns on HART {hart.id} with line {ffs(lines)} pending and "
            yield Finding("storm", "sgei", f"{text}armed, for which it was entered")


class NobodyForgotten(StateCheck[Vcpu]):
    """A vCPU that sleeps has nothing to wake up for, or somebody is about to wake it up.

    For two looks, long apart.  A wake-up is on its way while its locks are held, or an interrupt is
    being handled where its VS-file is.
    """

    def subjects(self, k: Module) -> Iterable[Vcpu]:
        """All vCPUs."""
        return vcpus(k)

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """It sleeps, and nobody is about to wake it up."""
        asleep = vcpu.wait.waiter and not vcpu.thread.on_rq
        return bool(asleep) and not (vcpu.thread.pi_lock.drawn or vcpu.swfile_extirq_lock.drawn)

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU that sleeps through an interrupt."""
        if self._forgotten(k, vcpu):
            text = f"{vcpu.name} sleeps for ever with an interrupt pending"
            yield Finding("lost-wakeup", "vcpu", text)

    def _forgotten(self, k: Module, vcpu: Vcpu) -> bool:
        if pending_in_vsfile(k, vcpu):
            hart = k.hart[vcpu.vsfile_cpu]
            return not (hart.sgei_pending() or hart.hardirq)
        return vcpu.vsfile_cpu < 0 and vcpu.swfile.deliverable()
