"""Topologies read from devicetree blobs: real ones, edited ones and broken ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.machine.topology import HartSpec
from hgeisim.scenario.topology import read_topology

DATA = Path(__file__).parent.parent / "data"
BIG_LITTLE = DATA / "virt-big-little-4x7-4x3.dtb"
BLOB = BIG_LITTLE.read_bytes()
IMSIC = "/soc/imsics@28000000"
PAGE = 4096

Edit = Callable[[Any], None]


@pytest.mark.parametrize(
    ("name", "bits", "guest_files"),
    [
        ("virt-8hart-guests3.dtb", 2, [3] * 8),
        ("virt-8hart-guests5.dtb", 3, [7] * 8),  # the stride has room for 7
        ("virt-8hart-guests7.dtb", 3, [7] * 8),
        ("virt-2socket-16hart.dtb", 3, [7] * 16),
        ("virt-big-little-4x7-4x3.dtb", 3, [7] * 4 + [3] * 4),
    ],
)
def test_real_blobs(name: str, bits: int, guest_files: list[int]) -> None:
    topology = read_topology(DATA / name, source=name)
    assert topology.source == name
    assert topology.guest_index_bits == bits
    assert topology.harts == tuple(HartSpec(files, None) for files in guest_files)


def guest_files(tmp_path: Path, *edits: Edit) -> list[int]:
    """Guest files per HART of the big.LITTLE blob after some edits."""
    tree = fdt.parse_dtb(BLOB)
    for edit in edits:
        edit(tree)
    path = tmp_path / "edited.dtb"
    path.write_bytes(tree.to_dtb())
    return [hart.guest_files for hart in read_topology(path, "edited.dtb").harts]


def message(tmp_path: Path, *edits: Edit) -> str:
    with pytest.raises(InputError) as caught:
        guest_files(tmp_path, *edits)
    return str(caught.value)


def put(name: str, value: object, path: str = IMSIC) -> Edit:
    return lambda tree: tree.set_property(name, value, path)


def drop(name: str, path: str = IMSIC) -> Edit:
    return lambda tree: tree.remove_property(name, path)


def pairs(*phandles: int, interrupt: int = 9) -> Edit:
    words = [word for phandle in phandles for word in (phandle, interrupt)]
    return put("interrupts-extended", words)


def regions(*sizes: int) -> Edit:
    return put("reg", [word for size in sizes for word in (0, 0x28000000, 0, size)])


IN_ORDER = (16, 14, 12, 10, 8, 6, 4, 2)
"""Phandles of the interrupt controllers of cpu@0 to cpu@7."""


def test_edits_alone_change_nothing(tmp_path: Path) -> None:
    assert guest_files(tmp_path, pairs(*IN_ORDER)) == [7] * 4 + [3] * 4


def test_cpu_numbers_follow_hart_ids_and_pages_follow_pairs(tmp_path: Path) -> None:
    assert guest_files(tmp_path, pairs(*reversed(IN_ORDER))) == [3] * 4 + [7] * 4


def test_without_guest_index_bits_there_are_no_guest_files(tmp_path: Path) -> None:
    edits = [drop("riscv,guest-index-bits"), regions(8 * PAGE)]
    assert guest_files(tmp_path, *edits) == [0] * 8


def test_a_region_ends_at_a_whole_stride(tmp_path: Path) -> None:
    sizes = [8 * PAGE + PAGE] + [2 * PAGE] * 6  # 9 pages: one full HART, one with its S-file only
    assert guest_files(tmp_path, regions(*sizes)) == [7, 0] + [1] * 6


def test_files_beyond_the_stride_do_not_count(tmp_path: Path) -> None:
    assert guest_files(tmp_path, regions(8 * 8 * PAGE)) == [7] * 8


def test_disabled_cpus_have_no_number(tmp_path: Path) -> None:
    assert guest_files(tmp_path, put("status", "disabled", "/cpus/cpu@0")) == [7] * 3 + [3] * 4


def test_machine_level_pairs_take_a_place_but_are_no_hart(tmp_path: Path) -> None:
    words = [16, 11] + [word for phandle in IN_ORDER for word in (phandle, 9)]
    edits = [put("interrupts-extended", words), regions(9 * 8 * PAGE)]
    assert guest_files(tmp_path, *edits) == [7] * 8


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            regions(7 * 8 * PAGE),
            "edited.dtb: /soc/imsics@28000000 interrupts-extended[7] = /cpus/cpu@7: "
            "must have its pages inside a region of `reg`",
        ),
        (
            pairs(*IN_ORDER[:-1], 99),
            "edited.dtb: /soc/imsics@28000000 interrupts-extended[7] = 99: "
            "must be the phandle of a cpu's interrupt controller\n"
            "edited.dtb: /cpus/cpu@7: must be named by /soc/imsics@28000000 interrupts-extended",
        ),
        (
            pairs(*IN_ORDER, 16),
            "edited.dtb: /soc/imsics@28000000 interrupts-extended[8] = /cpus/cpu@0: "
            "must have its pages inside a region of `reg`",
        ),
        (
            pairs(16, *IN_ORDER[:-1]),
            "edited.dtb: /soc/imsics@28000000 interrupts-extended[1] = /cpus/cpu@0: "
            "must be listed only once\n"
            "edited.dtb: /cpus/cpu@7: must be named by /soc/imsics@28000000 interrupts-extended",
        ),
        (
            put("interrupts-extended", [16, 9, 14]),
            "edited.dtb: /soc/imsics@28000000 interrupts-extended = 3 cells: "
            "must be pairs (phandle, interrupt)",
        ),
        (
            put("riscv,guest-index-bits", 8),
            "edited.dtb: /soc/imsics@28000000 riscv,guest-index-bits = 8: must be 0..7",
        ),
        (
            put("reg", [0, 1, 2]),
            "edited.dtb: /soc/imsics@28000000 reg = 3 cells: "
            "must be entries of 2 address and 2 size cells (size: 1 or 2)",
        ),
        (
            drop("reg", "/cpus/cpu@3"),
            "edited.dtb: /cpus/cpu@3 reg = 0 cells: must be a hart id of 1 or 2 cells",
        ),
        (
            pairs(*IN_ORDER, interrupt=11),
            "edited.dtb: must have a riscv,imsics node that raises supervisor external interrupts "
            "(9); it has only /soc/imsics@28000000, /soc/imsics@24000000",
        ),
        (
            lambda tree: tree.remove_node("soc"),
            "edited.dtb: must have a riscv,imsics node that raises supervisor external interrupts "
            "(9); it has none",
        ),
    ],
)
def test_unusable_blobs(tmp_path: Path, edit: Edit, expected: str) -> None:
    assert message(tmp_path, edit) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "must be a devicetree blob, which starts with the bytes d0 0d fe ed"),
        (b"\x7fELF and more of it", "must be a devicetree blob, which starts with"),
        (BLOB[:5000], "is truncated: its header says 7727 bytes, the file has 5000"),
        (BLOB[:40] + bytes(len(BLOB)), "must be a whole devicetree blob (Exception: Unknown Tag"),
    ],
)
def test_no_blobs(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "broken.dtb"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_topology(path, "broken.dtb")
    assert str(caught.value).startswith(f"broken.dtb: {expected}")


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.dtb"):
        with pytest.raises(InputError, match=r"cannot be read: (Is a directory|No such file)"):
            read_topology(path)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "broken.dtb"


@given(size=st.integers(0, len(BLOB) - 1))
def test_truncated_anywhere(broken: Path, size: int) -> None:
    broken.write_bytes(BLOB[:size])
    with pytest.raises(InputError):
        read_topology(broken)


@pytest.mark.slow
@given(flips=st.lists(st.tuples(st.integers(0, len(BLOB) - 1), st.integers(1, 255)), max_size=8))
def test_flipped_bytes_raise_nothing_but_input_error(
    broken: Path, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(BLOB)
    for at, mask in flips:
        data[at] ^= mask
    broken.write_bytes(bytes(data))
    try:
        topology = read_topology(broken)
    except InputError as error:
        assert error.problems
    else:
        assert all(0 <= hart.guest_files <= 127 for hart in topology.harts)
