"""The ticket lock: first come first served, 16-bit counters, what a second initialisation does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.machine.ops import BOUNDARY, LEFT, RIGHT
from hgeisim.machine.shared import Memory
from hgeisim.machine.spinlock import TICKET_MASK, Acquire, RawSpinlock, raw_spinlock
from hgeisim.machine.task import Runner
from tests.support import kernels
from tests.support.kernels import V6_12


class Takers:
    """A lock and tasks that want it, each on a HART of its own."""

    def __init__(self, count: int = 4) -> None:
        k = kernels.unbooted(V6_12, [0] * count)
        self.who: list[Runner] = [k.add_thread(f"t{i}", i) for i in range(count)]
        self.lock: RawSpinlock = raw_spinlock(None, "lock", "lock", steady=False)

    def take(self, i: int) -> bool:
        """Draw a ticket; True when inside without waiting."""
        self.lock.lock_irqsave.begin(self.who[i])
        return self.enter(i)

    def enter(self, i: int) -> bool:
        """Enter if it is this one's turn."""
        ready = self.lock.lock_irqsave.ready(self.who[i])
        if ready:
            self.lock.lock_irqsave.end(self.who[i])
        return ready

    def leave(self, i: int) -> None:
        """Unlock."""
        self.lock.unlock_irqrestore.end(self.who[i])


def counters(lock: RawSpinlock) -> tuple[int, int, int]:
    """next, owner and how many are inside."""
    return lock.next, lock.owner, lock.inside


def test_first_come_first_served() -> None:
    t = Takers()
    assert [t.take(i) for i in (2, 0, 3, 1)] == [True, False, False, False]
    order = []
    for leaver in (2, 0, 3):
        t.leave(leaver)
        order += [i for i in (0, 1, 3) if t.who[i].ticket == t.lock.owner and t.enter(i)]
    assert order == [0, 3, 1]
    assert t.lock.inside == 1


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3), max_size=24), st.integers(0, TICKET_MASK))
def test_whatever_the_order_one_is_inside_and_nobody_overtakes(
    events: list[int], start: int
) -> None:
    t = Takers()
    t.lock.next = t.lock.owner = start
    queue: list[int] = []
    for i in events:
        if i not in queue:
            queue.append(i)
            assert t.take(i) == (queue == [i])
        elif i == queue[0]:
            t.leave(queue.pop(0))
            assert [t.enter(j) for j in queue[:2]] == [True, False][: len(queue)]
        assert t.lock.inside == min(1, len(queue))
        assert (t.lock.next - t.lock.owner) & TICKET_MASK == len(queue)


def test_both_counters_wrap_at_16_bits() -> None:
    t = Takers()
    t.lock.next = t.lock.owner = 0xFFFF
    assert t.take(0)
    assert not t.take(1)
    assert counters(t.lock) == (1, 0xFFFF, 1)
    t.leave(0)
    assert t.lock.owner == 0
    assert t.enter(1)


def test_a_ticket_is_forgotten_inside_so_that_equal_states_are_equal() -> None:
    t = Takers()
    t.lock.next = t.lock.owner = 5
    t.take(0)
    t.take(1)
    assert [who.ticket for who in t.who] == [0, 6, 0, 0]
    t.leave(0)
    t.enter(1)
    assert [who.ticket for who in t.who] == [0, 0, 0, 0]


def test_a_spinner_is_deaf_before_it_is_inside() -> None:
    t = Takers()
    t.take(0)
    t.take(1)
    assert [who.hart.irq_off for who in t.who] == [1, 1, 0, 0]
    t.leave(0)
    t.enter(1)
    t.leave(1)
    assert [who.hart.irq_off for who in t.who] == [0, 0, 0, 0]


def test_the_plain_lock_turns_preemption_off_instead() -> None:
    t = Takers()
    hart = t.who[0].hart
    t.lock.lock.begin(t.who[0])
    t.lock.lock.end(t.who[0])
    assert (hart.irq_off, hart.preempt_count, t.lock.inside) == (0, 1, 1)
    t.lock.unlock.end(t.who[0])
    assert (hart.irq_off, hart.preempt_count, t.lock.inside) == (0, 0, 0)


def test_initialised_while_held_the_unlock_lets_two_in_when_there_is_a_new_holder() -> None:
    t = Takers()
    assert t.take(0)
    t.lock.init.end(t.who[3])
    assert t.take(1)
    t.leave(0)
    assert t.take(2)
    assert t.lock.inside == 2


