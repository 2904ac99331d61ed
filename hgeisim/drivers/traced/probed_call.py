"""Calls of kernel paths by the threads and interrupts of a trace, run from probe to probe.

The kernel stops where the real one had its probes when the trace was recorded (`STOPS`).  Between
two probes a call runs without a break.

A call can be copied midway.  A generator cannot be copied, but a path is deterministic: the copy
starts the path again and brings it to the same place by giving it the values that the original
read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hgeisim.kernel.main import Module
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.shared import Memory
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Stop, stopping

Sections = frozenset[tuple[str, int]]
"""Sections that a path may enter before its next probe: ("hgei", CPU) and ("vsfile", vCPU id)."""
NOTHING: Sections = frozenset()


@dataclass(frozen=True, slots=True)
class Probe(Op):
    """The operation of a path that has reached a probe; `name` is that of the probe's event.

    The other fields are the values of the event, -1 or 0 if it has none: `vcpu` is an id, `value` a
    return value or an argument.  `sections` are those that the path may enter after the probe.
    """

    name: str
    sections: Sections = NOTHING
    vcpu: int = 0
    cpu: int = -1
    line: int = -1
    value: int = 0


def hgei(cpu: int) -> Sections:
    """The section under hgctrl->lock of a CPU."""
    return frozenset([("hgei", cpu)])


def vsfile(vcpu: int) -> Sections:
    """The section under vsfile_lock of a vCPU."""
    return frozenset([("vsfile", vcpu)])


def _sgei(current: Runner) -> Probe:
    """The probe of an SGEI; the real one is a little later, when only HGEIE has changed."""
    mask = current.hart.hgeip & current.hart.hgeie
    return Probe("sgei", hgei(current.cpu), 0, current.cpu, value=mask)


STOPS: dict[str, Stop] = {
    "kvm_riscv_aia_alloc_hgei": Stop(
        lambda cpu, owner: [Probe("alloc", hgei(cpu), owner.id, cpu)],
        lambda ret, cpu, owner: [Probe("alloc_ret", vsfile(owner.id), owner.id, cpu, value=ret)],
    ),
    "kvm_riscv_aia_free_hgei": Stop(
        lambda cpu, line: [Probe("free", hgei(cpu), 0, cpu, line)],
        lambda ret, cpu, line: [Probe("free_ret", NOTHING, 0, cpu, line)],
    ),
    "kvm_riscv_vcpu_aia_imsic_update": Stop(
        lambda current, vcpu: [Probe("upd", vsfile(vcpu.id), vcpu.id)],
        lambda ret, current, vcpu: [Probe("upd_ret", NOTHING, vcpu.id, value=ret)],
    ),
    # After it, the loop of kvm_riscv_aia_disable looks at the next owner: under hgctrl->lock.
    "kvm_riscv_vcpu_aia_imsic_release": Stop(
        lambda current, vcpu: [Probe("rel", vsfile(vcpu.id), vcpu.id)],
        lambda ret, current, vcpu: [Probe("rel_ret", hgei(current.cpu), vcpu.id)],
    ),
    "kvm_riscv_mmu_ioremap": Stop(
        lambda current, vcpu, cpu, line: [Probe("ioremap", vsfile(vcpu.id), vcpu.id, cpu, line)]
    ),
    "kvm_riscv_mmu_iounmap": Stop(lambda current, vcpu: [Probe("iounmap", NOTHING, vcpu.id)]),
    "imsic_vsfile_local_read": Stop(
        lambda current, sender: [
            Probe("lread", NOTHING, sender.data.vcpu, current.cpu, sender.data.hgei)
        ]
    ),
    "hgei_interrupt": Stop(lambda current: [_sgei(current)]),
    "kvm_vcpu_kick": Stop(lambda current, vcpu: [Probe("kick", hgei(current.cpu), vcpu.id)]),
    "kvm_riscv_aia_disable": Stop(
        lambda current: [Probe("dis", hgei(current.cpu), 0, current.cpu)],
        lambda ret, current: [Probe("dis_ret", hgei(current.cpu), 0, current.cpu)],
    ),
    # After it, virtualization_enabled is set, which an allocation needs.
    "kvm_riscv_aia_enable": Stop(
        lambda current: [Probe("en", hgei(current.cpu), 0, current.cpu)],
        lambda ret, current: [Probe("en_ret", hgei(current.cpu), 0, current.cpu)],
    ),
    "kvm_riscv_aia_wakeon_hgei": Stop(
        lambda current, owner, enable: [
            Probe("wakeon", hgei(current.cpu), owner.id, current.cpu, value=enable)
        ]
    ),
}
"""The stops of a kernel's paths, by function."""


