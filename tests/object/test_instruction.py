"""The decoder against the disassembler, and its answer to any other word."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.object.compressed import expand
from hgeisim.object.instruction import Instruction, UnknownInstruction, decode
from tests.object.disassembly import expanded, text

DATA = Path(__file__).parent.parent / "data" / "object"
LISTINGS = ("pool.txt", "pool-zbb.txt", "instructions.txt")


def decoded(word: int, size: int) -> Instruction:
    return expand(word) if size == 2 else decode(word)


@pytest.mark.parametrize("listing", LISTINGS)
def test_decodes_as_the_disassembler_does(listing: str) -> None:
    lines = (DATA / listing).read_text().splitlines()
    assert len(lines) > 100
    for line in lines:
        at, word, expected = line.split("\t")
        made = decoded(int(word, 16), len(word) // 2)
        assert made.size == len(word) // 2
        assert text(made, int(at, 16)) == expanded(expected), line


@given(st.integers(0, (1 << 32) - 1))
def test_any_word_is_an_instruction_or_refused(word: int) -> None:
    try:
        made = decode(word | 3) if word & 3 == 3 else expand(word & 0xFFFF)
    except UnknownInstruction as error:
        assert "is not an instruction that hgeisim knows" in str(error)
    else:
        assert made.name
        assert all(0 <= each < 32 for each in (made.rd, made.rs1, made.rs2))


@pytest.mark.parametrize("word", [0x00000000, 0xFFFFFFFF, 0x02000057, 0x00007053])
def test_vector_and_float_instructions_are_refused(word: int) -> None:
    with pytest.raises(UnknownInstruction, match=f"{word:#010x}"):
        decode(word)
