"""Objects on the plain fields of a kernel that runs in time."""

from __future__ import annotations

import pytest

from hgeisim.errors import ModelError
from hgeisim.machine.shared import Array, Field, Shared, build
from hgeisim.object.object_code import ObjectCode, Outside
from hgeisim.object.plain_memory import Aside, PlainMemory
from hgeisim.object.request import Access, Call
from tests.object.toy import CPUS, Alone, debug, field, image, pool, user


class Lines(Shared):
    """A struct of a model."""

    count: Field
    owners: Array


def timed() -> Alone:
    return Alone(ObjectCode(image(), debug(), PlainMemory(), CPUS, Outside()))


def test_cells_are_fields_and_elements() -> None:
    memory, lines = PlainMemory(), build(Lines, None, "lines", count=3, owners=2)
    count, owner = memory.field(lines, "count"), memory.element(lines, "owners", 1)
    memory.write(count, memory.read(count) + 1)
    memory.write(owner, 7)
    assert (lines.count, lines.owners) == (4, [0, 7])
    lines.owners = [5, 6]
    assert (memory.read(owner), memory.cells[count]) == (6, 4)


def test_a_struct_that_is_gone_leaves_its_cells_to_another() -> None:
    memory = PlainMemory()
    old, new = (build(Lines, None, "lines", count=n, owners=1) for n in (1, 2))
    cell = memory.field(old, "count")
    memory.exchange(old, new)
    memory.write(cell, memory.read(cell) + 10)
    assert (old.count, new.count) == (1, 12)


def test_a_pointer_is_kept_as_c_has_it() -> None:
    memory, lines = PlainMemory(), build(Lines, None, "lines", count=3, owners=1)
    cell = memory.field(lines, "count")
    memory.translate(cell, lambda ident: 0x1000 + ident, lambda pointer: pointer - 0x1000)
    assert memory.read(cell) == 0x1003
    memory.write(cell, 0x1009)
    assert lines.count == 9


def test_a_go_changes_nothing_before_it_is_over() -> None:
    memory = PlainMemory()
    cell = memory.cell("word", 4)
    aside = Aside(memory)
    aside.write(cell, aside.read(cell) + 1)
    assert (aside.read(cell), memory.read(cell)) == (5, 4)
    assert (aside.reads, aside.writes) == ({cell: 4}, {cell: 5})


def test_in_time_no_access_is_asked_for() -> None:
    made = timed()
    owner = user(made.code, 7)
    assert made.call("pool_alloc", 1, owner) == 1
    assert field(made.code, pool(made.code, 1), "line_control", "free_bitmap") == 0b1100
    assert any(isinstance(each, Call) for each in made.requests)
    assert not any(isinstance(each, Access) for each in made.requests)


def test_the_goes_of_one_context_are_known_for_all() -> None:
    made = timed()
    who = user(made.code, 7)

    def call(runner: int) -> None:
        at = made.code.enter(runner, "pool_add", (who, who))
        at = made.code.go_on(at)
        made.code.leave(at)

    call(1)
    goes, numbers = made.code.goes, len(made.code.suspended)
    made.code.shared.store_bytes(who, 8, made.code.shared.load(who, 8))
    call(2)
    assert made.code.goes <= goes + 1
    assert len(made.code.suspended) == numbers


def test_only_a_function_that_has_returned_is_left() -> None:
    made = timed()
    at = made.code.enter(1, "pool_alloc", (1, user(made.code, 7)))
    with pytest.raises(ModelError, match="has not returned"):
        made.code.leave(at)


def test_memory_is_as_at_first_again() -> None:
    made = timed()
    address = made.code.allocate(16, "struct")
    made.code.shared.store_bytes(address, 8, 9)
    made.code.shared.forget(address)
    assert made.code.shared.load(address, 8) == 0
