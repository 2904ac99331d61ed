"""Steps of many operations must show what single operations show, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytest

from hgeisim.checks.finding import Finding, StateCheck
from hgeisim.drivers.explored.answer import after
from hgeisim.drivers.explored.exhaustive import exhaustive
from hgeisim.drivers.explored.explorer import STATE_CHECKS, space_of, system_of
from hgeisim.drivers.explored.space import Space
from hgeisim.drivers.explored.system import System
from hgeisim.kernel.module import Module
from hgeisim.kernel.variants import BASES, SERIES
from hgeisim.machine.mutex import mutex
from hgeisim.machine.ops import STEP, Op, Path
from hgeisim.machine.rwlock import RwLock, rwlock
from hgeisim.machine.schedule import PushOff
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock
from hgeisim.machine.task import Runner
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from tests import kernels, toys
from tests.programs import program

pytestmark = pytest.mark.proof

STATES_MAX = 100_000
VARIANTS = [*BASES, *(f"v6.12+{patch}" for patch in SERIES)]


class Result(NamedTuple):
    """What a whole search comes to: ids of findings, ends where nobody hangs, states."""

    findings: set[str]
    ends: set[tuple[int, ...]]
    states: int


def searched(system: System, checks: Sequence[StateCheck], merging: bool) -> Result:
    space = Space(system, checks, merging)
    verdict = exhaustive(space, STATES_MAX)
    assert verdict.coverage == "exhausted"
    return Result(set(verdict.counterexamples), good_ends(space), verdict.states)


def good_ends(space: Space) -> set[tuple[int, ...]]:
    """All cells of the states in which all contexts are at rest, but for the numbers of grace
    periods: one that nobody needs may be over before it is asked for."""
    names = space.system.memory.names
    told = [a for a, name in enumerate(names) if not name.endswith((".begun", ".completed"))]
    found = [space.initial()]
    seen, ends = set(found), set[tuple[int, ...]]()
    for state in found:
        new = dict.fromkeys(there for _, there, _ in space.successors(state))
        found += [there for there in new if there not in seen]
        seen.update(new)
        if not new and not space.pending(state):
            cells = space.codebook.decode(state)
            ends.add(tuple(cells[address] for address in told))
    return ends


def agree(make: Callable[[], tuple[System, Sequence[StateCheck]]]) -> tuple[Result, Result]:
    """Search in single operations, and in merged steps."""
    single, merged = searched(*make(), merging=False), searched(*make(), merging=True)
    assert merged.findings == single.findings
    assert merged.ends == single.ends
    assert merged.states <= single.states
    return single, merged


def agree_on_programs(seeds: range) -> tuple[int, int]:
    """Compare what all programs come to; returns states of single operations, and merged."""
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
    ("mutexes in two orders", partial(in_both_orders, mutex), "deadlock:mutexlock"),
    ("read twice", writer_between_readers, "deadlock:readlock+writelock"),
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


def pushed_off() -> tuple[System, Sequence[StateCheck]]:
    """A task that asks twice where it is, and somebody who takes its HART away."""
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


def alone_with_a_lock(memory: Memory) -> toys.Paths:
    lock, o = mutex(memory, "m", "m"), build(Cells, memory, "o")
    return [partial(nested, o, lock, raw_spinlock(memory, "s", "s"))]


def test_a_lock_that_nobody_else_takes_is_no_reason_to_stop() -> None:
    space = Space(toys.system(alone_with_a_lock), merging=True)
    assert space.ask(0, space.initial()).length == 4


SMALL: dict[str, list[tuple[int | str, list[str]]]] = {
    "moved in the guest": [("v1", ["run", "run"]), (1, ["move v1 1"])],
    "moved and woken": [("v1", ["block"]), (1, ["move v1 1"]), (1, ["msi v1"])],
    "woken by a device": [("v1", ["block"]), (1, ["irqfd v1"])],
    "woken twice": [("v1", ["block"]), (1, ["msi v1"]), (1, ["msi v1"])],
    "reset": [("v1", ["run"]), (1, ["reset v1"])],
    "asked for a register": [("v1", ["migrate 1", "run"]), (1, ["rw_attr v1"])],
    "destroyed": [(1, ["destroy v1"]), (0, ["offline 0", "online 0"])],
    "stored to": [(0, ["offline 0"]), (1, ["msi v1"])],
    "unloaded": [(0, ["unload"]), (1, ["offline 1"])],
}
"""Tasks, each a vCPU or a HART with what it does."""
LARGER: dict[str, list[tuple[int | str, list[str]]]] = {
    "pushed off": [(0, ["offline 0"]), ("v1", ["run"])],
    "shut down": [(0, ["shutdown"]), ("v1", ["migrate 1", "run"])],
}


def small(tasks: list[tuple[int | str, list[str]]], variant: str, preemption: str) -> Scenario:
    """A scenario of one vCPU on the first of two HARTs."""
    tables = [
        {"name": f"t{i}", "does": does, "vcpu" if isinstance(who, str) else "hart": who}
        for i, (who, does) in enumerate(tasks)
    ]
    return scenario_from(
        {
            "title": "small",
            "machine": {"harts": [{"count": 2, "guest_files": 1}]},
            "kernel": {"variant": variant, "preemption": preemption},
            "vcpu": [{"name": "v1", "hart": 0}],
            "task": tables,
        }
    )


def agree_on(scenario: Scenario) -> None:
    agree(lambda: (system_of(scenario), STATE_CHECKS))


@pytest.mark.parametrize("preemption", ["full", "none", "rt"])
@pytest.mark.parametrize("what", SMALL)
def test_small_scenarios(what: str, preemption: str) -> None:
    agree_on(small(SMALL[what], "v6.12+percpu-v2", preemption))


@pytest.mark.parametrize("preemption", ["full", "none"])
@pytest.mark.parametrize("variant", BASES)
def test_blocked_move(variant: str, preemption: str) -> None:
    overrides = {"variant": variant, "preemption": preemption}
    agree_on(load_scenario("blocked-move", overrides))


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*BASES, "v6.12+percpu-v5"])
@pytest.mark.parametrize("what", [*SMALL, *LARGER])
def test_small_scenarios_on_every_base(what: str, variant: str) -> None:
    agree_on(small((SMALL | LARGER)[what], variant, "full"))


def walk_both(space: Space, below: Callable[[int], int]) -> tuple[int, int]:
    """Make each step of a random walk also operation by operation, and compare all cells.

    Returns the steps and the operations.
    """
    fine = space.fine
    state, single = space.initial(), fine.initial()
    steps = operations = 0
    while choices := list(space.successors(state)):
        slot, there, findings = choices[below(len(choices))]
        told: list[Finding] = []
        for _ in range(length := space.ask(slot, state).length):
            answer = fine.ask(slot, single)
            assert answer.writes is not None
            single = after(single, answer.writes)
            told += answer.findings
        assert tuple(told) == findings
        assert space.codebook.decode(there) == fine.codebook.decode(single)
        state, steps, operations = there, steps + 1, operations + length
    assert not list(fine.successors(single))
    return steps, operations


@pytest.mark.parametrize("preemption", ["full", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_steps_are_made_of_operations(variant: str, preemption: str) -> None:
    overrides = {"variant": variant, "preemption": preemption}
    space = space_of(load_scenario("patch-race", overrides))
    below = Streams(5).stream(variant).below
    walks = [walk_both(space, below) for _ in range(12)]
    steps, operations = map(sum, zip(*walks, strict=True))
    assert operations > 1.5 * steps > 300


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


def test_states_hold_what_is_written() -> None:
    space = space_of(load_scenario("blocked-move", {}))
    exhaustive(space, STATES_MAX)
    names = [space.system.memory.names[address] for address in space.codebook.addresses]
    assert "v1.cpu" in names
    assert "hart1.hvictl" not in names
    assert len(names) < len(space.system.start) / 2
