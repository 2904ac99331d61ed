"""The queued rwlock: who excludes whom, who queues, who goes past the queue, and what hangs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.drivers.explored.automaton import MakePath
from hgeisim.machine.ops import STEP, Ipi, Op, Path
from hgeisim.machine.rwlock import QUEUED, RwLock, rwlock
from hgeisim.machine.shared import Memory, build
from hgeisim.machine.spinlock import TICKET_MASK, RawSpinlock, raw_spinlock
from hgeisim.machine.task import Runner
from tests import kernels
from tests.toys import Toy, agree, hangs, reachable

TASKS, HARDIRQS = 4, 2


class Crowd:
    """A lock, four tasks (0..3) and two hardirqs (4 and 5) that want it, each on its own HART.

    `queue` are those that queued and are not in yet, in the order of their coming; `inside` maps
    those that are in to "read" or "write"; `waits` those that are not.
    """

    def __init__(self, first_ticket: int = 0) -> None:
        k = kernels.unbooted(kernels.V6_12, [0] * (TASKS + HARDIRQS))
        self.lock = rwlock(None, "lock")
        self.lock.next = self.lock.owner = first_ticket
        self.who: list[Runner] = [k.add_thread(f"t{i}", i) for i in range(TASKS)]
        for cpu in range(TASKS, TASKS + HARDIRQS):
            hardirq = build(Runner, None, f"hardirq/{cpu}", cpu=cpu, harts=k.hart)
            hardirq.name, hardirq.id = f"hardirq/{cpu}", 0
            self.who.append(hardirq)
        self.waits: dict[int, str] = {}
        self.inside: dict[int, str] = {}
        self.queue: list[int] = []

    def op(self, mode: str) -> Op:
        """The operation that takes the lock."""
        return self.lock.read_lock_irqsave if mode == "read" else self.lock.write_lock_irqsave

    def ask(self, i: int, mode: str) -> bool:
        """Begin to take the lock; True when inside at once."""
        self.op(mode).begin(self.who[i])
        self.waits[i] = mode
        if self.who[i].phase == QUEUED:
            self.queue.append(i)
        return self.enter(i)

    def go_on(self, i: int) -> bool:
        """Try a step of the wait; True when inside after it."""
        op, who = self.op(self.waits[i]), self.who[i]
        could, before = op.can_go_on(who), self.cells()
        assert op.proceed(who) == could == (self.cells() != before)
        return self.enter(i)

    def enter(self, i: int) -> bool:
        """Go in if it may."""
        op = self.op(self.waits[i])
        if not op.ready(self.who[i]):
            return False
        op.end(self.who[i])
        self.inside[i] = self.waits.pop(i)
        if i in self.queue:
            assert i == self.queue.pop(0), "overtaken in the queue"
        return True

    def leave(self, i: int) -> None:
        """Unlock."""
        lock, mode = self.lock, self.inside.pop(i)
        unlock = lock.read_unlock_irqrestore if mode == "read" else lock.write_unlock_irqrestore
        unlock.end(self.who[i])

    def cells(self) -> list[int]:
        """All shared state of the lock and its waiters."""
        own = [getattr(self.lock, name) for name in type(self.lock).fields]
        return own + [cell for who in self.who for cell in (who.ticket, who.phase)]

    def idle(self) -> list[int]:
        """The cells with nobody about."""
        at = self.lock.owner
        return [0, 0, 0, at, at, 0, 0] + [0, 0] * len(self.who)


EVENTS = st.lists(
    st.tuples(st.integers(0, TASKS + HARDIRQS - 1), st.sampled_from(["read", "write"])),
    max_size=60,
)


@settings(max_examples=100)
@given(EVENTS, st.sampled_from([0, 7, TICKET_MASK]))
def test_whatever_the_order_the_laws_hold(events: list[tuple[int, str]], start: int) -> None:
    crowd = Crowd(start)
    for i, mode in events:
        if i in crowd.waits:
            crowd.go_on(i)
        elif i in crowd.inside:
            crowd.leave(i)
        else:
            the_rules_of_asking(crowd, i, mode)
        modes = list(crowd.inside.values())
        assert modes in (["write"], ["read"] * len(modes))
        inside = crowd.lock.readers_inside, crowd.lock.writers_inside
        assert inside == (modes.count("read"), modes.count("write"))
    everybody_leaves(crowd)
    assert crowd.cells() == crowd.idle()
    assert all(who.hart.irq_off == 0 for who in crowd.who)


def the_rules_of_asking(crowd: Crowd, i: int, mode: str) -> None:
    """Who is let in at once: the kernel's three rules, told by who is inside and not by cells."""
    writer_in = "write" in crowd.inside.values()
    head_waits = bool(crowd.lock.waiting)
    counted = bool(crowd.inside) or any(
        crowd.waits[j] == "read" and j not in crowd.queue for j in crowd.waits
    )
    at_head = crowd.lock.readers > len(crowd.inside) - writer_in
    entered = crowd.ask(i, mode)
    if mode == "write":
        assert entered == (not counted and not head_waits and not at_head)
    elif i >= TASKS:
        assert entered == (not writer_in)
        assert i not in crowd.queue
    else:
        assert entered == (not writer_in and not head_waits)


def everybody_leaves(crowd: Crowd) -> None:
    """Nobody comes any more: then everybody gets in, and out."""
    for _ in range(4 * len(crowd.who)):
        for i in list(crowd.inside):
            crowd.leave(i)
        for i in list(crowd.waits):
            crowd.go_on(i)
    assert not crowd.waits
    assert not crowd.inside


