"""Booted kernels for tests, and a way to drive one or two paths by hand, operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from hgeisim.drivers.alone import answer_ipi, boot, run_alone
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import AUTO, Thread, Vcpu
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, Ipi, Op, Path
from hgeisim.machine.shared import Memory
from hgeisim.machine.task import Runner
from hgeisim.machine.topology import HartSpec, Topology

T = TypeVar("T")

V6_12, V2, V5 = "v6.12", "v6.12+percpu-v2", "v6.12+percpu-v5"
BITMAP_RESET, LOCK_INIT = "v6.12+percpu-v2-bitmap-reset", "v6.12+percpu-v2-lock-init"
ALL_VARIANTS = (V6_12, V2, BITMAP_RESET, LOCK_INIT, V5)

Harts = Sequence[int | HartSpec]
"""HARTs by their number of lines (as many guest files), or as specified."""


def machine(harts: Harts, guest_index_bits: int = 6) -> Topology:
    """A topology with these HARTs."""
    specs = (HartSpec(hart) if isinstance(hart, int) else hart for hart in harts)
    return Topology(tuple(specs), guest_index_bits, "test")


def unbooted(variant: str, harts: Harts, memory: Memory | None = None) -> Cpuhp:
    """A kernel before its first instruction."""
    return find_variant(variant)(machine(harts), memory)


def booted(variant: str, harts: Harts, memory: Memory | None = None, init_hart: int = 0) -> Cpuhp:
    """A kernel with the module loaded on `init_hart` and every CPU enabled."""
    k = unbooted(variant, harts, memory)
    boot(k, k.add_thread("swapper", init_hart))
    return k


def tracked(variant: str, harts: Harts) -> tuple[Cpuhp, Memory]:
    """A booted kernel in tracked memory."""
    memory = Memory()
    return booted(variant, harts, memory), memory


def result(path: Path[T], who: Runner) -> T:
    """Run a path with nobody else around and return what the C function returns."""
    kept: list[T] = []

    def keep() -> Path[None]:
        value = yield from path
        kept.append(value)

    run_alone(keep(), who)
    return kept[0]


def entering(k: Cpuhp, vcpu: Vcpu) -> Path[int]:
    """imsic_update as the run loop calls it: preemption off."""
    yield PREEMPT_DISABLE
    entered = yield from k.kvm_riscv_vcpu_aia_imsic_update(vcpu.thread, vcpu)
    yield PREEMPT_ENABLE
    return entered


def enter(k: Cpuhp, vcpu: Vcpu, cpu: int | None = None) -> int:
    """Move a vCPU's thread to a HART (None: stay) and let it get its VS-file there."""
    if cpu is not None:
        vcpu.thread.cpu = cpu
    return result(entering(k, vcpu), vcpu.thread)


def owner_on(k: Cpuhp, name: str, cpu: int, mode: str = AUTO) -> Vcpu:
    """A new vCPU that has entered its guest on a HART."""
    vcpu = k.add_vcpu(name, cpu, mode)
    enter(k, vcpu)
    return vcpu


def vsfile(vcpu: Vcpu) -> tuple[int, int]:
    """The (HART, line) of a vCPU."""
    return vcpu.vsfile_cpu, vcpu.vsfile_hgei


def msi(k: Cpuhp, vcpu: Vcpu) -> None:
    """Send an MSI from the outside."""
    run_alone(k.kvm_riscv_vcpu_aia_imsic_inject(vcpu), k.threads[0])


def pending(k: Cpuhp) -> tuple[list[int], list[int]]:
    """What is pending in the guest files of the HARTs, and in the SW-files of the vCPUs."""
    return [hart.hgeip for hart in k.hart], [v.sw_pending for v in k.vcpus if v is not None]


def owners(k: Cpuhp, cpu: int) -> list[int]:
    """The owners[] of a CPU."""
    slots = k.hgei[cpu].owners
    return [slots[line] for line in range(len(slots))]


def online_again(k: Cpuhp, cpu: int) -> None:
    """Take a HART offline and online again, with nobody else around."""
    cpuhp = k.add_thread(f"cpuhp/{cpu}", cpu)
    run_alone(k.cpu_down(cpuhp, cpu), cpuhp)
    run_alone(k.cpu_up(cpuhp, cpu), cpuhp)


class Context(Generic[T]):
    """A path that a test drives by hand.

    It stands *before* the operation `at`; `at` is None at the end, and `value` then holds what the
    path returned.  IPIs are answered on the spot.
    """

    def __init__(self, path: Path[T], who: Runner) -> None:
        self.path, self.who = path, who
        self.at: Op | None = None
        self.begun = False
        self.value: T | None = None
        self._go_on()

    def step(self) -> bool:
        """Complete the operation and go on to the next; False when it has to wait."""
        assert self.at is not None, "the path has ended"
        if not self.begun:
            self._begin(self.at)
        if not self.at.ready(self.who):
            return False
        self.at.end(self.who)
        self._go_on()
        return True

    def _begin(self, op: Op) -> None:
        self.begun = True
        op.begin(self.who)
        if isinstance(op, Ipi) and self.who.ipi_to:
            answer_ipi(op, self.who)

    def _go_on(self) -> None:
        self.begun = False
        try:
            self.at = next(self.path)
        except StopIteration as end:
            self.at, self.value = None, end.value

    def before(self, op: str, times: int = 1) -> Context[T]:
        """Go on until it stands before an operation, the given number of times."""
        while True:
            times -= str(self.at) == op
            if not times:
                return self
            assert self.step(), f"{self.who} waits at {self.at}"

    def after(self, op: str, times: int = 1) -> Context[T]:
        """Go on until it has completed an operation, the given number of times."""
        self.before(op, times)
        assert self.step(), f"{self.who} waits at {op}"
        return self

    def finish(self) -> T | None:
        """Go on to the end."""
        while self.at is not None:
            assert self.step(), f"{self.who} waits at {self.at}"
        return self.value


BOOKKEEPING = ("next", "owner", "inside", "drawn", "ticket", "irq_off", "preempt_count", "ipi_to")
"""Cells that locks, IPIs and preemption keep for themselves: their operations say enough."""


def story(memory: Memory, path: Path[object], who: Thread) -> list[str]:
    """Run a path alone and tell each operation with what the step after it wrote."""
    memory.begin_step(memory.cells)
    lines = ["start"]
    context = Context(path, who)
    lines[-1] += _written(memory)
    while context.at is not None:
        lines.append(str(context.at))
        memory.begin_step(memory.cells)
        assert context.step(), lines[-1]
        lines[-1] += _written(memory)
    return lines


def _written(memory: Memory) -> str:
    cells = [(memory.names[address], value) for address, value in memory.writes.items()]
    kept = [f"{n} = {v}" for n, v in cells if n.rpartition(".")[2] not in BOOKKEEPING]
    return "".join(f" | {text}" for text in kept)
