"""Functions of an object as paths of a search, which does not know that they are not Python."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hgeisim.kernel.object.externs import EXTERNS
from hgeisim.kernel.object.path import entered
from hgeisim.kernel.object.serving import served
from hgeisim.machine.ops import Path
from hgeisim.machine.shared import Fixed, Memory
from hgeisim.machine.spinlock import raw_spinlock
from hgeisim.object.layout import percpu_offset
from hgeisim.object.object_code import ObjectCode, Outside
from tests.object.toy import CPUS, debug, field, image, pool, user
from tests.support.source import imports, python_files, tree_of
from tests.support.toys import Paths, agree, hangs, reachable

OBJECT = "pool-zbb.o"
KNOW = ("kernel", "library", "object")
"""The rooms that know of objects."""


class Here(Fixed):
    """A context that stays on one CPU."""

    def __init__(self, cpu: int) -> None:
        self.cpu, self.number = cpu, cpu + 1


class PoolKernel(Fixed):
    """The part of a kernel that pool.c needs: a lock for each CPU."""

    def __init__(self, memory: Memory) -> None:
        self.object = ObjectCode(image(OBJECT), debug(OBJECT), memory, CPUS, Outside())
        self.externs = EXTERNS
        self.structs = SimpleNamespace(locks={})
        for cpu in range(CPUS):
            at = self.object.image.symbols["pool"] + percpu_offset(cpu)
            self.structs.locks[at] = raw_spinlock(memory, f"pool{cpu}.lock", "control->lock")

    def serve(self, current: Any, at: int) -> Path[int | None]:
        return served(self, current, at)

    def touch(self, *addresses: int) -> None:
        """Give words cells now, so that these do not depend on who touches them first."""
        for address in addresses:
            for word in range(0, 48, 8):
                if self.object.shared.is_mapped(address + word, 8):
                    self.object.shared.load(address + word, 8)

    def call(self, current: Any, function: str, *arguments: int) -> Callable[[], Path[Any]]:
        """The maker of the path of a call."""
        at = self.object.enter(current.number, function, arguments)
        return lambda: entered(function)(self, current, at)


def allocators(memory: Memory) -> Paths:
    """Two tasks ask for a line of CPU 0."""
    k = PoolKernel(memory)
    owners = [user(k.object, ident) for ident in (1, 2)]
    k.touch(k.object.image.symbols["handed_out"], pool(k.object, 0), *owners)
    return [k.call(Here(cpu), "pool_alloc", 0, owners[cpu]) for cpu in range(CPUS)]


def adders(memory: Memory) -> Paths:
    """Two tasks add 5 to the same counter, not atomically."""
    k = PoolKernel(memory)
    who, counts = user(k.object, 1), k.object.allocate(16, "counts")
    k.object.shared.fix(counts, 8, 5)
    k.object.shared.fix(counts + 8, 8, 7)
    return [k.call(Here(cpu), "pool_add", who, counts) for cpu in range(CPUS)]


def swappers(memory: Memory) -> Paths:
    """Two tasks set different bits of a word by lr and sc."""
    k = PoolKernel(memory)
    word = k.object.allocate(8, "word")
    return [k.call(Here(cpu), "pool_swap", word, 1 << cpu, 1 << cpu) for cpu in range(CPUS)]


def ends(toy: Callable[[Memory], Paths], cell: str) -> set[int]:
    """The values that a word of the object has where both tasks have finished."""
    there = [state for state in reachable(toy) if not (state["pc t0"] or state["pc t1"])]
    return {state[cell] for state in there}


def test_a_lock_keeps_two_functions_of_an_object_apart() -> None:
    free = "cpu0 .data..percpu+0x8"
    assert {0b1110 ^ value for value in ends(allocators, free)} == {0b1000}
    assert hangs(allocators) == set()


def test_an_update_can_be_lost() -> None:
    assert ends(adders, "user1+0x10") == {5, 10}


def test_an_atomic_loop_loses_nothing() -> None:
    assert ends(swappers, "word+0x0") == {0b11}


@pytest.mark.parametrize("toy", [allocators, adders, swappers])
def test_remembered_steps_are_those_of_the_generators(toy: Callable[[Memory], Paths]) -> None:
    assert agree(toy) > 10


def test_call_chains_are_those_of_c() -> None:
    k = PoolKernel(Memory())
    path: Any = k.call(Here(0), "pool_alloc", 0, user(k.object, 1))()
    assert str(next(path)) == "lock pool0.lock"
    assert path.gi_yieldfrom is not None
    assert path.gi_yieldfrom.gi_code.co_name == "pool_alloc"
    control = pool(k.object, 0)
    assert field(k.object, control, "line_control", "free_bitmap") == 0b1110


def test_no_driver_and_no_check_knows_of_objects() -> None:
    for name in python_files("hgeisim"):
        room = name.split("/")[1]
        known = [module for _, module in imports(name, tree_of(name)) if "object" in module]
        assert room in KNOW or not known, f"{name} imports {known}"