def test_readers_share_and_a_writer_waits_for_the_last() -> None:
    crowd = Crowd()
    assert [crowd.ask(0, "read"), crowd.ask(1, "read"), crowd.ask(2, "write")] == [1, 1, 0]
    assert not crowd.go_on(2)
    crowd.leave(0)
    assert not crowd.op("write").can_go_on(crowd.who[2])
    crowd.leave(1)
    assert crowd.go_on(2)


def test_a_writer_stops_readers_only_from_the_head_on() -> None:
    crowd = Crowd()
    crowd.ask(0, "read")
    crowd.ask(1, "write")
    assert crowd.ask(2, "read"), "the writer has queued, but not said yet that it waits"
    crowd.go_on(1)
    assert not crowd.ask(3, "read")
    assert crowd.ask(4, "read"), "a hardirq goes past it"


def test_a_counted_hardirq_comes_before_the_next_writer() -> None:
    crowd = Crowd()
    crowd.ask(0, "write")
    assert [crowd.ask(1, "write"), crowd.ask(4, "read")] == [False, False]
    crowd.leave(0)
    assert not crowd.go_on(1)
    assert crowd.go_on(4)
    crowd.leave(4)
    assert crowd.go_on(1)


def test_readers_at_the_head_go_in_one_after_the_other() -> None:
    crowd = Crowd()
    crowd.ask(0, "write")
    assert [crowd.ask(i, mode) for i, mode in ((1, "read"), (2, "read"), (3, "write"))] == [0, 0, 0]
    assert not crowd.go_on(1), "at the head, the writer is still inside"
    crowd.leave(0)
    assert not crowd.op("read").can_go_on(crowd.who[2]), "the head is shut"
    assert [crowd.go_on(1), crowd.go_on(2), crowd.go_on(3)] == [True, True, False]
    assert crowd.inside == {1: "read", 2: "read"}


def test_a_free_lock_may_be_taken_past_the_queue() -> None:
    crowd = Crowd()
    crowd.ask(0, "write")
    crowd.ask(1, "write")
    crowd.leave(0)
    assert crowd.ask(2, "write")
    assert not crowd.go_on(1)


def test_irqsave_and_plain_forms() -> None:
    crowd = Crowd()
    hart, who, lock = crowd.who[0].hart, crowd.who[0], crowd.lock
    pairs = [
        (lock.read_lock, lock.read_unlock, (0, 1)),
        (lock.write_lock, lock.write_unlock, (0, 1)),
        (lock.read_lock_irqsave, lock.read_unlock_irqrestore, (1, 0)),
        (lock.write_lock_irqsave, lock.write_unlock_irqrestore, (1, 0)),
    ]
    for take, drop, masked in pairs:
        take.begin(who)
        assert (hart.irq_off, hart.preempt_count) == masked, "off already while it waits"
        take.end(who)
        drop.end(who)
        assert (hart.irq_off, hart.preempt_count) == (0, 0)
    assert [str(op) for op in pairs[0][:2]] == ["read_lock lock", "read_unlock lock"]
    assert [str(op) for op in pairs[3][:2]] == ["write_lock lock", "write_unlock lock"]


def test_in_hardirq_a_writer_queues_like_any_other() -> None:
    crowd = Crowd()
    crowd.ask(0, "write")
    crowd.ask(1, "write")
    assert not crowd.ask(4, "write")
    assert crowd.queue == [1, 4]


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


def second_read_in_task(memory: Memory) -> Sequence[MakePath]:
    lock = rwlock(memory, "lock")
    return partial(reads_twice, lock), partial(writes, lock)


def second_read_in_hardirq(memory: Memory) -> Sequence[MakePath]:
    lock = rwlock(memory, "lock")
    ipi = Ipi(0, lambda cpu, sender: reads(lock))
    return partial(reads_and_is_interrupted, lock, ipi), partial(writes, lock)


def second_write_in_hardirq(memory: Memory) -> Sequence[MakePath]:
    lock = rwlock(memory, "lock")
    ipi = Ipi(0, lambda cpu, sender: writes(lock))
    return (partial(reads_and_is_interrupted, lock, ipi),)


def abba(writers: str, memory: Memory) -> Sequence[MakePath]:
    """Both read sides in both orders, and a writer of each lock that is named."""
    locks = {name: rwlock(memory, name) for name in "ab"}
    a, b = locks.values()
    readers = [partial(reads_within, a, b), partial(reads_within, b, a)]
    return [*readers, *(partial(writes_irqsave, locks[name]) for name in writers)]


def run_queue(writers: int, memory: Memory) -> Sequence[MakePath]:
    """A reader that spins against a spinner that reads, with writers of the rwlock."""
    lock, spinlock = rwlock(memory, "vsfile_lock"), raw_spinlock(memory, "rq")
    both = [partial(spins_within, lock, spinlock), partial(reads_within_spinlock, lock, spinlock)]
    return [*both, *[partial(writes_irqsave, lock)] * writers]


def crowded(memory: Memory) -> Sequence[MakePath]:
    """Two writers, a reader, and an IPI whose handler reads where one of the writers waits."""
    lock = rwlock(memory, "lock")
    ipi = Ipi(2, lambda cpu, sender: reads(lock))
    parts = partial(writes_irqsave, lock), partial(reads_and_is_interrupted, lock, ipi)
    return *parts, partial(writes_irqsave, lock)


HANGING: list[tuple[str, Toy]] = [
    ("a task reads twice, a writer between", second_read_in_task),
    ("a writer in the hardirq of a reader", second_write_in_hardirq),
    ("two readers ABBA, a writer of each", partial(abba, "ab")),
    ("reader and run queue, a writer", partial(run_queue, 1)),
]
NOT_HANGING: list[tuple[str, Toy]] = [
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
