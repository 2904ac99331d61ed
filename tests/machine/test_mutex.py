"""Mutexes and percpu_rw_semaphores: one writer, or readers, and whoever waits sleeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hgeisim.machine.mutex import RwSem, mutex, rwsem
from hgeisim.machine.ops import LEFT, RIGHT, Op
from hgeisim.machine.task import Runner
from tests.support import kernels

TASKS = 4


def tasks() -> list[Runner]:
    """Tasks, each on a HART of its own."""
    k = kernels.unbooted(kernels.V6_12, [0] * TASKS)
    return [k.add_thread(f"t{i}", i) for i in range(TASKS)]


def test_a_mutex_lets_one_in() -> None:
    lock, who = mutex(None, "lock", "kvm->lock"), tasks()
    assert lock.lock.ready(who[0])
    lock.lock.end(who[0])
    assert (lock.owner, lock.lock.ready(who[1])) == (who[0].id, False)
    lock.unlock.end(who[0])
    assert (lock.owner, lock.lock.ready(who[1])) == (0, True)


def test_a_task_that_locks_a_mutex_twice_waits_for_itself() -> None:
    lock, who = mutex(None, "lock", "kvm->lock"), tasks()
    lock.lock.end(who[0])
    assert not lock.lock.ready(who[0])


def test_they_sleep_and_keep_interrupts_and_preemption_on() -> None:
    who = tasks()[0]
    sem, lock = rwsem(None, "sem", "cpu_hotplug_lock"), mutex(None, "lock", "kvm->lock")
    for take, drop in (
        (lock.lock, lock.unlock),
        (sem.down_read, sem.up_read),
        (sem.down_write, sem.up_write),
    ):
        assert (take.voluntary, drop.voluntary) == (True, False)
        take.begin(who)
        take.end(who)
        assert (who.hart.irq_off, who.hart.preempt_count) == (0, 0)
        drop.end(who)


def test_movers() -> None:
    who = tasks()[0]
    sem, lock = rwsem(None, "sem", "cpu_hotplug_lock"), mutex(None, "lock", "kvm->lock")
    takes: list[Op] = [lock.lock, sem.down_read, sem.down_write]
    drops: list[Op] = [lock.unlock, sem.up_read, sem.up_write]
    assert [op.mover(who) for op in takes] == [RIGHT] * 3
    assert [op.mover(who) for op in drops] == [LEFT] * 3


def test_operations_tell_the_lock_by_name() -> None:
    sem, lock = rwsem(None, "sem", "cpu_hotplug_lock"), mutex(None, "lock", "kvm->lock")
    told = [str(op) for op in (lock.lock, lock.unlock, sem.down_read, sem.up_read)]
    assert told == ["mutex_lock lock", "mutex_unlock lock", "down_read sem", "up_read sem"]
    assert [str(sem.down_write), str(sem.up_write)] == ["down_write sem", "up_write sem"]
    assert (lock.lock_class, sem.lock_class) == ("kvm->lock", "cpu_hotplug_lock")


def take(sem: RwSem, who: Runner, mode: str) -> bool:
    """Go in if it may."""
    op: Op = sem.down_read if mode == "read" else sem.down_write
    if op.ready(who):
        op.end(who)
        return True
    return False


@given(st.lists(st.tuples(st.integers(0, TASKS - 1), st.sampled_from(["read", "write"]))))
def test_a_semaphore_has_readers_or_one_writer(events: list[tuple[int, str]]) -> None:
    sem, who = rwsem(None, "sem", "cpu_hotplug_lock"), tasks()
    inside: dict[int, str] = {}
    for i, mode in events:
        if i in inside:
            (sem.up_read if inside.pop(i) == "read" else sem.up_write).end(who[i])
            continue
        may = not inside if mode == "write" else "write" not in inside.values()
        assert take(sem, who[i], mode) == may
        if may:
            inside[i] = mode
        assert sem.readers == [*inside.values()].count("read")
        assert bool(sem.writer) == ("write" in inside.values())
