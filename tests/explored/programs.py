"""Small random programs: two or three tasks on two HARTs that share locks, cells and interrupts.

Each is a list of operations, each with something to do right after it.  What they do is of no use;
but sections nest, interrupts come in between, and much of it hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from hgeisim.checks.check import StateCheck
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.system import System
from hgeisim.kernel.main import Module
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import mutex, rwsem
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    STEP,
    Op,
    Path,
)
from hgeisim.machine.rwlock import rwlock
from hgeisim.machine.schedule import STOP_MACHINE, RunOn
from hgeisim.machine.shared import Array, Fixed, Memory, Shared, addresses, build
from hgeisim.machine.spinlock import raw_spinlock
from hgeisim.machine.task import Runner
from hgeisim.scenario.streams import Stream, Streams
from tests.support import kernels

CELLS = 5
HARTS = 2


class Box(Shared):
    """The shared state of programs."""

    cells: Array


Act = Callable[[Box, Runner], None]
"""The statements of a program after an operation."""


class Code(Fixed):
    """A program."""

    def __init__(self, lines: Sequence[tuple[Op, Act]]) -> None:
        self.lines = tuple(lines)


def run(box: Box, code: Code, who: Runner) -> Path[None]:
    i = 0
    while i < len(code.lines):
        yield code.lines[i][0]
        code.lines[i][1](box, who)
        i += 1


def handle(box: Box, code: Code, current: Runner, sender: Runner) -> Path[None]:
    yield from run(box, code, current)


def nothing(box: Box, who: Runner) -> None: ...


def put(cell: int, value: int, box: Box, who: Runner) -> None:
    box.cells[cell] = value


def copy(to: int, cell: int, box: Box, who: Runner) -> None:
    box.cells[to] = box.cells[cell]


def bump(cell: int, box: Box, who: Runner) -> None:
    box.cells[cell] = (box.cells[cell] + 1) % 3


def address_ipi(mask: int, box: Box, who: Runner) -> None:
    who.ipi_mask = mask


class Seen(StateCheck[Module]):
    """A state check that reports every combination of values that some cells take."""

    def __init__(self, box: Box, cells: Sequence[int]) -> None:
        self.box, self.cells = box, cells

    def watches(self, k: Module) -> Iterator[int]:
        every = list(addresses(self.box, "cells"))
        yield from (every[cell] for cell in self.cells)

    def wrong(self, k: Module, subject: Module) -> Iterator[Finding]:
        values = "+".join(str(self.box.cells[cell]) for cell in self.cells)
        yield Finding("seen", values, "")


class Place(NamedTuple):
    """The place of a line: how deep, whether preemption is off, whether in an interrupt."""

    depth: int
    pinned: bool = False
    interrupt: bool = False


class Author:
    """Writes programs that take the same locks."""

    def __init__(self, below: Stream, memory: Memory) -> None:
        self.below, self.memory = below.below, memory
        sleeping = not self.below(5)
        spins = [
            raw_spinlock(memory, f"s{i}", f"s{i}", bool(self.below(5)), sleeping and i == 0)
            for i in range(2)
        ]
        mutexes = [mutex(memory, f"m{i}", f"m{i}") for i in range(2)]
        rw, sem = rwlock(memory, "r", "r"), rwsem(memory, "d", "d")
        self.spinning: list[tuple[Op, Op]] = [
            (PREEMPT_DISABLE, PREEMPT_ENABLE),
            (LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE),
            (rw.read_lock, rw.read_unlock),
            (rw.write_lock, rw.write_unlock),
            (rw.read_lock_irqsave, rw.read_unlock_irqrestore),
            (rw.write_lock_irqsave, rw.write_unlock_irqrestore),
            *((s.lock, s.unlock) for s in spins),
            *((s.lock_irqsave, s.unlock_irqrestore) for s in spins),
        ]
        self.sleeping: list[tuple[Op, Op]] = [
            *((m.lock, m.unlock) for m in mutexes),
            (sem.down_read, sem.up_read),
            (sem.down_write, sem.up_write),
        ]
        self.inits = [s.init for s in spins if not s.steady]
        self.ipis: list[Ipi] = []

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def one_of(self, some: Sequence[Any]) -> Any:
        return some[self.below(len(some))]

    def act(self) -> Act:
        kind = self.below(20)
        if kind < 7:
            return nothing
        if kind < 12:
            return partial(put, self.below(CELLS), self.below(2))
        if kind < 16:
            return partial(copy, self.below(CELLS), self.below(CELLS))
        return partial(bump, self.below(CELLS))

    def block(self, at: Place) -> list[tuple[Op, Act]]:
        """One or two sections, calls or steps."""
        lines: list[tuple[Op, Act]] = []
        for _ in range(1 + self.below(2)):
            lines += self.section(at) if at.depth and self.chance(45) else self.line(at)
        return lines

    def section(self, at: Place) -> list[tuple[Op, Act]]:
        free = not (at.pinned or at.interrupt)
        take, drop = self.one_of(self.spinning + self.sleeping * 2 if free else self.spinning)
        pinned = at.pinned or (take, drop) in self.spinning
        inner = self.block(Place(at.depth - 1, pinned, at.interrupt))
        return [(take, self.act()), *inner, (drop, self.act())]

    def line(self, at: Place) -> list[tuple[Op, Act]]:
        if self.ipis and not at.interrupt and self.chance(20):
            mask = 1 + self.below(2**HARTS - 1)
            return [(STEP, partial(address_ipi, mask)), (self.one_of(self.ipis), self.act())]
        if self.inits and self.chance(15):
            return [(self.one_of(self.inits), self.act())]
        if not at.interrupt and not at.pinned and self.chance(15):
            return [(self.one_of([STOP_MACHINE, RunOn(0), RunOn(1)]), self.act())]
        return [(STEP, self.act())]


def program(seed: int) -> tuple[System, list[Seen]]:
    """A system of random tasks, and what is watched."""
    memory = Memory()
    k = kernels.booted(kernels.V6_12, [1] * HARTS, memory)
    author = Author(Streams(seed).stream("program"), memory)
    box = build(Box, memory, "box", cells=CELLS)
    if author.chance(60):
        handler = partial(handle, box, Code(author.block(Place(1, interrupt=True))))
        handler.__name__ = "handle"  # type: ignore[attr-defined]
        author.ipis.append(Ipi(handler))
    system = System(k, author.one_of(["full", "full", "none"]))
    for number in range(author.one_of([2, 2, 3])):
        thread = k.add_thread(f"t{number}", author.below(HARTS))
        system.add_task(thread, partial(run, box, Code(author.block(Place(2))), thread))
    system.seal()
    watched = [cell for cell in range(CELLS) if author.chance(20)]
    return system, [Seen(box, watched)] if watched else []
