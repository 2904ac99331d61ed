"""Steps of many operations must show what single operations show, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from hgeisim.checks.check import StateCheck
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.kernel.main import Module
from hgeisim.machine.mutex import mutex
from hgeisim.machine.ops import STEP, Op, Path
from hgeisim.machine.rwlock import RwLock, rwlock
from hgeisim.machine.schedule import PushOff
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock
from hgeisim.machine.task import Runner
from tests.explored.merging import STATES_MAX, agree
from tests.explored.programs import program
from tests.support import kernels, toys

pytestmark = pytest.mark.proof


def agree_on_programs(seeds: range) -> tuple[int, int]:
    """Compare the results of all programs; return the states of single operations, and merged."""
    results = [agree(partial(program, seed)) for seed in seeds]
    return sum(single.states for single, _ in results), sum(merged.states for _, merged in results)


def test_random_programs() -> None:
    single, merged = agree_on_programs(range(120))
    assert merged < 0.6 * single


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1_000, 1_600, 150))
def test_many_random_programs(start: int) -> None:
    agree_on_programs(range(start, start + 150))


class Cells(Shared):
    """Shared by the tasks of a toy."""

    x: Field
    y: Field


def nested(o: Cells, outer: Any, inner: Any) -> Path[None]:
    yield outer.lock
    yield inner.lock
    o.x += 1
    yield inner.unlock
    yield outer.unlock


def in_both_orders(make: Callable[[Memory, str, str], Any], memory: Memory) -> toys.Paths:
    one, other, o = make(memory, "a", "a"), make(memory, "b", "b"), build(Cells, memory, "o")
    return [partial(nested, o, one, other), partial(nested, o, other, one)]


def read_twice(lock: RwLock) -> Path[None]:
    yield lock.read_lock
    yield lock.read_lock
    yield lock.read_unlock
    yield lock.read_unlock


def write(o: Cells, lock: RwLock) -> Path[None]:
    yield lock.write_lock
    o.x += 1
    yield lock.write_unlock


def writer_between_readers(memory: Memory) -> toys.Paths:
    lock, o = rwlock(memory, "r", "r"), build(Cells, memory, "o")
    return [partial(read_twice, lock), partial(write, o, lock)]


HANGS: list[tuple[str, toys.Toy, str]] = [
    ("spinlocks in two orders", partial(in_both_orders, raw_spinlock), "deadlock:a+b"),
    ("mutexes in two orders", partial(in_both_orders, mutex), "deadlock:a+b"),
    ("read twice", writer_between_readers, "deadlock:r"),
]


@pytest.mark.parametrize(("what", "toy", "found"), HANGS)
def test_no_deadlock_is_merged_away(what: str, toy: toys.Toy, found: str) -> None:
    _, merged = agree(lambda: (toys.system(toy), ()))
    assert merged.findings == {found}


def add_slowly(o: Cells, take: Op, drop: Op) -> Path[None]:
    yield take
    seen = o.x
    yield STEP
    o.x = seen + 1
    yield drop


def initialise(lock: RawSpinlock) -> Path[None]:
    yield STEP
    yield lock.init


def under_read_lock(memory: Memory) -> toys.Paths:
    lock, o = rwlock(memory, "r", "r"), build(Cells, memory, "o")
    return [partial(add_slowly, o, lock.read_lock_irqsave, lock.read_unlock_irqrestore)] * 2


def under_write_lock(memory: Memory) -> toys.Paths:
    lock, o = rwlock(memory, "r", "r"), build(Cells, memory, "o")
    return [partial(add_slowly, o, lock.write_lock_irqsave, lock.write_unlock_irqrestore)] * 2


def under_broken_lock(memory: Memory) -> toys.Paths:
    lock, o = raw_spinlock(memory, "s", "s", steady=False), build(Cells, memory, "o")
    adding = partial(add_slowly, o, lock.lock_irqsave, lock.unlock_irqrestore)
    return [adding, adding, partial(initialise, lock)]


def initialised_meanwhile(memory: Memory) -> toys.Paths:
    lock, o = raw_spinlock(memory, "s", "s", steady=False), build(Cells, memory, "o")
    adding = partial(add_slowly, o, lock.lock_irqsave, lock.unlock_irqrestore)
    return [adding, partial(initialise, lock)]


def test_a_lock_can_break_while_its_owner_is_busy_elsewhere() -> None:
    single, _ = agree(lambda: (toys.system(initialised_meanwhile), ()))
    names = toys.system(initialised_meanwhile).memory.names
    assert {end[names.index("s.owner")] for end in single.ends} == {0, 1}


@pytest.mark.parametrize(
    ("toy", "sums"), [(under_read_lock, 2), (under_write_lock, 1), (under_broken_lock, 2)]
)
def test_only_a_lock_that_excludes_protects(toy: toys.Toy, sums: int) -> None:
    single, merged = agree(lambda: (toys.system(toy), ()))
    x = toys.system(toy).memory.names.index("o.x")
    assert len({end[x] for end in merged.ends}) == sums
    assert merged.states < single.states


def where_am_i(o: Cells, who: Runner) -> Path[None]:
    yield STEP
    o.x = who.cpu
    yield STEP
    o.y = who.cpu


def push_off(k: Module) -> Path[None]:
    yield STEP
    k.hart[0].active = 0
    yield PushOff(0)


def pushed_off() -> tuple[System, Sequence[StateCheck[Any]]]:
    """A task that asks twice where it is, and another that takes its HART away."""
    memory = Memory()
    k = kernels.booted(kernels.V6_12, [1, 1], memory)
    o, system = build(Cells, memory, "o"), System(k, "full")
    task, pusher = k.add_thread("task", 0), k.add_thread("pusher", 1)
    system.add_task(task, partial(where_am_i, o, task))
    system.add_task(pusher, partial(push_off, k))
    system.seal()
    return system, ()


def test_a_task_that_can_be_moved_is_not_sure_where_it_is() -> None:
    _, merged = agree(pushed_off)
    memory = pushed_off()[0].memory
    x, y = memory.names.index("o.x"), memory.names.index("o.y")
    assert {(end[x], end[y]) for end in merged.ends} == {(0, 0), (0, 1), (1, 1)}


def nested_off(o: Cells, outer: RawSpinlock, inner: RawSpinlock) -> Path[None]:
    yield outer.lock_irqsave
    yield inner.lock_irqsave
    o.x += 1
    yield inner.unlock_irqrestore
    yield outer.unlock_irqrestore


def one_lock_of_two_is_shared(memory: Memory) -> toys.Paths:
    shared = raw_spinlock(memory, "s", "s")
    own = [raw_spinlock(memory, f"own{i}", "own") for i in range(2)]
    boxes = [build(Cells, memory, f"o{i}") for i in range(2)]
    return [partial(nested_off, boxes[i], shared, own[i]) for i in range(2)]


def test_a_lock_that_nobody_else_takes_is_no_reason_to_stop() -> None:
    space = Space(toys.system(one_lock_of_two_is_shared), merging=True)
    assert exhaustive(space, STATES_MAX).states == 4
    assert space.ask(0, space.initial()).length == 4


def one(o: Cells) -> Path[None]:
    yield STEP
    o.x = 1
    yield STEP
    o.x = 0


def other(o: Cells) -> Path[None]:
    yield STEP
    o.y = o.x


def late_reader(memory: Memory) -> toys.Paths:
    o = build(Cells, memory, "o")
    return [partial(one, o), partial(other, o)]


def test_what_is_learned_late_starts_the_search_again() -> None:
    """The first task seems to have x for itself, until the second one is seen to read it."""
    space = Space(toys.system(late_reader), merging=True)
    first = space.ask(0, space.initial())
    assert first.length == 2
    assert not space.outdated
    space.ask(1, space.initial())
    assert space.outdated
    space.forget()
    assert not space.outdated
    assert space.ask(0, space.initial()).length == 1