def probed(kernel: type[Module]) -> type[Module]:
    """The same kernel, stopping where a trace has its probes."""
    made: type[Module] = stopping(kernel, STOPS)
    return made


Steps = Generator[tuple[Op, Runner], None, Any]
"""The operations of a path, each with the context that executes it."""
MakeSteps = Callable[[], Steps]
UPDATE = "kvm_riscv_vcpu_aia_imsic_update"
RELEASE = "kvm_riscv_vcpu_aia_imsic_release"
DISABLE = "kvm_riscv_aia_disable"
PREEMPTION_OFF = (UPDATE, "kvm_arch_vcpu_blocking", "kvm_arch_vcpu_unblocking")
"""Calls that are made with preemption off."""


class Blocked(Exception):
    """The path waits for a lock that another call holds at its probe: this order is impossible."""


@dataclass
class Call:
    """A call of `function` by `who` on `cpu`, about the vCPU with id `vcpu` (0: none).

    `probe` is the probe that it has reached, None before the first one.  `matched` means that the
    trace has the event of that probe in `line`: the path may go on, and enter `sections`.  A
    call that is `done` has returned `result`.  `depth` is the preemption depth at its beginning.
    `history` has the values that each step read, by address, from which `steps` can be revived.
    """

    function: str
    who: Runner
    cpu: int
    vcpu: int
    make: MakeSteps
    sections: Sections = NOTHING
    probe: Probe | None = None
    matched: bool = True
    done: bool = False
    depth: int = 0
    result: int | None = None
    line: int = 0
    history: list[Mapping[int, int]] = field(default_factory=list)
    steps: Steps | None = None

    def copy(self) -> Call:
        """A second call at the same place; its steps are revived when it goes on."""
        copied = Call(self.function, self.who, self.cpu, self.vcpu, self.make, self.sections)
        copied.probe, copied.matched, copied.line = self.probe, self.matched, self.line
        copied.depth, copied.done, copied.result = self.depth, self.done, self.result
        copied.history = list(self.history)
        return copied

    @property
    def may_go_on(self) -> bool:
        """Whether the call may run to its next probe."""
        return self.matched and not self.done

    def key(self) -> tuple[object, ...]:
        """Calls with equal keys have the same future, if the memory is equal as well."""
        if self.done:
            return self.function, self.result, self.cpu
        history = tuple(tuple(reads.items()) for reads in self.history)
        return self.function, self.probe, self.matched, self.cpu, history

    def advance(self, memory: Memory, is_silent: Callable[[Probe, Call], bool]) -> None:
        """Run to the next probe that is not silent, or to the end.

        Raises `Blocked`, or `AssertionError` if an assumption of the path is broken.
        """
        while (op := self._step(memory)) is not None:
            if isinstance(op, Probe) and not is_silent(op, self):
                self.probe, self.matched, self.sections = op, False, op.sections
                return
        self.done, self.steps, self.history = True, None, []

    def _step(self, memory: Memory) -> Op | None:
        """Complete the next operation; None at the end of the path."""
        if self.steps is None:
            self.steps = self._revived(memory)
        memory.begin_step(memory.cells)
        try:
            op, who = next(self.steps)
        except StopIteration as stop:
            self.result = stop.value
            return None
        self.history.append(memory.reads)
        complete(op, who)
        return op

    def _revived(self, memory: Memory) -> Steps:
        """Start the path again, and let it read the recorded values up to where it was.

        Only reads decide where a path goes, so a scratch memory with just these values will do.
        """
        cells, scratch = memory.cells, list(memory.cells)
        steps = self.make()
        for reads in self.history:
            for address, value in reads.items():
                scratch[address] = value
            memory.begin_step(scratch)
            next(steps)
        memory.begin_step(cells)
        return steps


def complete(op: Op, who: Runner) -> None:
    """Execute an operation to its end."""
    op.begin(who)
    while not op.ready(who):
        if not op.proceed(who):
            raise Blocked(f"{op} waits")
    op.end(who)


def outcome(path: Path[int], who: Runner) -> int:
    """Execute a path that waits for nobody and reaches no probe; what it returns."""
    steps = answered(path, who, ())
    while True:
        try:
            complete(*next(steps))
        except StopIteration as stop:
            return int(stop.value)


def answered(path: Path[Any], who: Runner, irqs: Sequence[Runner]) -> Steps:
    """The steps of a path, and of the handlers on other HARTs of each IPI that it sends."""
    op = Op()
    while True:
        try:
            op = path.send(op.answer(who))
        except StopIteration as stop:
            return stop.value
        if not isinstance(op, Ipi):
            yield op, who
            continue
        op.begin(who)
        for irq in irqs:
            if who.ipi_wait >> irq.cpu & 1:
                yield from answered(op.handler(irq, who), irq, irqs)
        who.ipi_wait = 0
        op.end(who)
