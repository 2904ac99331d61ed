"""The queued rwlock in every interleaving of small paths: what hangs, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pytest

from hgeisim.drivers.explored.model.automaton import MakePath
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.rwlock import RwLock, rwlock
from hgeisim.machine.shared import Memory
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock
from hgeisim.machine.task import Runner
from tests.support.toys import Toy, agree, hangs, reachable


def reads(lock: RwLock) -> Path[None]:
    yield lock.read_lock
    yield lock.read_unlock


def writes(lock: RwLock) -> Path[None]:
    yield lock.write_lock
    yield STEP
    yield lock.write_unlock


def writes_irqsave(lock: RwLock) -> Path[None]:
    yield lock.write_lock_irqsave
    yield lock.write_unlock_irqrestore


def reads_twice(lock: RwLock) -> Path[None]:
    yield lock.read_lock
    yield from reads(lock)
    yield lock.read_unlock


def reads_within(lock: RwLock, other: RwLock) -> Path[None]:
    yield lock.read_lock
    yield from reads(other)
    yield lock.read_unlock


@dataclass(frozen=True, slots=True)
class IpiTo(Ipi):
    """An IPI to one HART, whoever sends it."""

    cpu: int

    def begin(self, who: Runner) -> None:
        """Send it."""
        who.ipi_mask = 1 << self.cpu
        Ipi.begin(self, who)


def reads_and_is_interrupted(lock: RwLock, ipi: Ipi) -> Path[None]:
    """The interrupt of its own HART reads again."""
    yield lock.read_lock
    yield ipi
    yield lock.read_unlock


def spins_within(lock: RwLock, spinlock: RawSpinlock) -> Path[None]:
    """Interrupt injection: reader, then the run queue of the sleeper."""
    yield lock.read_lock_irqsave
    yield spinlock.lock_irqsave
    yield spinlock.unlock_irqrestore
    yield lock.read_unlock_irqrestore


def reads_within_spinlock(lock: RwLock, spinlock: RawSpinlock) -> Path[None]:
    """schedule(): the run queue, then the reader of what it switches away from."""
    yield spinlock.lock_irqsave
    yield lock.read_lock_irqsave
    yield lock.read_unlock_irqrestore
    yield spinlock.unlock_irqrestore


def second_read_in_task(memory: Memory, realtime: bool = False) -> Sequence[MakePath]:
    lock = rwlock(memory, "lock", "lock", realtime)
    return partial(reads_twice, lock), partial(writes, lock)


def second_read_in_hardirq(memory: Memory) -> Sequence[MakePath]:
    lock = rwlock(memory, "lock", "lock")
    ipi = IpiTo(lambda current, sender: reads(lock), 0)
    return partial(reads_and_is_interrupted, lock, ipi), partial(writes, lock)


def second_write_in_hardirq(memory: Memory) -> Sequence[MakePath]:
    lock = rwlock(memory, "lock", "lock")
    ipi = IpiTo(lambda current, sender: writes(lock), 0)
    return (partial(reads_and_is_interrupted, lock, ipi),)


def abba(writers: str, memory: Memory) -> Sequence[MakePath]:
    """Both read sides in both orders, and a writer of each lock that is named."""
    locks = {name: rwlock(memory, name, name) for name in "ab"}
    a, b = locks.values()
    readers = [partial(reads_within, a, b), partial(reads_within, b, a)]
    return [*readers, *(partial(writes_irqsave, locks[name]) for name in writers)]


def run_queue(writers: int, memory: Memory) -> Sequence[MakePath]:
    """A reader that spins against a spinner that reads, with writers of the rwlock."""
    lock, spinlock = rwlock(memory, "vsfile_lock", "vsfile"), raw_spinlock(memory, "rq", "rq")
    both = [partial(spins_within, lock, spinlock), partial(reads_within_spinlock, lock, spinlock)]
    return [*both, *[partial(writes_irqsave, lock)] * writers]


def crowded(memory: Memory) -> Sequence[MakePath]:
    """Two writers, a reader, and an IPI whose handler reads where one of the writers waits."""
    lock = rwlock(memory, "lock", "lock")
    ipi = IpiTo(lambda current, sender: reads(lock), 2)
    parts = partial(writes_irqsave, lock), partial(reads_and_is_interrupted, lock, ipi)
    return *parts, partial(writes_irqsave, lock)


HANGING: list[tuple[str, Toy]] = [
    ("a task reads twice, a writer between", second_read_in_task),
    ("a writer in the hardirq of a reader", second_write_in_hardirq),
    ("two readers ABBA, a writer of each", partial(abba, "ab")),
    ("reader and run queue, a writer", partial(run_queue, 1)),
]
NOT_HANGING: list[tuple[str, Toy]] = [
    ("a task reads twice on PREEMPT_RT", partial(second_read_in_task, realtime=True)),
    ("the second read is in a hardirq", second_read_in_hardirq),
    ("two readers ABBA", partial(abba, "")),
    ("two readers ABBA, one writer", partial(abba, "a")),
    ("reader and run queue", partial(run_queue, 0)),
]


@pytest.mark.parametrize(("what", "toy"), HANGING, ids=[what for what, _ in HANGING])
def test_hangs(what: str, toy: Toy) -> None:
    assert {found.split(":")[0] for found in hangs(toy)} == {"deadlock"}


@pytest.mark.parametrize(("what", "toy"), NOT_HANGING, ids=[what for what, _ in NOT_HANGING])
def test_does_not_hang(what: str, toy: Toy) -> None:
    assert not hangs(toy)


def test_in_every_state_a_writer_is_alone() -> None:
    states = reachable(crowded)
    inside = {(cells["lock.readers_inside"], cells["lock.writers_inside"]) for cells in states}
    assert inside == {(0, 0), (1, 0), (2, 0), (0, 1)}


@pytest.mark.parametrize(
    ("what", "toy"),
    [*HANGING, *NOT_HANGING, ("crowded", crowded)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_automata_agree_with_real_generators(what: str, toy: Toy) -> None:
    assert agree(toy) > 20
