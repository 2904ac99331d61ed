"""The contexts of an explored kernel: its tasks, the interrupts of its HARTs, and movers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgeisim.drivers.explored.model.automaton import REST, Automaton, MakePath
from hgeisim.errors import ModelError
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Caller, Thread
from hgeisim.machine.shared import addresses
from hgeisim.machine.task import Runner

CONTROL_OF_HART = (
    "irq_off", "hardirq", "preempt_count", "guest", "current", "active", "online",
    "call_queue", "resched_ipi", "hgeie", "hgeip", "sgeie",
)  # fmt: skip
"""The fields of a HART by which it is decided who may step."""


class Contexts:
    """A kernel and its contexts: tasks, then each HART's SGEI and IPI, then each task's mover.

    Build it, `add_task` the contexts, then `seal` it: `start` are the cells from then on.
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
        self.start: list[int] = []

    def add_task(self, thread: Thread, origin: MakePath) -> None:
        """Add a task that will execute a path."""
        pc = self.memory.cell(f"pc {thread.name}")
        automaton = Automaton(thread.name, thread, pc, type(self.k))
        self.memory.cells[automaton.location] = self._start(automaton, origin)
        self.automata.append(automaton)
        self.tasks.append(thread)
        self.by_number[thread.number] = automaton
        self.callers.append(thread)

    def _start(self, automaton: Automaton, origin: MakePath) -> int:
        """The local state a task starts in: before its first operation, if nobody can tell whether
        it has come so far, since nothing shared is touched on the way there."""
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
        """Add the interrupt contexts, and movers for the tasks that somebody moves; no task can be
        added any more."""
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
        """What senders of IPIs have on their stacks: while they wait it is the handler's."""
        parts = [part for who in self.callers for part in (who.data, who.data.mrif)]
        return frozenset(address for part in parts for address in addresses(part))

    def control(self) -> Iterator[int]:
        """The cells by which this driver decides who may step."""
        for hart in self.k.hart:
            yield from addresses(hart, *CONTROL_OF_HART)
        for who in self.callers:
            yield from addresses(who, "ipi_wait")
        for thread in self.tasks:
            if thread.id in self.movers:
                yield from addresses(thread, "cpu", "on_rq", "on_cpu", "allowed", "wanted")
                yield from addresses(thread.pi_lock, "drawn")
