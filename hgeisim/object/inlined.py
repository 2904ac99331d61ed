"""Functions that the compiler has put into others, by the addresses of their instructions.

Source: DWARF version 5, section 3.3.8 (Inlined Subroutines).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

INLINED = "DW_TAG_inlined_subroutine"
BLOCKS = (INLINED, "DW_TAG_lexical_block")
DWARF_WITH_LISTS = 5


class Inlined(NamedTuple):
    """A function that is inlined in these ranges of addresses."""

    name: str
    ranges: tuple[tuple[int, int], ...]


def inlined_in(files: Iterable[Any], address: int) -> tuple[Inlined, ...]:
    """The functions that are inlined in the one that begins at an address, outer ones first."""
    for file in files:
        for unit in file.iter_CUs():
            for die in unit.get_top_DIE().iter_children():
                if die.tag == "DW_TAG_subprogram":
                    low = die.attributes.get("DW_AT_low_pc")
                    if low is not None and low.value == address:
                        return tuple(_blocks(file, die))
    return ()


def _blocks(file: Any, die: Any) -> Iterator[Inlined]:
    for child in die.iter_children():
        if child.tag == INLINED and (name := _name(file, child)):
            yield Inlined(name, tuple(_ranges(file, child)))
        if child.tag in BLOCKS:
            yield from _blocks(file, child)


def _name(file: Any, die: Any) -> str:
    """The name of an inlined function; empty for one of a header, which nobody calls a step."""
    origin = die.get_DIE_from_attribute("DW_AT_abstract_origin")
    name, declared = (origin.attributes.get(f"DW_AT_{each}") for each in ("name", "decl_file"))
    program = file.line_program_for_CU(origin.cu)
    if name is None or declared is None or program is None:
        return ""
    first = 0 if program.header["version"] >= DWARF_WITH_LISTS else 1
    source = program["file_entry"][declared.value - first]["name"]
    return name.value.decode() if source.endswith(b".c") else ""


def _ranges(file: Any, die: Any) -> Iterator[tuple[int, int]]:
    low, high = (die.attributes.get(f"DW_AT_{each}_pc") for each in ("low", "high"))
    if low is not None and high is not None:
        end = high.value if high.form == "DW_FORM_addr" else low.value + high.value
        yield low.value, end
    elif "DW_AT_ranges" in die.attributes:
        base = die.cu.get_top_DIE().attributes.get("DW_AT_low_pc")
        at = base.value if base is not None else 0
        lists = file.range_lists()
        for entry in lists.get_range_list_at_offset(die.attributes["DW_AT_ranges"].value, die.cu):
            if hasattr(entry, "base_address"):
                at = entry.base_address
            else:
                by = 0 if getattr(entry, "is_absolute", False) else at
                yield entry.begin_offset + by, entry.end_offset + by
