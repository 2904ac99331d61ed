"""Merged steps: what a context waits for may come and go within a step of another."""

from __future__ import annotations

from functools import partial

from hgeisim.machine.mutex import Mutex, mutex
from hgeisim.machine.ops import Path
from hgeisim.machine.shared import Field, Memory, Shared, build
from tests.explored.merging import agree
from tests.support import toys


class Cells(Shared):
    """Shared by the tasks of a toy."""

    x: Field


def takes_again(lock: Mutex) -> Path[None]:
    yield lock.unlock
    yield lock.lock


def takes(o: Cells, lock: Mutex) -> Path[None]:
    yield lock.lock
    o.x = 1
    yield lock.unlock


def taken_again(memory: Memory) -> toys.Paths:
    lock, o = mutex(memory, "m", "m"), build(Cells, memory, "o")
    lock.owner = 1
    return [partial(takes_again, lock), partial(takes, o, lock)]


def test_who_waits_may_come_in_between() -> None:
    """The first task has the mutex, and has it in the end: the other one comes in between, or
    never."""
    _, merged = agree(lambda: (toys.system(taken_again), ()))
    names = toys.system(taken_again).memory.names
    assert [end[names.index("o.x")] for end in merged.ends] == [1]
    assert merged.findings == {"deadlock:m"}
