"""Shared state: what the memory notes, what cannot be set, and the registers of a HART."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.machine.hart import ALL_ONES, Hart, bit, ffs, fls
from hgeisim.machine.ops import (
    LOCAL_IRQ_RESTORE,
    LOCAL_IRQ_SAVE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    Op,
    SampleSgei,
)
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
from hgeisim.machine.task import rcuwait
from hgeisim.machine.topology import HartSpec
from tests import kernels


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
    vcpu = k.add_vcpu("a", 0)
    kinds = (vcpu, vcpu.thread, vcpu.wait, k.hart[0], k.hgei[0], k.hgei[0].lock, k.globals)
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


# a HART


def hart(geilen: int) -> Hart:
    made = build(Hart, None, "hart0", active=1, online=1)
    made.geilen, made.sgei = geilen, SampleSgei(0)
    return made


@pytest.mark.parametrize(("geilen", "kept"), [(0, 0), (1, 0b10), (3, 0b1110), (63, (1 << 64) - 2)])
def test_hgeie_is_warl(geilen: int, kept: int) -> None:
    made = hart(geilen)
    made.write_hgeie(ALL_ONES)
    assert made.hgeie == kept
    assert max(fls(made.hgeie) - 1, 0) == geilen


@given(st.integers(0, 63), st.integers(0, ALL_ONES))
def test_hgeie_keeps_bits_geilen_to_1_of_whatever_is_written(geilen: int, value: int) -> None:
    made = hart(geilen)
    made.write_hgeie(value)
    assert {n for n in range(64) if made.hgeie >> n & 1} == {
        n for n in range(1, geilen + 1) if value >> n & 1
    }


@pytest.mark.parametrize(
    ("hgeip", "hgeie", "sgeie", "pending"),
    [(2, 2, 1, True), (2, 2, 0, False), (2, 4, 1, False), (6, 4, 1, True), (0, 2, 1, False)],
)
def test_sgei_is_the_level_of_pending_and_enabled_files(
    hgeip: int, hgeie: int, sgeie: int, pending: bool
) -> None:
    made = hart(2)
    made.hgeip, made.hgeie, made.sgeie = hgeip, hgeie, sgeie
    assert made.sgei_pending() is pending


@pytest.mark.parametrize(
    ("field", "interruptible", "preemptible"),
    [
        ("irq_off", False, False),
        ("hardirq", False, False),
        ("preempt_count", True, False),
        ("current", True, False),
        ("hgeie", True, True),
    ],
)
def test_what_an_interrupt_and_the_stopper_wait_for(
    field: str, interruptible: bool, preemptible: bool
) -> None:
    made = hart(2)
    setattr(made, field, 1)
    assert (made.interruptible(), made.preemptible()) == (interruptible, preemptible)


def test_interrupts_and_preemption_are_turned_off_in_nested_sections() -> None:
    k = kernels.unbooted(kernels.V6_12, [0])
    who = k.add_thread("t", 0)
    sections: list[tuple[str, Op, Op]] = [
        ("irq_off", LOCAL_IRQ_SAVE, LOCAL_IRQ_RESTORE),
        ("preempt_count", PREEMPT_DISABLE, PREEMPT_ENABLE),
    ]
    for field, off, on in sections:
        counts = []
        for op in (off, off, on, on):
            op.end(who)
            counts.append(getattr(who.hart, field))
        assert counts == [1, 2, 1, 0]


def test_bit_shifts_as_risc_v_does() -> None:
    assert [bit(0), bit(5), bit(63), bit(64), bit(65)] == [1, 32, 1 << 63, 1, 2]


@given(st.integers(1, ALL_ONES))
def test_ffs_and_fls_name_the_lowest_and_the_highest_bit(word: int) -> None:
    set_bits = [n for n in range(64) if word >> n & 1]
    assert (ffs(word), fls(word) - 1) == (set_bits[0], set_bits[-1])
    assert fls(0) == 0


@pytest.mark.parametrize(
    ("spec", "lines"),
    [(HartSpec(3), 3), (HartSpec(127), 63), (HartSpec(7, 5), 5), (HartSpec(2, 0), 0)],
)
def test_lines_of_a_hart(spec: HartSpec, lines: int) -> None:
    assert spec.lines == lines


def test_the_global_count_of_guest_files_is_the_least() -> None:
    assert kernels.machine([7, 2, HartSpec(3, geilen=1)]).nr_guest_files == 2


# rcuwait


@pytest.mark.parametrize("waiter", [0, 1])
def test_a_wake_up_without_a_waiter_is_lost(waiter: int) -> None:
    wait = rcuwait(None, "wait")
    who = kernels.unbooted(kernels.V6_12, [0]).add_thread("t", 0)
    wait.waiter = waiter
    wait.wake_up.end(who)
    assert wait.woken == waiter
    assert wait.schedule.ready(who) == bool(waiter)