def test_initialised_while_held_the_unlock_locks_the_next_taker_out() -> None:
    """With nobody inside, the unlock lets ticket 1 in before ticket 0 was drawn: whoever draws 0
    waits until the counter has come round, those after it do not."""
    t = Takers()
    assert t.take(0)
    t.lock.init.end(t.who[3])
    t.leave(0)
    assert counters(t.lock) == (0, 1, 0)
    assert not t.take(1)
    assert t.take(2)
    t.leave(2)
    assert not t.enter(1)
    assert t.take(3)
    t.leave(3)
    assert not t.enter(1)
    t.lock.owner = 0xFFFF
    t.lock.inside = 1
    t.leave(0)
    assert t.enter(1)


def test_initialised_with_two_takers_waiting_tickets_and_owner_part() -> None:
    t = Takers()
    t.lock.next = t.lock.owner = 7
    assert [t.take(i) for i in (0, 1, 2)] == [True, False, False]
    t.lock.init.end(t.who[3])
    t.leave(0)
    assert [t.enter(1), t.enter(2)] == [False, False]
    assert counters(t.lock) == (0, 1, 0)


def test_initialised_when_nobody_is_about_it_is_as_new() -> None:
    t = Takers()
    t.take(0)
    t.leave(0)
    t.lock.init.end(t.who[3])
    assert counters(t.lock) == (0, 0, 0)
    assert t.take(1)


def test_operations_are_made_once_and_tell_the_lock_by_name() -> None:
    lock = raw_spinlock(Memory(), "hgei0.lock", "hgctrl->lock")
    operations = lock.lock_irqsave, lock.unlock_irqrestore, lock.init, lock.lock
    assert [str(op) for op in operations] == [
        "lock hgei0.lock",
        "unlock hgei0.lock",
        "init hgei0.lock",
        "lock hgei0.lock",
    ]
    assert lock.lock_irqsave == Acquire(lock, True)
    assert lock.lock_irqsave != lock.lock


def test_a_steady_lock_forgets_how_often_it_was_taken() -> None:
    t = Takers()
    t.lock.steady = True
    for i in (0, 1):
        t.take(i)
    t.leave(0)
    assert counters(t.lock) == (2, 1, 0)
    t.enter(1)
    t.leave(1)
    assert counters(t.lock) == (0, 0, 0)


def test_drawn_counts_those_inside_and_those_that_wait() -> None:
    t = Takers()
    for i in (0, 1, 2):
        t.take(i)
    assert (t.lock.drawn, t.lock.inside) == (3, 1)
    t.leave(0)
    assert (t.lock.drawn, t.lock.inside) == (2, 0)


@pytest.mark.parametrize("irqsave", [True, False])
def test_on_preempt_rt_it_sleeps_and_turns_nothing_off(irqsave: bool) -> None:
    t = Takers()
    t.lock = raw_spinlock(None, "lock", "lock", sleeping=True)
    take = t.lock.lock_irqsave if irqsave else t.lock.lock
    drop = t.lock.unlock_irqrestore if irqsave else t.lock.unlock
    who = t.who[0]
    take.begin(who)
    assert take.voluntary
    assert (who.hart.irq_off, who.hart.preempt_count) == (0, 0)
    take.end(who)
    assert t.lock.inside == 1
    drop.end(who)
    assert (who.hart.irq_off, who.hart.preempt_count, t.lock.inside) == (0, 0, 0)
    assert not raw_spinlock(None, "lock", "lock").lock.voluntary


@pytest.mark.parametrize("steady", [True, False])
def test_movers(steady: bool) -> None:
    """Taking moves right, dropping left unless an interrupt can come before it; nothing moves when
    somebody may initialise the lock."""
    t = Takers()
    lock, who = raw_spinlock(None, "lock", "lock", steady), t.who[0]
    assert lock.lock_irqsave.mover(who) == (RIGHT if steady else BOUNDARY)
    assert lock.unlock_irqrestore.mover(who) == BOUNDARY, "interrupts are on"
    who.hart.irq_off = 1
    assert lock.unlock_irqrestore.mover(who) == (LEFT if steady else BOUNDARY)
    who.hart.irq_off, who.hart.hardirq = 0, 1
    assert lock.unlock.mover(who) == (LEFT if steady else BOUNDARY)
    assert lock.init.mover(who) == BOUNDARY


@pytest.mark.parametrize("variant", kernels.ALL_VARIANTS)
def test_every_path_leaves_locks_and_harts_as_it_found_them(variant: str) -> None:
    k = kernels.booted(variant, [2, 1])
    vcpus = [kernels.owner_on(k, name, 0) for name in "ab"]
    kernels.enter(k, vcpus[0], 1)
    kernels.online_again(k, 0)
    for hgctrl in k.hgei:
        assert (hgctrl.lock.inside, hgctrl.lock.next) == (0, hgctrl.lock.owner)
    assert [(hart.irq_off, hart.preempt_count) for hart in k.hart] == [(0, 0)] * 2
