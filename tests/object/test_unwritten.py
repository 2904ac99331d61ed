"""Words of a stack that a function never wrote: which uses of them are mistakes."""

from __future__ import annotations

import pytest

from hgeisim.object.instruction import Instruction
from hgeisim.object.object_code import KernelFault
from hgeisim.object.unwritten import NOTHING, Tracker, Unwritten
from tests.object.toy import Alone, code

TOP = 0x4000


def call(function: str, *arguments: int) -> int:
    return Alone(code("stack.o")).call(function, *arguments)


@pytest.mark.parametrize(
    "function",
    ["stack_branch", "stack_follow", "stack_compute", "stack_copy_used", "stack_left_over"],
)
def test_a_use_is_a_fault(function: str) -> None:
    with pytest.raises(KernelFault, match=r"a word of the stack that was never written \(stack\.c"):
        call(function, 0)


def test_a_copy_is_none() -> None:
    assert call("stack_copy", 8) == 8
    assert call("stack_copy", 0) == 5


def test_a_bit_field_is_set_by_way_of_its_word() -> None:
    assert [call("stack_bits", value) for value in (0, 3)] == [2, 1]


def test_a_word_that_was_written_is_used() -> None:
    assert call("stack_branch", 4) == 1


def test_a_frame_is_unwritten_until_something_is_stored() -> None:
    tracker = Tracker(TOP, NOTHING)
    tracker.grow(TOP, TOP - 32)
    tracker.store(TOP - 16, 4)
    assert tracker.kept(TOP - 32, frozenset()).words == 0b1101
    assert tracker.kept(TOP - 16, frozenset()).words == 0b01
    tracker.grow(TOP - 32, TOP)
    assert tracker.kept(TOP - 32, frozenset()).words == 0b1101


def test_registers_that_are_dead_do_not_matter() -> None:
    tracker = Tracker(TOP, Unwritten(words=1))
    tracker.load(TOP - 8, 8, 10)
    assert tracker.kept(TOP - 8, frozenset({10})).copies == 1 << 10
    assert tracker.kept(TOP - 8, frozenset({11})).copies == 0
    assert tracker.is_relied_on(Instruction("ld", rd=5, rs1=10))
    assert not tracker.is_relied_on(Instruction("sd", rs1=2, rs2=10))
    tracker.set(10)
    assert not tracker.is_relied_on(Instruction("ld", rd=5, rs1=10))
