"""`-x KEY=VALUES`, and the keys that `-s` and it have in common."""

from __future__ import annotations

import pytest

from hgeisim.errors import InputError
from hgeisim.scenario.axis import parse_axis
from hgeisim.scenario.load import load_scenario


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("vm.0.vcpus=1..4", (1, 2, 3, 4)),
        ("vm.0.vcpus=8,16,32", (8, 16, 32)),
        ("vm.0.vcpus=8..64..28", (8, 36, 64)),
        ("vm.0.vcpus=1,3..5,5,9", (1, 3, 4, 5, 9)),
        ("run.until=1ms,2ms", ("1ms", "2ms")),
        ("kernel.variant=v6.18,v7.1", ("v6.18", "v7.1")),
        ("vm.0.harts=[0, 1],[2]", ([0, 1], [2])),
        ("x=-2..0", (-2, -1, 0)),
    ],
)
def test_values(text: str, values: tuple[object, ...]) -> None:
    axis = parse_axis(text)
    assert (axis.key, axis.values) == (text.partition("=")[0], values)


def test_an_axis_has_a_length_that_can_be_read() -> None:
    with pytest.raises(InputError, match="at most 20000 letters"):
        parse_axis("vm.0.vcpus=" + "1," * 20_000)


def test_keys_need_no_quotes() -> None:
    """Nothing in them is special to a shell."""
    scenario = load_scenario("big-little", settings=["vm.0.vcpus=3", "hotplug.0.hart=2"])
    assert (scenario.vm[0].vcpus, scenario.hotplug[0].hart) == (3, 2)


def test_the_harts_of_a_devicetree_can_be_changed() -> None:
    plain = load_scenario("big-little")
    one = load_scenario("big-little", settings=["machine.harts.1.guest_files=5"])
    assert [hart.lines for hart in plain.topology.harts] == [7] * 4 + [3] * 4
    assert [hart.lines for hart in one.topology.harts] == [7] * 4 + [5] * 4
    same = load_scenario("big-little", settings=["machine.harts.0.guest_files=7"])
    assert same.topology.harts == plain.topology.harts
    assert same.digest == plain.digest


def test_all_entries_of_a_list() -> None:
    made = load_scenario("big-little", settings=["machine.harts.all.guest_files=20"])
    assert [hart.lines for hart in made.topology.harts] == [20] * 8
    made = load_scenario("big-little", settings=["vm.all.vcpus=2"])
    assert [vm.vcpus for vm in made.vm] == [2, 2]


def test_a_name_comes_before_all() -> None:
    raw = {
        "machine": {"harts": [{"guest_files": 1}]},
        "vm": [
            {"name": name, "vcpus": 1, "run": {"distribution": "constant", "value": "1us"},
             "msi": {"distribution": "constant", "value": "1us"}}
            for name in ("all", "b")
        ],
    }  # fmt: skip
    assert [vm.vcpus for vm in load_scenario(raw, settings=["vm.all.vcpus=4"]).vm] == [4, 1]


def test_a_devicetree_that_is_not_there_is_still_the_problem() -> None:
    raw = {"machine": {"devicetree": "no.dtb"}}
    with pytest.raises(InputError, match=r"machine\.devicetree"):
        load_scenario(raw, settings=["machine.harts.0.guest_files=1"])
