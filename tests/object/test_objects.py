"""Objects as files: relocations, symbols, debug information, and files of any other kind."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.object.debug_info import DebugInfo, Member
from hgeisim.object.elf import ObjectFile, read_object
from hgeisim.object.image import BASE, EXTERNAL, Image
from tests.object.toy import DATA, debug, image

OBJECT = (DATA / "pool.o").read_bytes()


def test_functions_lie_beside_each_other() -> None:
    functions = image().functions
    assert [each.name for each in functions][:3] == ["pool_read_local", "pool_alloc", "pool_find"]
    for one, other in pairwise(functions):
        assert one.address + one.size <= other.address
        assert image().function_at(one.address + one.size - 2) is one
    assert image().function_at(0) is None


def test_what_no_object_defines_is_external() -> None:
    external = image().external
    assert external[EXTERNAL] == "__bswapdi2"
    assert {"_raw_spin_lock_irqsave", "cpu_bit_bitmap", "memset"} <= set(external.values())
    assert not set(external.values()) & {each.name for each in image().functions}


def test_two_objects_call_each_other() -> None:
    one = read_object("pool.o", OBJECT)
    symbols = tuple(each for each in one.symbols if each.name != "pool_alloc")
    both = Image([one, ObjectFile("other.o", {}, symbols)])
    assert both.symbols["pool_alloc"] == image().symbols["pool_alloc"]


def test_data_have_their_first_values() -> None:
    there = image()
    assert there.initial(there.symbols["handed_out"], 8) == 1
    assert there.initial(there.symbols["total"], 8) == 0
    assert there.initial(there.symbols["weights"] + 4, 4) == 5
    assert there.is_constant(there.symbols["weights"])
    assert not there.is_constant(there.symbols["handed_out"])
    assert there.initial(BASE - 1, 1) is None
    assert [each.section.name for each in there.percpu] == [".data..percpu"]


def test_debug_information_says_where_fields_are() -> None:
    assert debug().member("user", "line") == Member(8, 4)
    assert debug().member("user", "counts") == Member(16, 16)
    assert debug().member("line_control", "lock.ticket") == Member(0, 4)
    assert debug().size("line_control") == 48
    assert str(debug().line(image().symbols["pool_alloc"])).startswith("pool.c:")


def test_a_field_that_was_renamed_is_named() -> None:
    with pytest.raises(InputError, match=r'struct line_control = free_bitmaps: .*"free_bitmap"'):
        debug().offset("line_control", "free_bitmaps")
    with pytest.raises(InputError, match=r'struct = line_contro: .*"line_control"'):
        debug().offset("line_contro", "lock")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not an ELF file"),
        (b"int main;\n" * 99, "is not an ELF file"),
        (OBJECT[:5] + b"\x02" + OBJECT[6:], "is big-endian"),
        (b"\x7fELF", "cannot be read as an ELF file"),
        (OBJECT[:4000], "cannot be read as an ELF file"),
        (OBJECT[:18] + b"\x3e\x00" + OBJECT[20:], "is for X86_64 of 64 bits"),
        (OBJECT[:16] + b"\x02\x00" + OBJECT[18:], "is ET_EXEC, not a relocatable object"),
    ],
)
def test_no_object(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_object("x.o", data)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_object_is_refused_with_a_sentence_or_works(data: st.DataObject) -> None:
    damaged = bytearray(OBJECT)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(OBJECT) - 1))] = data.draw(st.integers(0, 255))
    try:
        Image([read_object("x.o", bytes(damaged))])
    except InputError as error:
        assert str(error).startswith("x.o: ")


def test_damaged_debug_information_is_refused() -> None:
    whole = read_object("pool.o", OBJECT)
    cut = {
        i: replace(each, data=bytes(len(each.data)), relocations=())
        if each.name == ".debug_info"
        else each
        for i, each in whole.sections.items()
    }
    made = DebugInfo(Image([ObjectFile("pool.o", cut, whole.symbols)]))
    with pytest.raises(InputError, match=r"pool\.o: has debug information that cannot be read"):
        made.check()


def test_an_object_without_debug_information_is_refused() -> None:
    whole = read_object("pool.o", OBJECT)
    kept = {i: each for i, each in whole.sections.items() if not each.name.startswith(".debug")}
    with pytest.raises(InputError, match=r"pool\.o: has no debug information"):
        DebugInfo(Image([ObjectFile("pool.o", kept, whole.symbols)]))
