"""The debug information of objects: offsets of fields, sizes of structs, lines of code.

Source: DWARF version 5, as read by pyelftools (`pip install 'hgeisim[object]'`).
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from hgeisim.errors import InputError, Problem, did_you_mean
from hgeisim.object.image import Image
from hgeisim.object.inlined import Inlined, inlined_in

REBUILD = "build with CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y"
THROUGH = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type")
STRUCTS = ("DW_TAG_structure_type", "DW_TAG_union_type")
SECTIONS = (
    "info", "aranges", "abbrev", "frame", "str", "loc", "ranges", "line", "addr",
    "str_offsets", "line_str", "loclists", "rnglists",
)  # fmt: skip


class Member(NamedTuple):
    """A field: its offset in bytes from the start of the struct, and its own size."""

    offset: int
    size: int


class Line(NamedTuple):
    """A line of a source file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class DebugInfo:
    """The debug information of an image.

    Raises `InputError` for an object that has none.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        for number, each in enumerate(image.objects):
            if not image.debug(".debug_info", number):
                allowed = "has no debug information (DWARF)"
                raise InputError([Problem(each.name, "", "", allowed, REBUILD)])
        self._members: dict[tuple[str, str], Member] = {}
        self._inlined: dict[int, tuple[Inlined, ...]] = {}

    def check(self) -> None:
        """Read what is there, so that a damaged file is noticed immediately.

        Raises `InputError`.
        """
        try:
            _ = self._structs, self._lines
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
            words = str(error) or type(error).__name__
            allowed = f"has debug information that cannot be read: {words}"
            raise InputError([Problem(self._names, "", "", allowed, REBUILD)]) from None

    @cached_property
    def _files(self) -> list[Any]:
        """The debug information of each object, as pyelftools has it."""
        from elftools.dwarf.dwarfinfo import (  # noqa: PLC0415 - an extra: hgeisim[object]
            DebugSectionDescriptor,
            DwarfConfig,
            DWARFInfo,
        )

        made = []
        for number in range(len(self.image.objects)):
            sections: dict[str, Any] = {}
            for name in SECTIONS:
                data = self.image.debug(f".debug_{name}", number)
                given = DebugSectionDescriptor(io.BytesIO(data), name, 0, len(data), 0)
                sections[f"debug_{name}_sec"] = given if data else None
            others = dict.fromkeys(
                ("eh_frame_sec", "debug_pubtypes_sec", "debug_pubnames_sec", "debug_sup_sec",
                 "gnu_debugaltlink_sec", "debug_types_sec")
            )  # fmt: skip
            config = DwarfConfig(little_endian=True, machine_arch="RISC-V", default_address_size=8)
            made.append(DWARFInfo(config=config, **sections, **others))
        return made

    @cached_property
    def _structs(self) -> dict[str, Any]:
        """The complete structs and unions by name; of several of the same name, the first."""
        found: dict[str, Any] = {}
        for file in self._files:
            for unit in file.iter_CUs():
                for die in unit.get_top_DIE().iter_children():
                    name = die.attributes.get("DW_AT_name")
                    if die.tag in STRUCTS and name and "DW_AT_byte_size" in die.attributes:
                        found.setdefault(name.value.decode(), die)
        return found

    def _struct(self, name: str) -> Any:
        found = self._structs.get(name)
        if found is None:
            remedy = did_you_mean(name, self._structs)
            raise InputError([Problem(self._names, "struct", name, "is in no object", remedy)])
        return found

    @property
    def _names(self) -> str:
        return ", ".join(each.name for each in self.image.objects)

    def has_struct(self, name: str) -> bool:
        """Whether there is such a struct, with its fields."""
        return name in self._structs

    def has_member(self, struct: str, name: str) -> bool:
        """Whether a struct has a field of this name."""
        return name in dict(_fields(self._struct(struct)))

    def size(self, struct: str) -> int:
        """The size of a struct in bytes."""
        return int(self._struct(struct).attributes["DW_AT_byte_size"].value)

    def member(self, struct: str, path: str) -> Member:
        """A field of a struct, such as `arch.aia.mode`; fields of unnamed structs are its own.

        Raises `InputError` for one that does not exist.
        """
        if (struct, path) not in self._members:
            offset, die = 0, self._struct(struct)
            for part in path.split("."):
                fields = dict(_fields(die))
                if part not in fields:
                    remedy = did_you_mean(part, fields)
                    where = f"struct {struct}"
                    raise InputError([Problem(self._names, where, path, "has no field", remedy)])
                more, die = fields[part]
                offset += more
            self._members[struct, path] = Member(offset, _size(die))
        return self._members[struct, path]

    def offset(self, struct: str, path: str) -> int:
        """The offset of a field of a struct in bytes."""
        return self.member(struct, path).offset

    def functions_at(self, address: int) -> tuple[str, ...]:
        """The function that an instruction belongs to and, from there on, those inlined in it whose
        code it is, outermost first; empty where there is none.  A part that a compiler has made of
        a function, such as f.cold or f.isra.0, is that function."""
        function = self.image.function_at(address)
        if function is None:
            return ()
        if function.address not in self._inlined:
            self._inlined[function.address] = inlined_in(self._files, function.address)
        within = (
            each
            for each in self._inlined[function.address]
            if any(low <= address < high for low, high in each.ranges)
        )
        return (function.name.partition(".")[0], *(each.name for each in within))

    @cached_property
    def _lines(self) -> tuple[list[int], list[Line | None]]:
        rows = sorted(self._rows(), key=lambda row: (row[0], row[1] is not None))
        last = dict(rows)
        return list(last), list(last.values())

    def _rows(self) -> Iterator[tuple[int, Line | None]]:
        for file in self._files:
            for unit in file.iter_CUs():
                program = file.line_program_for_CU(unit)
                if program is None:
                    continue
                first = 0 if program.header["version"] >= 5 else 1
                names = [entry["name"].decode() for entry in program["file_entry"]]
                for entry in program.get_entries():
                    row = entry.state
                    if row is None:
                        continue
                    at = row.file - first
                    name = names[at].rpartition("/")[2] if 0 <= at < len(names) else "?"
                    yield row.address, None if row.end_sequence else Line(name, row.line)

    def line(self, address: int) -> Line | None:
        """The line of source that an instruction belongs to; None if that is not known."""
        starts, lines = self._lines
        at = bisect_right(starts, address) - 1
        return lines[at] if at >= 0 else None


def _fields(die: Any) -> Iterator[tuple[str, tuple[int, Any]]]:
    """The fields of a struct: name, offset, and what it is."""
    for child in die.iter_children():
        if child.tag != "DW_TAG_member":
            continue
        place = child.attributes.get("DW_AT_data_member_location")
        offset = int(place.value) if place is not None else 0
        kind = _plain(child.get_DIE_from_attribute("DW_AT_type"))
        name = child.attributes.get("DW_AT_name")
        if name is not None:
            yield name.value.decode(), (offset, kind)
        else:
            for inner, (more, what) in _fields(kind):
                yield inner, (offset + more, what)


def _plain(die: Any) -> Any:
    while die.tag in THROUGH and "DW_AT_type" in die.attributes:
        die = die.get_DIE_from_attribute("DW_AT_type")
    return die


def _size(die: Any) -> int:
    """The size of what a field holds; of an array, of all its elements."""
    size = die.attributes.get("DW_AT_byte_size")
    if size is not None:
        return int(size.value)
    if die.tag == "DW_TAG_array_type":
        count = 1
        for child in die.iter_children():
            bound = child.attributes.get("DW_AT_upper_bound")
            length = child.attributes.get("DW_AT_count")
            count *= int(bound.value) + 1 if bound else int(length.value) if length else 0
        return count * _size(_plain(die.get_DIE_from_attribute("DW_AT_type")))
    return 8 if die.tag == "DW_TAG_pointer_type" else 0
