"""SRCU: synchronize_srcu waits for the sections before it, and for no later one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.drivers.explored.model.automaton import MakePath
from hgeisim.drivers.run_to_end import run_alone
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.machine.mutex import Mutex, mutex
from hgeisim.machine.ops import BOUNDARY, LEFT, STEP, Path
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.srcu import SEQUENCE_MASK, Srcu, srcu
from hgeisim.machine.task import Runner
from tests.support import kernels
from tests.support.timed_machine import SWITCH, Log, machine, now, start, work
from tests.support.toys import Toy, agree, hangs, reachable

TASKS = 5


class Users:
    """An srcu_struct and tasks.  `sections` are those each task is in, numbered; `owed` says for
    each task that synchronizes which sections it has to wait for."""

    def __init__(self, grace_periods: int = 0) -> None:
        k = kernels.unbooted(kernels.V6_12, [0] * TASKS)
        self.srcu = srcu(None, "srcu")
        self.srcu.begun = self.srcu.completed = grace_periods
        self.who: list[Runner] = [k.add_thread(f"t{i}", i) for i in range(TASKS)]
        self.sections: list[list[int]] = [[] for _ in self.who]
        self.owed: dict[int, set[int]] = {}
        self.count = 0

    def lock(self, i: int) -> None:
        self.srcu.srcu_read_lock.end(self.who[i])
        self.sections[i].append(self.count)
        self.count += 1

    def unlock(self, i: int) -> None:
        self.srcu.srcu_read_unlock.end(self.who[i])
        self.sections[i].pop()

    def synchronize(self, i: int) -> None:
        """Ask."""
        self.owed[i] = self.open()
        self.srcu.synchronize_srcu.begin(self.who[i])

    def go_on(self, i: int) -> bool:
        """A step of the wait, if there is one; True at its end."""
        op, who = self.srcu.synchronize_srcu, self.who[i]
        if not op.ready(who):
            could = op.can_go_on(who)
            assert op.proceed(who) == could
        if not op.ready(who):
            return False
        op.end(who)
        assert not self.owed.pop(i) & self.open(), "did not wait for all"
        return True

    def open(self) -> set[int]:
        """The sections that somebody is in."""
        return {number for sections in self.sections for number in sections}


def counts(srcu: Srcu) -> list[int]:
    """The readers under each index."""
    return [srcu.readers[0], srcu.readers[1]]


EVENTS = st.lists(st.tuples(st.integers(0, TASKS - 1), st.sampled_from("rrus")), max_size=60)


@settings(max_examples=100)
@given(EVENTS, st.integers(0, SEQUENCE_MASK))
def test_whatever_the_order_nobody_is_missed(events: list[tuple[int, str]], start: int) -> None:
    users = Users(start)
    for i, event in events:
        if i in users.owed:
            users.go_on(i)
        elif event == "r" and len(users.sections[i]) < 4:
            users.lock(i)
        elif event == "u" and users.sections[i]:
            users.unlock(i)
        elif event == "s" and not users.sections[i]:
            users.synchronize(i)
        assert sum(counts(users.srcu)) == len(users.open())
    for i in range(TASKS):
        while users.sections[i]:
            users.unlock(i)
    for _ in range(2 * TASKS):
        for i in list(users.owed):
            users.go_on(i)
    assert not users.owed, "with nobody left to wait for, all waits end"
    assert [(who.srcu, who.ticket) for who in users.who] == [(0, 0)] * TASKS


def test_it_waits_for_the_sections_before_it_and_for_no_later_one() -> None:
    users = Users()
    users.lock(0)
    users.synchronize(1)
    assert not users.go_on(1)
    users.lock(2)
    assert not users.go_on(1)
    users.unlock(0)
    assert users.go_on(1)
    assert users.sections[2], "the later one is still there"


def test_those_who_ask_during_a_grace_period_wait_for_the_same_next_one() -> None:
    users = Users()
    users.lock(0)
    users.synchronize(1)
    users.go_on(1)
    users.lock(0)
    users.synchronize(2)
    users.synchronize(3)
    users.unlock(0)
    users.unlock(0)
    assert users.srcu.begun == 1
    assert users.go_on(1)
    assert [users.go_on(2), users.go_on(2)] == [False, True]
    users.lock(0)
    assert users.go_on(3), "over with that of t2, whoever came since"
    assert users.srcu.completed == 2


def test_without_a_reader_it_is_over_at_once() -> None:
    users = Users()
    run_alone(synchronizes_after(users.srcu), users.who[0])
    assert (users.srcu.begun, users.srcu.completed) == (0, 0)


def test_an_unlock_without_a_section_is_refused() -> None:
    users = Users()
    with pytest.raises(AssertionError, match="t0 is in no section of srcu"):
        users.srcu.srcu_read_unlock.end(users.who[0])


def test_movers_and_who_gives_the_hart_up() -> None:
    users = Users()
    who, s = users.who[0], users.srcu
    assert [op.mover(who) for op in (s.srcu_read_lock, s.synchronize_srcu)] == [BOUNDARY] * 2
    assert s.srcu_read_unlock.mover(who) == LEFT
    assert [s.synchronize_srcu.voluntary, s.srcu_read_lock.voluntary] == [True, False]


def test_sections_of_two_srcu_structs_nest() -> None:
    users, other = Users(), srcu(None, "irq_srcu")
    other.begun = other.completed = 1
    users.lock(0)
    other.srcu_read_lock.end(users.who[0])
    assert (counts(users.srcu), counts(other)) == ([1, 0], [0, 1])
    other.srcu_read_unlock.end(users.who[0])
    users.unlock(0)
    assert (counts(users.srcu), counts(other), users.who[0].srcu) == ([0, 0], [0, 0], 0)


# Explored: every interleaving of small paths.


class Object(Shared):
    """Something that is taken off its list and then freed; `used_after` when a reader saw it on
    the list and then freed, `late` while a reader is in a section that began when it was off."""

    unlinked: Field
    freed: Field
    used_after: Field
    late: Field


def uses(o: Object, srcu: Srcu) -> Path[None]:
    yield srcu.srcu_read_lock
    unlinked = o.unlinked
    o.late = unlinked
    yield STEP
    if o.freed and not unlinked:
        o.used_after = 1
    yield srcu.srcu_read_unlock
    o.late = 0


def frees(o: Object, srcu: Srcu) -> Path[None]:
    o.unlinked = 1
    yield srcu.synchronize_srcu
    o.freed = 1


def frees_early(o: Object, srcu: Srcu) -> Path[None]:
    o.unlinked = 1
    yield STEP
    o.freed = 1


def synchronizes(srcu: Srcu) -> Path[None]:
    yield srcu.synchronize_srcu


def synchronizes_within(srcu: Srcu) -> Path[None]:
    yield srcu.srcu_read_lock
    yield srcu.synchronize_srcu
    yield srcu.srcu_read_unlock


def synchronizes_after(srcu: Srcu) -> Path[None]:
    yield srcu.srcu_read_lock
    yield srcu.srcu_read_unlock
    yield srcu.synchronize_srcu


def synchronizes_locked(srcu: Srcu, lock: Mutex) -> Path[None]:
    yield lock.lock
    yield srcu.synchronize_srcu
    yield lock.unlock


def locks_within(srcu: Srcu, lock: Mutex) -> Path[None]:
    yield srcu.srcu_read_lock
    yield lock.lock
    yield lock.unlock
    yield srcu.srcu_read_unlock


def one_object(free: str, readers: int, others: int, memory: Memory) -> Sequence[MakePath]:
    """Readers, one that frees (early or as it should), and others that synchronize as well."""
    o, s = build(Object, memory, "o"), srcu(memory, "srcu")
    freeing = frees_early if free == "early" else frees
    paths: list[MakePath] = [partial(freeing, o, s)]
    return paths + [partial(uses, o, s)] * readers + [partial(synchronizes, s)] * others


def with_one(path: object, memory: Memory) -> Sequence[MakePath]:
    assert callable(path)
    return (partial(path, srcu(memory, "srcu")),)


def mutex_both_ways(memory: Memory) -> Sequence[MakePath]:
    """A reader waits for the mutex of the one that waits for readers."""
    s, lock = srcu(memory, "srcu"), mutex(memory, "lock", "lock")
    return partial(synchronizes_locked, s, lock), partial(locks_within, s, lock)


TOYS: list[tuple[str, Toy, bool]] = [
    ("one reader", partial(one_object, "", 1, 0), False),
    ("another synchronizes", partial(one_object, "", 1, 1), False),
    ("two readers", partial(one_object, "", 2, 0), False),
    ("after the section", partial(with_one, synchronizes_after), False),
    ("within the section", partial(with_one, synchronizes_within), True),
    ("mutex both ways", mutex_both_ways, True),
]
NAMES = [name for name, _, _ in TOYS]


@pytest.mark.parametrize(("name", "toy", "hang"), TOYS, ids=NAMES)
def test_what_hangs(name: str, toy: Toy, hang: bool) -> None:
    found = hangs(toy)
    assert bool(found) == hang
    assert all(each.startswith("deadlock:") for each in found)


@pytest.mark.parametrize(("name", "toy", "hang"), TOYS, ids=NAMES)
def test_automata_agree_with_real_generators(name: str, toy: Toy, hang: bool) -> None:
    assert agree(toy) > 20


@pytest.mark.parametrize(("readers", "others"), [(1, 0), (2, 0), (1, 1)])
def test_nothing_is_used_after_it_was_freed(readers: int, others: int) -> None:
    states = reachable(partial(one_object, "", readers, others))
    assert not any(cells["o.used_after"] for cells in states)
    assert any(cells["o.freed"] and cells["o.late"] for cells in states), "no wait for later ones"


def test_without_the_wait_it_is() -> None:
    assert any(cells["o.used_after"] for cells in reachable(partial(one_object, "early", 1, 0)))


# Timed.


def in_section(driver: TimedDriver, srcu: Srcu, plan: tuple[str, int, int], log: Log) -> Path[None]:
    """Be in a section for some ns, after some ns."""
    name, before, inside = plan
    yield work(driver, before)
    yield srcu.srcu_read_lock
    yield work(driver, inside)
    yield srcu.srcu_read_unlock
    log.append((f"{name} out", now(driver) - SWITCH))


def waits(driver: TimedDriver, srcu: Srcu, log: Log) -> Path[None]:
    yield work(driver, 200)
    yield srcu.synchronize_srcu
    log.append(("synchronized", now(driver) - SWITCH))


def test_it_takes_until_the_last_section_before_it_has_ended() -> None:
    """And a context switch, for it slept."""
    driver, s = machine(1, 1, 1, 1), srcu(None, "srcu")
    log: Log = []
    plans = [("t0", 0, 1_000), ("t1", 100, 2_000), ("t2", 300, 9_000)]
    for cpu, plan in enumerate(plans):
        start(driver, plan[0], cpu, in_section(driver, s, plan, log))
    start(driver, "t3", 3, waits(driver, s, log))
    driver.env.run()
    woken = 2_100 + SWITCH
    assert log == [("t0 out", 1_000), ("t1 out", 2_100), ("t2 out", 9_300), ("synchronized", woken)]
