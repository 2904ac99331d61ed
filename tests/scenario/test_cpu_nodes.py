"""The CPUs of a blob: which of them boots, which properties decide, and what Linux refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fdt
import pytest

from hgeisim.errors import InputError
from hgeisim.machine.topology import Topology
from hgeisim.scenario.schema import HARTS_MAX
from hgeisim.scenario.topology import read_topology

DEVICETREES = Path(__file__).parent.parent / "data" / "devicetrees"
FOUR = DEVICETREES / "region-short.dtb"
ALL = ["i", "m", "a", "h", "ssaia"]


def of_four(tmp_path: Path, cpus: list[dict[str, Any]]) -> Topology:
    """The machine of four CPUs with these of `riscv,isa...` in place of theirs, in their order."""
    tree = fdt.parse_dtb(FOUR.read_bytes())
    for number, properties in enumerate(cpus):
        path = f"/cpus/cpu@{number}"
        tree.remove_property("riscv,isa", path)
        for name, value in properties.items():
            tree.set_property(name, value, path)
    return read_topology(written(tmp_path, tree), "edited.dtb")


def written(tmp_path: Path, tree: Any) -> Path:
    file = tmp_path / "edited.dtb"
    file.write_bytes(tree.to_dtb())
    return file


def spelt(isa: str) -> dict[str, Any]:
    return {"riscv,isa": isa}


def listed(*names: str, base: str = "rv64i") -> dict[str, Any]:
    return {"riscv,isa-base": base, "riscv,isa-extensions": list(names)}


@pytest.mark.parametrize(("boot", "ids"), [(4, (4, 5, 0, 1)), (0, (0, 4, 5, 1)), (9, (4, 5, 0, 1))])
def test_the_header_of_a_blob_says_which_hart_boots(
    tmp_path: Path, boot: int, ids: tuple[int, ...]
) -> None:
    """The first in /cpus boots where the header names none of them."""
    data = bytearray((DEVICETREES / "cpu-order.dtb").read_bytes())
    data[28:32] = boot.to_bytes(4, "big")
    file = tmp_path / "boot.dtb"
    file.write_bytes(data)
    assert read_topology(file).hart_ids == ids
    assert read_topology(file, boot_hart=5).hart_ids[0] == 5


MIXED = "2 CPUs, the first of them CPU 2 (HART 2, /cpus/cpu@2), have no riscv,isa-extensions"


@pytest.mark.parametrize(
    ("cpus", "aia", "kvm", "said"),
    [
        ([listed(*ALL)] * 4, True, True, ""),
        # riscv,isa of the others is not read, and takes nothing away.
        ([listed(*ALL)] * 2 + [spelt("rv64ima")] * 2, True, True, MIXED),
        ([listed("i", "m", "a")] * 2 + [spelt("rv64imah_ssaia")] * 2, False, False, MIXED),
        ([listed(*ALL) | spelt("rv64ima")] * 4, True, True, ""),
        ([spelt("rv64imah_Ssaia")] * 4, True, True, ""),
        ([listed("i", "m", "a", "h", "Ssaia")] * 4, False, True, "has 'Ssaia', which Linux does"),
        ([listed("i", "m", "a", "H", "ssaia")] * 4, True, False, ""),
        # A list without a name that Linux knows counts for nothing.
        ([spelt("rv64imah_ssaia") | {"riscv,isa-extensions": ["I", "M"]}] * 4, True, True, ""),
    ],
)
def test_the_properties_that_decide(
    tmp_path: Path, cpus: list[dict[str, Any]], aia: bool, kvm: bool, said: str
) -> None:
    topology = of_four(tmp_path, cpus)
    assert any(hart.imsic for hart in topology.harts) == aia
    assert (not topology.no_kvm) == kvm
    assert said in "\n".join(topology.warnings)
    assert ("riscv,isa is not read" in "\n".join(topology.warnings)) == (said == MIXED)


def test_another_case_of_h_is_named(tmp_path: Path) -> None:
    topology = of_four(tmp_path, [listed("i", "m", "a", "H", "ssaia")] * 4)
    assert "has 'H', which Linux does not take for it" in topology.no_kvm


def test_no_cpu_is_taken(tmp_path: Path) -> None:
    cpus = [listed("I", "M", "A"), spelt("rv32ima"), spelt("rv32ima"), listed("i", "m")]
    with pytest.raises(InputError) as caught:
        of_four(tmp_path, cpus)
    (problem,) = caught.value.problems
    assert problem.allowed == (
        "must have a cpu node that Linux takes: riscv, rv64ima, available "
        "(riscv_early_of_processor_hartid); "
        '/cpus/cpu@0 and 1 more: has not all of i, m and a, in small letters, in "riscv,'
        'isa-extensions"; '
        '/cpus/cpu@1 and 1 more: has "riscv,isa" of "rv32ima", which does not begin with rv64ima'
    )


def test_a_blob_has_as_many_harts_as_a_kernel_can_have(tmp_path: Path) -> None:
    tree = fdt.parse_dtb(FOUR.read_bytes())
    for number in range(4, HARTS_MAX + 1):
        path = f"/cpus/cpu@{number:x}"
        tree.add_item(fdt.Node(f"cpu@{number:x}"), "/cpus", create=False)
        tree.set_property("compatible", "riscv", path)
        tree.set_property("reg", number, path)
        tree.set_property("riscv,isa", "rv64ima", path)
    with pytest.raises(InputError, match=f"/cpus = 513 HARTs: must have at most {HARTS_MAX} HARTs"):
        read_topology(written(tmp_path, tree), "edited.dtb")
    tree.set_property("status", "disabled", "/cpus/cpu@200")
    assert len(read_topology(written(tmp_path, tree), "edited.dtb").harts) == HARTS_MAX
