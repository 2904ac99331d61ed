"""The queued rwlock: who excludes whom, who queues, who goes past the queue, and what hangs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.machine.ops import BOUNDARY, LEFT, RIGHT, Op
from hgeisim.machine.rwlock import QUEUED, rwlock
from hgeisim.machine.spinlock import TICKET_MASK
from hgeisim.machine.task import Runner
from tests.support import kernels

TASKS, HARDIRQS = 4, 2


class Crowd:
    """A lock, four tasks (0..3) and two hardirqs (4 and 5) that want it, each on its own HART.

    `queue` are those that queued and are not in yet, in the order of their coming; `inside` maps
    those that are in to "read" or "write"; `waits` those that are not.
    """

    def __init__(self, first_ticket: int = 0) -> None:
        k = kernels.unbooted(kernels.V6_12, [0] * (TASKS + HARDIRQS))
        self.lock = rwlock(None, "lock", "lock")
        self.lock.next = self.lock.owner = first_ticket
        self.who: list[Runner] = [k.add_thread(f"t{i}", i) for i in range(TASKS)]
        for cpu in range(TASKS, TASKS + HARDIRQS):
            self.who.append(k.hardirq(f"hardirq/{cpu}", cpu, cpu))
        self.waits: dict[int, str] = {}
        self.inside: dict[int, str] = {}
        self.queue: list[int] = []

    def op(self, mode: str) -> Op:
        """The operation that takes the lock."""
        return self.lock.read_lock_irqsave if mode == "read" else self.lock.write_lock_irqsave

    def ask(self, i: int, mode: str) -> bool:
        """Begin to take the lock; True when inside without waiting."""
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
    """The kernel's three rules of who enters without waiting, by who is inside, not by cells."""
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


@pytest.mark.parametrize("sleeping", [False, True])
def test_on_preempt_rt_it_sleeps_and_turns_nothing_off(sleeping: bool) -> None:
    crowd = Crowd()
    lock, who = rwlock(None, "lock", "lock", sleeping), crowd.who[0]
    pairs = [
        (lock.read_lock, lock.read_unlock),
        (lock.write_lock, lock.write_unlock),
        (lock.read_lock_irqsave, lock.read_unlock_irqrestore),
        (lock.write_lock_irqsave, lock.write_unlock_irqrestore),
    ]
    for take, drop in pairs:
        take.begin(who)
        assert take.voluntary is sleeping
        assert who.hart.irq_off + who.hart.preempt_count == 1 - sleeping
        take.end(who)
        assert lock.readers_inside + lock.writers_inside == 1
        drop.end(who)
        assert who.hart.irq_off + who.hart.preempt_count == 0


def test_asleep_a_reader_passes_a_writer_that_waits() -> None:
    """rwbase_rt.c is not fair to writers: readers go in until the last of them has left."""
    crowd = Crowd()
    crowd.lock = rwlock(None, "lock", "lock", sleeping=True)
    assert [crowd.ask(0, "read"), crowd.ask(1, "write"), crowd.go_on(1)] == [True, False, False]
    assert crowd.ask(2, "read")
    crowd.leave(0)
    assert not crowd.go_on(1)
    crowd.leave(2)
    assert crowd.go_on(1)
    assert [crowd.ask(3, "read"), crowd.go_on(3)] == [False, False], "one inside keeps it out"
    crowd.leave(1)
    assert crowd.go_on(3)


def test_movers() -> None:
    """Taking moves right, dropping left unless an interrupt can come before it."""
    crowd = Crowd()
    lock, who = crowd.lock, crowd.who[0]
    takes: list[Op] = [lock.read_lock, lock.write_lock_irqsave]
    drops: list[Op] = [lock.read_unlock, lock.write_unlock_irqrestore]
    assert [op.mover(who) for op in takes] == [RIGHT, RIGHT]
    assert [op.mover(who) for op in drops] == [BOUNDARY, BOUNDARY]
    who.hart.irq_off = 1
    assert [op.mover(who) for op in drops] == [LEFT, LEFT]
    assert [op.mover(crowd.who[TASKS]) for op in drops] == [BOUNDARY, BOUNDARY]
