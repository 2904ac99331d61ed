"""A call of a kernel path by a thread or an interrupt of the trace, from probe to probe.

The kernel stops where the trace of the real one has its probes (`STOPS`).  Between two of them a
call runs in one go.

A call can be copied midway.  A generator cannot; but a path is deterministic, so a copy is made
anew and brought to the same place by giving it the values that the first one read.
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
"""What a path may touch before its next probe: ("hgei", CPU) and ("vsfile", vCPU id)."""
NOTHING: Sections = frozenset()


@dataclass(frozen=True, slots=True)
class Probe(Op):
    """A path is at a probe; `name` is that of the event.

    The other fields are the values of the event, -1 or 0 where it has none: `vcpu` is an id,
    `value` a return value or an argument.  `sections` are entered after it.
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
    """The real probe is a little later, where nothing but HGEIE has changed."""
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
    # The loop of kvm_riscv_aia_disable looks at the next owner after it.
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
    # virtualization_enabled, which an allocation needs, is set after it.
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
"""Where the paths of a kernel stop, by function."""


def probed(kernel: type[Module]) -> type[Module]:
    """The same kernel, which stops where the trace of a real one has its probes."""
    made: type[Module] = stopping(kernel, STOPS)
    return made


Steps = Generator[tuple[Op, Runner], None, Any]
"""The operations of a path, each with who executes it."""
MakeSteps = Callable[[], Steps]
DISABLE = "kvm_riscv_aia_disable"


class Blocked(Exception):
    """The path waits for a lock that another one holds at its probe: not in this order."""


@dataclass
class Context:
    """A call: `function` by `who` on `cpu`, about the vCPU with id `vcpu` (0: none).

    `probe` is where it stands.  `told` means that the trace has told that event, too, in `line`, so
    the path may go on; before the first one, where `probe` is None, it may enter `sections`.  A
    path that is `done` has returned `result`.  `depth` is how often preemption was off as it began.
    """

    function: str
    who: Runner
    cpu: int
    vcpu: int
    make: MakeSteps
    sections: Sections = NOTHING
    probe: Probe | None = None
    told: bool = True
    done: bool = False
    depth: int = 0
    result: int | None = None
    line: int = 0
    history: list[Mapping[int, int]] = field(default_factory=list)
    steps: Steps | None = None

    def copy(self) -> Context:
        """A second one at the same place."""
        copied = Context(self.function, self.who, self.cpu, self.vcpu, self.make, self.sections)
        copied.probe, copied.told, copied.line = self.probe, self.told, self.line
        copied.depth, copied.done, copied.result = self.depth, self.done, self.result
        copied.history = list(self.history)
        return copied

    @property
    def may_go_on(self) -> bool:
        """Whether nothing is missing for it to run to its next probe."""
        return self.told and not self.done

    def key(self) -> tuple[object, ...]:
        """Equal keys, on equal memory: the same future."""
        if self.done:
            return self.function, self.result, self.cpu
        history = tuple(tuple(reads.items()) for reads in self.history)
        return self.function, self.probe, self.told, self.cpu, history

    def advance(self, memory: Memory, is_silent: Callable[[Probe, Context], bool]) -> None:
        """Run to the next probe that is not silent, or to the end.

        Raises `Blocked`, and `AssertionError` where a path finds what it relies on broken.
        """
        while (op := self._step(memory)) is not None:
            if isinstance(op, Probe) and not is_silent(op, self):
                self.probe, self.told, self.sections = op, False, op.sections
                return
        self.done, self.steps, self.history = True, None, []

    def _step(self, memory: Memory) -> Op | None:
        """Complete the next operation."""
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
    """Execute an operation at once."""
    op.begin(who)
    while not op.ready(who):
        if not op.proceed(who):
            raise Blocked(f"{op} waits")
    op.end(who)


def answered(path: Path[Any], who: Runner, irqs: Sequence[Runner]) -> Steps:
    """The steps of a path; where it sends an IPI, the handlers' steps on other HARTs as well."""
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
