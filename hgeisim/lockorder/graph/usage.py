"""Interrupt states, and the usage bits of lockdep: the states in which each class was taken.

The state of a context is a set of bits (`IRQS_ON` and so on).  A class is X-safe when it was taken
inside an X handler (used in), and X-unsafe when it was held while X could come (enabled).  Both
together can make a CPU deadlock with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hgeisim.lockorder.graph.lock_class import Flavour, How, LockClass

IRQS_ON = 1
"""Hardirqs are enabled on its CPU."""
BH_ON = 2
"""Softirqs may run on its CPU when it is interrupted."""
SOFTIRQ = 4
"""It is in a softirq handler."""
HARDIRQ = 8
"""It is in a hardirq handler."""
THREADED = 16
"""... in one whose handler is a thread on PREEMPT_RT."""

PREEMPT_ON = 32
"""Another task may take its CPU: no preempt_disable() is in force."""

IN_IRQ = SOFTIRQ | HARDIRQ
TASK = IRQS_ON | BH_ON | PREEMPT_ON


class Bit(NamedTuple):
    """One usage bit: which interrupt, taken inside its handler or with it enabled, as a reader."""

    line: str
    used_in: bool
    read: bool

    def __str__(self) -> str:
        mode = "R" if self.read else "W"
        return f"IN-{self.line}-{mode}" if self.used_in else f"{self.line}-ON-{mode}"

    def opposite(self, read: bool) -> Bit:
        """The bit of the other direction for the same interrupt."""
        return Bit(self.line, not self.used_in, read)

    def opponents(self) -> tuple[Bit, ...]:
        """The bits that conflict with it on the same class: readers do not exclude readers."""
        write = self.opposite(read=False)
        return (write,) if self.read else (write, self.opposite(read=True))


@dataclass(frozen=True)
class Mark:
    """The origin of a bit of a class: who first took it in that state, and where."""

    cls: str
    bit: Bit
    who: str
    stack: tuple[str, ...]


LINES = ("HARDIRQ", "SOFTIRQ")
_HANDLERS = {"HARDIRQ": HARDIRQ, "SOFTIRQ": SOFTIRQ}
_SYMBOLS = {(False, False): ".", (True, False): "-", (False, True): "+", (True, True): "?"}


class Usage:
    """The bits of all classes."""

    def __init__(self) -> None:
        self._marks: dict[LockClass, dict[Bit, Mark]] = {}
        self._seen: set[Bit] = set()

    def any_has(self, bits: tuple[Bit, ...]) -> bool:
        """Whether some class has one of some bits."""
        return not self._seen.isdisjoint(bits)

    def add(self, cls: LockClass, mark: Mark) -> bool:
        """Set a bit; True: it is new."""
        self._seen.add(mark.bit)
        marks = self._marks.setdefault(cls, {})
        return marks.setdefault(mark.bit, mark) is mark

    def of(self, cls: LockClass) -> dict[Bit, Mark]:
        """The marks of a class, in the order in which it got them."""
        return self._marks.get(cls, {})

    def first(self, cls: LockClass, bits: tuple[Bit, ...]) -> Mark | None:
        """The mark of the first of some bits that a class has."""
        return next((self.of(cls)[bit] for bit in bits if bit in self.of(cls)), None)

    def symbols(self, cls: LockClass) -> str:
        """The bits as /proc/lockdep prints them: hardirq write and read, softirq write and read."""
        marks = self.of(cls)
        return "".join(
            _SYMBOLS[Bit(line, True, read) in marks, Bit(line, False, read) in marks]
            for line in LINES
            for read in (False, True)
        )


def acquired(how: How, state: int) -> list[Bit]:
    """The bits that an acquisition sets.

    A trylock in a handler cannot wait, so it does not make a class safe; with interrupts on it
    makes the class unsafe like any other.  A wait that only drains holds nothing that could be
    interrupted.
    """
    read = how.flavour != Flavour.EXCLUSIVE
    handlers = [] if how.trylock else [line for line in LINES if state & _HANDLERS[line]]
    bits = [Bit(line, True, read) for line in handlers]
    return bits if how.drain else bits + enabled(how.flavour, state)


def enabled(flavour: Flavour, state: int) -> list[Bit]:
    """The bits of a lock that is held in a state: softirqs do not come while hardirqs are off."""
    read = flavour != Flavour.EXCLUSIVE
    lines = LINES if state & BH_ON else LINES[:1]
    return [Bit(line, False, read) for line in lines] if state & IRQS_ON else []
