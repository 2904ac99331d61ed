"""The contexts of an explored kernel (tasks, interrupts of HARTs, movers), and which may run where.

The explored driver makes these decisions of a scheduler:

* a task may step while no hardirq runs on its HART and no other task is pinned there;
* a task is pinned while interrupts or preemption are off and, without kernel preemption, from its
  first step in the kernel to its next voluntary operation;
* a task whose CPU goes away is pushed to the first active CPU;
* the idle task of a HART steps where no other task wants that (`is_wanted`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgeisim.drivers.explored.model.automaton import REST, Automaton, MakePath, Node
from hgeisim.drivers.path_failure import AtomicSleep
from hgeisim.errors import ModelError
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Caller, Thread
from hgeisim.machine.freezer import Refrigerate
from hgeisim.machine.hart import Hart
from hgeisim.machine.idle import PAUSE
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import PREEMPTIBLE, PushOff, RunOn, Schedule, SelectRq
from hgeisim.machine.shared import addresses
from hgeisim.machine.task import Runner

CONTROL_OF_HART = (
    "irq_off", "hardirq", "preempt_count", "guest", "current", "active", "online",
    "call_queue", "resched_ipi", "hgeie", "hgeip", "sgeie",
)  # fmt: skip
"""The fields of a HART that decide which contexts may step."""


class Contexts:
    """A kernel and its contexts: tasks, then each HART's SGEI and IPI, then each task's mover.

    Call `add_task` for each task, then `seal`; from then on `start` has the cells at the start.
    `idle` are the ids of the tasks that are idle tasks of their HARTs.
    """

    def __init__(self, k: Module) -> None:
        if k.memory is None:
            raise ModelError("an explored kernel needs tracked memory")
        self.k, self.memory = k, k.memory
        self.automata: list[Automaton] = []
        self.tasks: list[Thread] = []
        self.by_number: dict[int, Automaton] = {}
        self.callers: list[Caller] = []
        self.movers: dict[int, Automaton] = {}
        self.idle: set[int] = set()
        self.start: list[int] = []

    def add_task(self, thread: Thread, origin: MakePath, idle: bool = False) -> None:
        """Add a task that will execute a path, perhaps the idle task of its HART."""
        if idle:
            self.idle.add(thread.id)
        pc = self.memory.cell(f"pc {thread.name}")
        automaton = Automaton(thread.name, thread, pc, type(self.k))
        self.memory.cells[automaton.location] = self._start(automaton, origin)
        self.automata.append(automaton)
        self.tasks.append(thread)
        self.by_number[thread.number] = automaton
        self.callers.append(thread)

    def _start(self, automaton: Automaton, origin: MakePath) -> int:
        """The local state in which a task starts: already at its first operation, if nothing shared
        is touched on the way there, so that no other context can see the difference."""
        start = automaton.start(origin)
        cells = self.memory.cells
        self.memory.begin_step(list(cells))
        first = automaton.advance(automaton.node(start), self.memory)
        unseen = not self.memory.touched and first != REST
        if unseen:
            cells[:] = self.memory.cells
        self.memory.begin_step(cells)
        return first if unseen else start

    def seal(self, movable: Sequence[Thread] = ()) -> None:
        """Add the interrupt contexts, and a mover for each `movable` task; after that no task can
        be added."""
        for kind, name in enumerate(("sgei", "ipi")):
            for hart in self.k.hart:
                number = kind * len(self.k.hart) + hart.id
                runner = self.k.hardirq(f"{name}/{hart.id}", number, hart.id)
                self.by_number[runner.number] = self._add_context(runner.name, runner)
                self.callers.append(runner)
        for thread in movable:
            self.movers[thread.id] = self._add_context(f"move {thread.name}", thread)
        self.start = list(self.memory.cells)

    def _add_context(self, name: str, runner: Runner) -> Automaton:
        automaton = Automaton(name, runner, self.memory.cell(f"pc {name}"), type(self.k))
        self.automata.append(automaton)
        return automaton

    def handed(self) -> frozenset[int]:
        """The data on the stacks of IPI senders; while they wait it belongs to the handler."""
        parts = [part for who in self.callers for part in (who.data, who.data.mrif)]
        return frozenset(address for part in parts for address in addresses(part))

    def control(self) -> Iterator[int]:
        """The cells that decide which contexts may step."""
        for hart in self.k.hart:
            yield from addresses(hart, *CONTROL_OF_HART)
        for who in self.callers:
            yield from addresses(who, "ipi_wait")
        for thread in self.tasks:
            if thread.id in self.movers:
                yield from addresses(thread, "cpu", "on_rq", "on_cpu", "allowed", "wanted")
                yield from addresses(thread.pi_lock, "drawn")
        if self.idle:
            for thread in self.tasks:
                yield from addresses(thread, "cpu", "on_rq", "on_cpu", "allowed")
            for vcpu in self.k.vcpu_of.values():
                yield from addresses(vcpu, "cpu")


class Placement(Contexts):
    """Contexts on the HARTs of their kernel, with a model of preemption."""

    def __init__(self, k: Module, preemption: str) -> None:
        super().__init__(k)
        self.preemptible_kernel = preemption in PREEMPTIBLE

    def may_run(self, who: Runner, op: Op) -> bool:
        """Whether the HART that a task needs for its operation is free for it."""
        hart = self.k.hart[self._cpu_for(who, op)]
        free = not hart.hardirq and hart.current in (0, who.id)
        return free and not (self.is_put_off(who) and self.is_wanted(hart))

    def is_put_off(self, who: Runner) -> bool:
        """Whether it is an idle task that does not have its HART."""
        return who.id in self.idle and who.hart.current != who.id

    def is_wanted(self, hart: Hart) -> bool:
        """Whether a HART is not idle, or offline."""
        others = (thread for thread in self.tasks if thread.id not in self.idle)
        return not hart.online or any(self._wants(thread, hart.id) for thread in others)

    def _wants(self, thread: Thread, cpu: int) -> bool:
        """Whether a task runs on a CPU, or would if that were free: not one that sleeps, waits for
        a lock that makes it sleep, or is outside of the kernel.

        A vCPU that is loaded is in its guest, if not in the kernel.
        """
        node = self._standing(thread)
        if cpu != (thread.cpu if node is None else self._cpu_for(thread, node.op)):
            return False
        vcpu = self.k.vcpu_of.get(thread)
        if vcpu is not None and vcpu.cpu >= 0:
            return True
        in_kernel = node is not None and not self.is_outside(node)
        return in_kernel and bool(thread.on_rq or thread.on_cpu)

    def is_outside(self, node: Node) -> bool:
        """Whether a task that stands at a node leaves its HART to the idle task."""
        return node.op == PAUSE or (node.waiting and node.op.voluntary)

    def _is_frozen(self, thread: Thread) -> bool:
        """Whether a task rests until all CPUs are back: no run queue has it."""
        node = self._standing(thread) if self.k.freezer.tasks else None
        return node is not None and isinstance(node.op, Refrigerate)

    def _standing(self, thread: Thread) -> Node | None:
        """The place where a task is, perhaps on its way to another HART; None at rest."""
        mover = self.movers.get(thread.id)
        for automaton in (mover, self.by_number[thread.number]):
            if automaton is not None and (here := self.memory.read(automaton.location)) != REST:
                return automaton.node(here)
        return None

    def _cpu_for(self, who: Runner, op: Op) -> int:
        """The HART that a task needs for its operation."""
        if isinstance(op, RunOn):
            return op.cpu
        if not isinstance(op, Schedule):
            return who.cpu
        return op.task.allowed - 1 if op.task.allowed else self._active_or_other(who.cpu)

    def _active_or_other(self, cpu: int) -> int:
        """A CPU, or the first active one if it is inactive; any other would do as well."""
        if self.k.hart[cpu].active:
            return cpu
        return next(hart.id for hart in self.k.hart if hart.active)

    def complete(self, who: Runner, op: Op) -> None:
        """Decide where tasks run after an operation of a scheduler is complete."""
        if isinstance(op, Schedule):
            cpu = self._cpu_for(who, op)
            if who.cpu != cpu:
                who.cpu = cpu
        elif isinstance(op, PushOff):
            for thread in self.tasks:
                stays = thread is who or thread.id in self.idle or self._is_frozen(thread)
                if thread.cpu == op.cpu and not stays:
                    thread.cpu = self._active_or_other(op.cpu)
                    vcpu = self.k.vcpu_of.get(thread)
                    if vcpu is not None and vcpu.cpu >= 0:
                        self.k.put_and_loaded(vcpu, thread.cpu)
        elif isinstance(op, SelectRq):
            cpu = self._active_or_other(op.task.cpu)
            if cpu != op.task.cpu and op.task.hart.current != op.task.id:
                op.task.cpu = cpu

    def pin_or_release(self, who: Runner, node: Node | None) -> None:
        """Pin a task to its HART after a step to `node` (None: it has finished), or release it."""
        hart = who.hart
        pinned = bool(hart.irq_off or hart.preempt_count)
        leaves = node is None or node.op.voluntary
        sleeping_lock = node is not None and node.op.waits
        if pinned and leaves and not sleeping_lock:
            what = "finishes" if node is None else f"schedules (at {node.op})"
            functions = node.functions if node else ()
            raise AtomicSleep(f"{who.name} {what} while atomic", functions)
        current = who.id if pinned or not (leaves or self.preemptible_kernel) else 0
        if hart.current != current:
            hart.current = current
