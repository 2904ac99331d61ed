"""Shared state: what the memory notes, and what cannot be set."""

from __future__ import annotations

import pytest

from hgeisim.machine.shared import (
    Array,
    Field,
    Memory,
    Shared,
    TrackedArray,
    address_of,
    addresses,
    build,
)
from tests.support import kernels


class Box(Shared):
    """Something with two fields, an array and a reference."""

    left: Field
    right: Field
    many: Array
    name: str


def box(memory: Memory | None, name: str = "box") -> Box:
    made = build(Box, memory, name, left=5, many=3)
    made.name = name
    return made


def elements(made: Box) -> list[int]:
    return [made.many[i] for i in range(len(made.many))]


BOTH = [False, True]


@pytest.mark.parametrize("track", BOTH)
def test_plain_and_tracked_behave_alike(track: bool) -> None:
    made = box(Memory() if track else None)
    made.right = made.left + 1
    made.many[2] = made.right
    assert (made.left, made.right, elements(made), len(made.many)) == (5, 6, [0, 0, 6], 3)
    assert made.many.count(0) == 2
    assert repr(made) == "box"


@pytest.mark.parametrize("track", BOTH)
def test_only_what_is_declared_can_be_set(track: bool) -> None:
    made = box(Memory() if track else None)
    with pytest.raises(AttributeError):
        made.middle = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        build(Box, None, "box", many=1, middle=1)
    with pytest.raises(AttributeError):
        _ = build(Box, None, "box", many=1).name


@pytest.mark.parametrize("track", BOTH)
def test_every_shared_class_of_a_kernel_is_closed(track: bool) -> None:
    k = kernels.booted(kernels.V5, [1], Memory() if track else None)
    vcpu = kernels.add_vcpu(k, "a", 0)
    structs = (vcpu, vcpu.thread, vcpu.thread.data, vcpu.wait, vcpu.swfile, vcpu.vm, k.globals)
    locks = (vcpu.mutex, vcpu.vsfile_lock, vcpu.vm.srcu, k.cpu_hotplug_lock, k.hgei[0].lock)
    kinds = (*structs, *locks, k.hart[0], k.hgei[0], k.rq[0], k.per_cpu[0], k.hardirq("h", 1, 0))
    for made in kinds:
        with pytest.raises(AttributeError):
            setattr(made, "new_state", 1)  # noqa: B010 - mypy knows, too


@pytest.mark.parametrize(("track", "index"), [(False, 3), (True, 3), (True, -1)])
def test_arrays_check_their_bounds(track: bool, index: int) -> None:
    """A plain array is a list: it counts a negative index from its end."""
    made = box(Memory() if track else None)
    with pytest.raises(IndexError):
        made.many[index]
    with pytest.raises(IndexError):
        made.many[index] = 1


def test_cells_have_names() -> None:
    memory = Memory()
    made = box(memory)
    assert memory.names == ["box.left", "box.right", "box.many[0]", "box.many[1]", "box.many[2]"]
    assert memory.cells == [5, 0, 0, 0, 0]
    assert [*addresses(made)] == [0, 1, 2, 3, 4]
    assert address_of(made, "right") == 1
    with pytest.raises(IndexError, match=r"index 3 of box.many\[0\] \(3\)"):
        made.many[3]


def test_reads_are_noted_with_their_first_value_unless_the_step_wrote_before() -> None:
    memory = Memory()
    made = box(memory)
    memory.begin_step(memory.cells)
    assert (memory.reads, memory.writes) == ({}, {})
    assert made.left == 5
    made.left = 6
    assert made.left == 6
    made.right = 1
    assert made.right == 1
    made.many[1] += 1
    assert memory.reads == {0: 5, 3: 0}
    assert memory.writes == {0: 6, 1: 1, 3: 1}


def test_each_step_starts_with_no_notes() -> None:
    memory = Memory()
    made = box(memory)
    memory.begin_step(memory.cells)
    made.right = made.left
    memory.begin_step(memory.cells)
    assert (memory.reads, memory.writes) == ({}, {})
    assert made.right == 5
    assert memory.reads == {1: 5}


def test_reads_are_noted_in_the_order_of_first_reading() -> None:
    memory = Memory()
    made = box(memory)
    memory.begin_step(memory.cells)
    assert (made.many[2], made.left, made.many[2]) == (0, 5, 0)
    assert [*memory.reads] == [4, 0]


def test_counting_an_array_reads_all_of_it() -> None:
    memory = Memory()
    made = box(memory)
    memory.begin_step(memory.cells)
    assert made.many.count(0) == 3
    assert [*memory.reads] == [2, 3, 4]


def test_a_step_works_on_the_cells_it_is_given() -> None:
    memory = Memory()
    made = box(memory)
    before, other = memory.cells, [9, 9, 9, 9, 9]
    memory.begin_step(other)
    made.right = made.left
    assert (before, other) == ([5, 0, 0, 0, 0], [9, 9, 9, 9, 9])
    made.right = 0
    assert other[1] == 0
    memory.begin_step(before)
    assert made.left == 5


def test_tracked_arrays_of_two_objects_do_not_overlap() -> None:
    memory = Memory()
    one, two = box(memory, "one"), box(memory, "two")
    one.many[2] = 7
    assert elements(two) == [0, 0, 0]
    assert isinstance(two.many, TrackedArray)
    assert set(addresses(one)).isdisjoint(addresses(two))


def test_build_raises_attribute_error_for_a_name_that_is_not_declared() -> None:
    with pytest.raises(AttributeError):
        build(Box, None, "box", many=1, middle=1)
