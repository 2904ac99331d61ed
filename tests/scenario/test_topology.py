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
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.canonical import effective
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.topology import read_topology

DATA = Path(__file__).parent.parent / "data"
BIG_LITTLE = DATA / "virt-big-little-4x7-4x3.dtb"
DEVICETREES = DATA / "devicetrees"
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


def test_cpu_numbers_follow_nodes_and_pages_follow_pairs(tmp_path: Path) -> None:
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


def topology_after(tmp_path: Path, *edits: Edit, boot_hart: int | None = None) -> Topology:
    """The topology of the big.LITTLE blob after some edits."""
    tree = fdt.parse_dtb(BLOB)
    for edit in edits:
        edit(tree)
    path = tmp_path / "edited.dtb"
    path.write_bytes(tree.to_dtb())
    return read_topology(path, "edited.dtb", boot_hart)


NONE: list[int | None] = [None] * 8
"""No HART has a page."""
TAKEN = f"{IMSIC}: "
REFUSED: list[tuple[Edit, list[int | None], str]] = [
    (regions(7 * 8 * PAGE), [7] * 7 + [None], f"{TAKEN}MMIO not found for parent irq7"),
    (pairs(*IN_ORDER[:-1], 99), [7] * 4 + [3] * 3 + [None], "8 parent irqs the first 7 count"),
    (pairs(*IN_ORDER, 16), [*([7] * 4), *([3] * 4)], "MMIO not found for parent irq8"),
    (
        pairs(16, *IN_ORDER[:-1]),
        [7, 7, 7, 3, 3, 3, 3, None],
        "CPU 7 (HART 7, /cpus/cpu@7) has no page",
    ),
    (drop("interrupt-controller"), NONE, "is available and has `interrupt-controller`"),
    (put("reg", [0, 1, 2]), NONE, "first MMIO resource not found (imsic_parse_fwnode)"),
    (pairs(*IN_ORDER, interrupt=5), NONE, "no parent irqs available (imsic_parse_fwnode)"),
    (pairs(*range(90, 98)), NONE, "no parent irqs available (imsic_parse_fwnode)"),
    (regions(0), NONE, "no CPU handlers found (imsic_setup_state)"),
    (drop("riscv,num-ids"), NONE, "riscv,num-ids must be 63..2047, with its low 6 bits set"),
    (put("riscv,num-ids", 62), NONE, "invalid number of interrupt identities"),
    (put("riscv,num-guest-ids", 64), NONE, "invalid number of guest interrupt identities"),
    (put("riscv,hart-index-bits", 50), NONE, "HART index bits too big"),
    (put("riscv,group-index-bits", 47), NONE, "group index bits too big"),
    (put("riscv,group-index-shift", 65), NONE, "group index shift too big"),
    (lambda tree: tree.remove_node("soc"), NONE, "there is no riscv,imsics node that raises"),
]


@pytest.mark.parametrize(("edit", "files", "said"), REFUSED)
def test_what_the_driver_of_linux_refuses(
    tmp_path: Path, edit: Edit, files: list[int | None], said: str
) -> None:
    topology = topology_after(tmp_path, edit)
    assert [hart.guest_files if hart.imsic else None for hart in topology.harts] == files
    assert said in "\n".join(topology.warnings)
    have = [each for each in files if each is not None]
    assert topology.nr_guest_files == (min(have) if have else 0)


CASES: dict[str, tuple[list[int | None], str]] = {
    "no-group-bits": ([None] * 4, "address mismatch for regset 1 (imsic_setup_state)"),
    "no-num-ids": ([None] * 4, "number of interrupt identities not found"),
    "num-ids-256": ([None] * 4, "riscv,num-ids = 256 must be 63..2047"),
    "cpu-order": ([7, 7, 3, 3], ""),
    "no-h-on-two": ([7] * 4, ""),
    "legacy-phandle": ([7] * 4, ""),
    "nops": ([7] * 4, ""),
    "k3-16cores": (
        [63] * 8 + [None] * 8,
        "8 CPUs, the first of them CPU 8 (HART 8, /cpus/cpu@8), have no page",
    ),
    "hole": ([7, None, 7, 7], "hart ID for parent irq1 not found"),
    "two-nodes": ([7, 7, None, None], "already initialized hence ignoring (imsic_setup_state)"),
    "region-short": ([7, 7, None, None], "MMIO not found for parent irq2"),
}


@pytest.mark.parametrize("name", CASES)
def test_blobs_after_reports(name: str) -> None:
    files, said = CASES[name]
    topology = read_topology(DEVICETREES / f"{name}.dtb", name)
    assert [hart.guest_files if hart.imsic else None for hart in topology.harts] == files
    assert bool(topology.warnings) == bool(said)
    assert said in "\n".join(topology.warnings)


