"""Driving one or two paths by hand, operation by operation, and recording what they did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from hgeisim.drivers.run_to_end import answer_ipi
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.shared import Memory
from hgeisim.machine.task import Runner

T = TypeVar("T")


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
        while not self.at.ready(self.who):
            if not self.at.proceed(self.who):
                return False
        self.at.end(self.who)
        if isinstance(self.at, Schedule) and self.at.task.allowed:
            self.who.cpu = self.at.task.allowed - 1
        self._go_on()
        return True

    def _begin(self, op: Op) -> None:
        self.begun = True
        op.begin(self.who)
        if isinstance(op, Ipi):
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


BOOKKEEPING = {
    *("next", "owner", "inside", "drawn", "ticket", "phase", "irq_off", "preempt_count"),
    *("readers", "writer", "waiting", "readers_inside", "writers_inside", "ipi_mask", "ipi_wait"),
    *("srcu", "readers[0]", "readers[1]", "begun", "completed", "cpu.cpu"),
    *("vsfile_of", "data.vcpu"),
}
"""Cells that locks, IPIs and preemption keep for themselves, for their operations say enough, and
those that only checks read."""


def story(memory: Memory, path: Path[object], who: Runner) -> list[str]:
    """Run a path alone; yield each operation with what the step after it wrote."""
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
    return "".join(f" | {name} = {value}" for name, value in cells if not _is_bookkeeping(name))


def _is_bookkeeping(name: str) -> bool:
    parts = name.split(".")
    return parts[-1] in BOOKKEEPING or ".".join(parts[-2:]) in BOOKKEEPING


def writes(told: list[str]) -> list[str]:
    """Only what was written, in its order."""
    return [text for line in told for text in line.split(" | ")[1:]]


def in_order(told: list[str], *expected: str) -> list[str]:
    """Those of the expected lines that do not come, as a whole line or as a write of one, after the
    one before; empty when all do."""
    pieces = _pieces(told)
    return [each for each in expected if each not in pieces]


def _pieces(told: list[str]) -> Iterator[str]:
    for line in told:
        yield from line.split(" | ")
