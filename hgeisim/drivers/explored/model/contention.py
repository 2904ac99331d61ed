"""Which cells contexts contend for, as far as is known, and what was built on that.

A step that touches only cells that nobody else writes, or that nobody writes at all, commutes with
every step of the others; so does one under a lock that everybody holds who touches them.  What a
context may touch is known from the steps it was seen to make.  A search that relies on a cell being
uncontended is valid if, at its end, still nobody contends for it; otherwise it starts again, and
knows more.  (Suppose the search missed a step by which another context contends for such a cell.
Take the first such step of a schedule: up to it every context kept to its own cells, so that
schedule is equivalent to one that was searched, in which the same context makes the same step.)

Two kinds of cells are never quite one's own.  What a state check watches may be read without
anybody noticing, but each write is an event that must not be hidden among others.  What this driver
decides by, and writes itself, is everybody's.
"""

from __future__ import annotations

from typing import TypeAlias

from hgeisim.drivers.explored.model.contexts import Contexts
from hgeisim.drivers.explored.model.held import Held

Accesses: TypeAlias = dict[int, bool]
"""Cells that were touched, and whether they were written."""


class Contention:
    """Users of each cell, as bit masks of contexts, and the locks that protect it.

    `watched` are the cells that state checks look at, `control` those by which the driver decides
    who may step, `handed` those that one context hands to another and does not touch until they
    come back.  `wrong` is true once something does not hold that was relied on; `lessons` counts
    what was learned.
    """

    def __init__(self, contexts: Contexts, watched: frozenset[int]) -> None:
        cells = len(contexts.start)
        self.watched, self.control = watched, frozenset(contexts.control())
        self.handed = contexts.handed()
        self.readers, self.writers = [0] * cells, [0] * cells
        self.locks: list[frozenset[str] | None] = [None] * cells
        self.relied: set[int] = set()
        self.wrong = False
        self.lessons = 0

    def note(self, slot: int, accesses: Accesses, held: Held) -> None:
        """A context made a step, and held these locks."""
        for address, written in accesses.items():
            users = self.writers if written else self.readers
            locks = frozenset(name for name, exclusive in held if exclusive or not written)
            known = self.locks[address]
            fewer = locks if known is None else known & locks
            if users[address] >> slot & 1 and fewer == known:
                continue
            users[address] |= 1 << slot
            self.locks[address] = fewer
            self.lessons += 1
            if address in self.relied and not self.calm(address, False):
                self.wrong = True

    def alone(self, accesses: Accesses) -> bool:
        """Tell whether nobody else cares about accesses that were noted, and remember that it was
        said."""
        if not all(self.calm(address, written) for address, written in accesses.items()):
            return False
        self.relied.update(accesses)
        return True

    def calm(self, address: int, written: bool) -> bool:
        """Tell whether nobody contends for a cell that is read, or written."""
        if address in self.control or (written and address in self.watched):
            return False
        writers = self.writers[address]
        if not writers or address in self.handed or self.locks[address]:
            return True
        users = writers | self.readers[address]
        return not users & (users - 1)

    def start_again(self) -> None:
        """Nothing is relied on any more."""
        self.relied.clear()
        self.wrong = False
