"""The IMSIC nodes of a blob: parent interrupts that count, the node that is taken, and the bits of
addresses, by imsic_parse_fwnode and of_irq_init."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fdt
import pytest

from hgeisim.machine.topology import Topology
from hgeisim.scenario.topology import read_topology
from tests.support.commands import hgeisim

DEVICETREES = Path(__file__).parent.parent / "data" / "devicetrees"
FOUR = DEVICETREES / "hole.dtb"
"""Four CPUs, whose interrupt controllers have the phandles 1 to 4."""
TWO = DEVICETREES / "two-nodes.dtb"
"""A node for CPUs 0 and 1, and then one for CPUs 2 and 3."""
FIRST, SECOND = "/soc/interrupt-controller@28000000", "/soc/interrupt-controller@29000000"
INTC = "/cpus/cpu@1/interrupt-controller"
PAIRS = [1, 9, 2, 9, 3, 9, 4, 9]

VM = """
[[vm]]
name = "a"
vcpus = 1
run = { distribution = "constant", value = "50us" }
msi = { distribution = "constant", value = "90us" }
"""

Edits = dict[str, dict[str, Any]]
"""Properties to set, or with None to drop, by the path of a node."""


def edited(tmp_path: Path, blob: Path, edits: Edits) -> Path:
    tree = fdt.parse_dtb(blob.read_bytes())
    for path, properties in edits.items():
        for name, value in properties.items():
            if value is None:
                tree.remove_property(name, path)
            else:
                tree.set_property(name, value, path)
    file = tmp_path / "edited.dtb"
    file.write_bytes(tree.to_dtb())
    return file


def of_four(tmp_path: Path, pairs: list[int] = PAIRS, **properties: Any) -> Topology:
    """The machine of four CPUs with other properties of its IMSIC, `_` standing for `-`."""
    named = {f"riscv,{name.replace('_', '-')}": value for name, value in properties.items()}
    edits: Edits = {FIRST: {"interrupts-extended": pairs, **named}}
    return read_topology(edited(tmp_path, FOUR, edits), "edited.dtb")


def files(topology: Topology) -> list[int | None]:
    return [hart.guest_files if hart.imsic else None for hart in topology.harts]


NO_PARENT = "no parent irqs available (imsic_parse_fwnode)"
COUNTED: list[tuple[list[int], list[int | None], str]] = [
    (PAIRS, [7, 7, 7, 7], ""),
    # Not the kernel's answer: it stops counting there.
    ([1, 9, 2, 11, 3, 9, 4, 9], [7, None, 7, 7], "hart ID for parent irq1 not found"),
    ([1, 11, 2, 9, 3, 9, 4, 9], [None] * 4, NO_PARENT),
    ([1, 9, 99, 9, 3, 9, 4, 9], [7] + [None] * 3, "of 4 parent irqs the first 1 count"),
    ([1, 9, 2, 9, 0, 9, 4, 9], [7, 7, None, None], "of 4 parent irqs the first 2 count"),
    ([90, 9, 91, 9, 92, 9, 93, 9], [None] * 4, NO_PARENT),
    ([*PAIRS, 1, 11], [7, 7, 7, 7], "of 5 parent irqs the first 4 count"),
    ([*PAIRS, 1], [7, 7, 7, 7], ""),
    ([1], [None] * 4, NO_PARENT),
]


@pytest.mark.parametrize(("pairs", "expected", "said"), COUNTED)
def test_parent_interrupts_that_count(
    tmp_path: Path, pairs: list[int], expected: list[int | None], said: str
) -> None:
    topology = of_four(tmp_path, pairs)
    assert files(topology) == expected
    assert bool(topology.warnings) == bool(said)
    assert said in "\n".join(topology.warnings)


@pytest.mark.parametrize(
    ("edits", "expected", "said"),
    [
        ({"/cpus/cpu@1": {"status": "disabled"}}, [7, 7, 7], "invalid cpuid for parent irq1"),
        ({INTC: {"#interrupt-cells": None}}, [7, None, None, None], "the first 1 count"),
        ({INTC: {"interrupt-controller": None}}, [7, None, None, None], "the first 1 count"),
        ({"/cpus/cpu@1": {"compatible": "arm"}}, [7, None, None], "the first 1 count"),
    ],
)
def test_interrupt_controllers_of_cpus(
    tmp_path: Path, edits: Edits, expected: list[int | None], said: str
) -> None:
    """A CPU that Linux leaves out is a hole; one that cannot be found ends the count."""
    all_four: Edits = {FIRST: {"interrupts-extended": PAIRS}}
    topology = read_topology(edited(tmp_path, FOUR, all_four | edits), "edited.dtb")
    assert files(topology) == expected
    assert said in "\n".join(topology.warnings)


@pytest.mark.parametrize(
    ("first", "second", "expected", "ignored"),
    [
        ([1, 9, 2, 9], [3, 9, 4, 9], [7, 7, None, None], SECOND),
        ([3, 9, 4, 9], [1, 9, 2, 9], [7, 7, None, None], FIRST),
        ([2, 9, 4, 9], [2, 9, 3, 9], [None, 7, None, 7], SECOND),
    ],
)
def test_the_node_below_the_first_interrupt_controller_is_taken(
    tmp_path: Path, first: list[int], second: list[int], expected: list[int | None], ignored: str
) -> None:
    edits = {FIRST: {"interrupts-extended": first}, SECOND: {"interrupts-extended": second}}
    topology = read_topology(edited(tmp_path, TWO, edits), "edited.dtb")
    assert files(topology) == expected
    assert topology.warnings[0].startswith(f"{ignored}: already initialized hence ignoring")


def test_a_node_below_a_controller_that_is_never_set_up(tmp_path: Path) -> None:
    edits = {"/cpus/cpu@0/interrupt-controller": {"status": "disabled"}}
    topology = read_topology(edited(tmp_path, TWO, edits), "edited.dtb")
    assert files(topology) == [None, None, 7, 7]
    (said,) = (each for each in topology.warnings if "of_irq_init" in each)
    assert said.startswith(f"{FIRST}: children remain, but no parents (of_irq_init)")


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"guest_index_bits": 53}, "guest index bits too big (imsic_parse_fwnode): 53, at most 52"),
        ({"guest_index_bits": 51}, "HART index bits too big (imsic_parse_fwnode): 2, at most 1"),
        ({"group_index_bits": 48}, "group index bits too big (imsic_parse_fwnode): 48, at most 47"),
        ({"group_index_shift": 65}, "group index shift too big (imsic_parse_fwnode): 64, at most"),
        ({"group_index_shift": 0}, "shift too big (imsic_parse_fwnode): 4294967295, at most 63"),
    ],
)
def test_bits_that_the_driver_refuses(tmp_path: Path, properties: Any, said: str) -> None:
    topology = of_four(tmp_path, **properties)
    assert files(topology) == [None] * 4
    assert said in "\n".join(topology.warnings)


def test_the_largest_bits_that_the_driver_takes(tmp_path: Path) -> None:
    assert files(of_four(tmp_path, group_index_shift=1)) == [7] * 4
    assert files(of_four(tmp_path, group_index_shift=64)) == [7] * 4
    one_hart = of_four(tmp_path, [1, 9], guest_index_bits=52)
    assert (files(one_hart), one_hart.guest_index_bits) == ([31, None, None, None], 52)


def test_more_guest_files_than_can_be_handed_out(tmp_path: Path) -> None:
    properties = {"reg": [0, 0x28000000, 0, 4 * 256 * 4096], "riscv,guest-index-bits": 8}
    edits: Edits = {FIRST: {"interrupts-extended": PAIRS, **properties}}
    topology = read_topology(edited(tmp_path, FOUR, edits), "edited.dtb")
    assert files(topology) == [127] * 4
    assert [hart.lines for hart in topology.harts] == [63] * 4
    assert "has pages for 255 guest files of a HART; 127 count here" in topology.warnings[0]
    scenario = tmp_path / "wide.toml"
    scenario.write_text('[machine]\ndevicetree = "edited.dtb"\n[run]\nuntil = "1ms"\n' + VM)
    shown = hgeisim("scenario", "show", str(scenario), "--json")
    assert shown.status == 0
    written = tmp_path / "written.toml"
    written.write_text(hgeisim("scenario", "show", str(scenario)).out)
    assert hgeisim("scenario", "check", str(written)).status == 0


def test_the_hart_that_boots_a_scenario(tmp_path: Path) -> None:
    scenario = tmp_path / "boot.toml"
    blob = DEVICETREES / "cpu-order.dtb"
    scenario.write_text(f'[machine]\ndevicetree = "{blob}"\nboot_hart = 1\n{VM}')

    def ids(*words: str) -> list[int]:
        document = hgeisim("topology", str(scenario), *words, "--json").document()
        return [each for group in document["harts"] for each in group["hart_ids"]]

    assert ids() == [1, 4, 5, 0]
    assert ids("--boot-hart", "5") == [5, 4, 0, 1]
    unknown = hgeisim("topology", str(scenario), "--boot-hart", "9")
    assert (unknown.status, unknown.out) == (2, "")
    assert "boot hart = 9: must be the hart id of a CPU: 4, 5, 0, 1" in unknown.err
    scenario.write_text(f"[machine]\nharts = [{{ count = 4, guest_files = 7 }}]\n{VM}")
    written_out = hgeisim("topology", str(scenario), "--boot-hart", "1")
    assert (written_out.status, written_out.out) == (2, "")
    assert "--boot-hart = 1: is for a devicetree; " in written_out.err
    assert "has machine.harts, and HART 0 boots" in written_out.err