def test_the_hart_that_boots_is_the_first(tmp_path: Path) -> None:
    assert read_topology(DEVICETREES / "cpu-order.dtb").hart_ids == (4, 5, 0, 1)
    path = DEVICETREES / "cpu-order.dtb"
    assert read_topology(path, boot_hart=1).hart_ids == (1, 4, 5, 0)
    assert topology_after(tmp_path, boot_hart=5).hart_ids == (5, 0, 1, 2, 3, 4, 6, 7)
    with pytest.raises(InputError, match="boot hart = 9: must be the hart id of a CPU: 4, 5, 0, 1"):
        read_topology(path, boot_hart=9)


def test_one_hart_without_an_extension_takes_it_from_all(tmp_path: Path) -> None:
    no_kvm = read_topology(DEVICETREES / "no-h-on-two.dtb").no_kvm
    assert no_kvm.startswith("2 CPUs, the first of them CPU 2 (HART 2, /cpus/cpu@2), have no H")
    without = put("riscv,isa", "rv64imafdch_zicsr", "/cpus/cpu@3")
    topology = topology_after(tmp_path, without)
    assert not any(hart.imsic for hart in topology.harts)
    assert "AIA support not available" in topology.warnings[0]
    assert "CPU 3 (HART 3, /cpus/cpu@3) has no ssaia" in topology.warnings[0]


@pytest.mark.parametrize(
    ("isa", "aia", "kvm"),
    [
        ("rv64imafdch_ssaia1p0", True, True),
        ("RV64IMAFDCH_SSAIA", True, True),
        ("rv64ima2p1f2p2d2p2c2p0h1p0_zicsr2p0_ssaia", True, True),
        ("rv64imafdcsuh_ssaia", True, True),
        ("rv64imafdc_ssaia_zicsr", True, False),
        ("rv64imafdch_smaia", False, True),
    ],
)
def test_isa_strings(tmp_path: Path, isa: str, aia: bool, kvm: bool) -> None:
    topology = topology_after(tmp_path, put("riscv,isa", isa, "/cpus/cpu@3"))
    assert all(hart.imsic for hart in topology.harts) == aia
    assert (not topology.no_kvm) == kvm


def test_two_cpus_with_one_hart_id(tmp_path: Path) -> None:
    expected = "edited.dtb: /cpus/cpu@2 reg = 2: must be of one CPU only"
    assert message(tmp_path, put("reg", 2, "/cpus/cpu@3")) == expected


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (put("riscv,isa", "rv64i2p1_m2p0", "/cpus/cpu@3"), "does not begin with rv64ima"),
        (drop("riscv,isa", "/cpus/cpu@3"), 'has neither "riscv,isa-base" nor "riscv,isa"'),
        (put("riscv,isa-base", "rv32i", "/cpus/cpu@3"), 'of "rv32i", which does not begin'),
        (put("riscv,isa-base", "rv64i", "/cpus/cpu@3"), 'but no "riscv,isa-extensions"'),
        (drop("reg", "/cpus/cpu@3"), "/cpus/cpu@3: has no hart id of 1 cell in `reg`"),
        (put("compatible", "arm,cortex", "/cpus/cpu@3"), 'is not compatible with "riscv"'),
    ],
)
def test_cpus_that_linux_leaves_out(tmp_path: Path, edit: Edit, said: str) -> None:
    topology = topology_after(tmp_path, edit)
    assert topology.hart_ids == (0, 1, 2, 4, 5, 6, 7)
    assert said in topology.warnings[0]


def test_a_blob_without_a_cpu(tmp_path: Path) -> None:
    expected = "edited.dtb: must have a cpu node that Linux takes: riscv, rv64ima, available"
    assert message(tmp_path, lambda tree: tree.remove_node("cpus")) == expected


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


MACHINE = {
    "title": "t",
    "run": {"until": "1ms"},
    "task": [{"name": "t", "hart": 0, "does": ["shutdown"]}],
}


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ({"harts": [{"guest_files": 1, "imsic": False}]}, "guest_files = 0 where imsic = false"),
        ({"harts": [{"guest_files": 1}], "boot_hart": 0}, "`boot_hart` only with `devicetree`"),
        ({"devicetree": "no-h-on-two.dtb"}, "has no KVM: 2 CPUs, the first of them CPU 2"),
        ({"devicetree": "hole.dtb", "boot_hart": 7}, "boot hart = 7: must be the hart id of a CPU"),
    ],
)
def test_machines_that_are_refused(machine: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        scenario_from(MACHINE | {"machine": machine}, folder=DEVICETREES)


def test_a_hart_without_a_page_stays_one_when_the_machine_is_written_out() -> None:
    machine = {"devicetree": "hole.dtb"}
    scenario = scenario_from(MACHINE | {"machine": machine}, folder=DEVICETREES)
    written = effective(scenario)
    assert written["machine"]["harts"][1] == {"count": 1, "guest_files": 0, "imsic": False}
    again = scenario_from(written)
    assert again.topology.harts == scenario.topology.harts
    assert (again.topology.nr_guest_files, again.digest) == (7, scenario.digest)
