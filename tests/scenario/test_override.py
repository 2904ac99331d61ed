"""`-s KEY=VALUE`: any place of a scenario, with the same care as the file itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.scenario.load import load_scenario, parse_setting, parse_value, places
from hgeisim.scenario.parse import KEYS
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.timing import Constant, Exponential
from tests.support.commands import hgeisim


def changed(*settings: str, **overrides: Any) -> Scenario:
    return load_scenario("big-little", overrides, settings=settings)


def problems(*settings: str, **overrides: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        changed(*settings, **overrides)
    return [str(problem).removeprefix("command line: ") for problem in caught.value.problems]


def test_keys_of_tables_and_lists() -> None:
    scenario = changed(
        "run.until=5ms",
        "kernel.preemption=none",
        "vm.web.vcpus=3",
        "vm[1].mode=hwaccel",
        "hotplug[0].hart=2",
        "balance.every.mean=10us",
        "timing.ipi=1us",
        'vm.batch.run={ distribution = "constant", value = "7us" }',
        "title=Mine, = and all",
    )
    assert (scenario.run.until, scenario.kernel.preemption) == (5_000_000, "none")
    assert [vm.vcpus for vm in scenario.vm] == [3, 16]
    assert (scenario.vm[1].mode, scenario.hotplug[0].hart) == ("hwaccel", 2)
    assert scenario.balance is not None
    assert isinstance(scenario.balance.every, Exponential)
    assert scenario.balance.every.mean == 10_000
    assert isinstance(scenario.timing.ipi, Constant)
    assert isinstance(scenario.vm[1].run, Constant)
    assert scenario.title == "Mine, = and all"
    assert scenario.digest != load_scenario("big-little").digest


def test_the_last_one_counts_and_options_count_more() -> None:
    assert changed("run.seed=2", "run.seed=3").run.seed == 3
    assert changed("run.seed=2", seed=5).run.seed == 5


def test_a_table_that_the_file_lacks() -> None:
    window = "random_hotplug.{}={{ distribution = 'constant', value = '1ms' }}"
    scenario = changed(window.format("every"), window.format("offline_for"))
    assert scenario.random_hotplug is not None


def test_a_whole_list() -> None:
    scenario = changed("hotplug=[]", "vm.web.harts=[0, 1]")
    assert (scenario.hotplug, scenario.vm[0].harts) == ((), (0, 1))


@pytest.mark.parametrize(
    ("setting", "start"),
    [
        ("foo", '-s = "foo": must be KEY=VALUE, such as run.until=5ms, vm.web.vcpus=4'),
        ("=5", '-s = "=5": must be KEY=VALUE'),
        ("a b=5", '-s = "a b=5": must be KEY=VALUE'),
        ("vcpus=8", "-s vcpus = 8: is not a key of a scenario; did you mean vm.web.vcpus?"),
        ("until=1ms", '-s until = "1ms": is not a key of a scenario; did you mean run.until?'),
        (
            "run.unti=1ms",
            '-s run.unti = "1ms": is not a key here; the keys are until, quiet, seed; did',
        ),
        ("kernal.variant=v6.12", "-s kernal.variant = "),
        (
            "xyz.abc=1",
            "-s xyz.abc = 1: is not a key of a scenario; its keys begin with title, look_at",
        ),
        (
            "vm.wbe.vcpus=8",
            '-s vm.wbe.vcpus = 8: "wbe" must be the name of an entry: web, batch; did you mean',
        ),
        ("hotplug[7].hart=1", "-s hotplug[7].hart = 1: entry 7 does not exist; the last is 0"),
        ("title.x=1", '-s title.x = 1: must name an existing place; "big.LITTLE'),
        ("run[0]=1", "-s run[0] = 1: must name an existing place; { until = "),
        ("vm.web.vcpus=0", "-s vm.web.vcpus = 0: must be 1..1024"),
        ("vm.web.vcpus=four", '-s vm.web.vcpus = "four": must be 1..1024'),
        (
            "vm[0].modus=auto",
            '-s vm[0].modus = "auto": is not a key here; the keys are name, vcpus',
        ),
        ("vm.web.msi=5us", '-s vm.web.msi = "5us": must be a table such as { distribution'),
        ("hotplug[0].hart=8", "-s hotplug[0].hart = 8: must be a HART of this machine, 0..7"),
        ("run.until=", '-s run.until = "": must be a time with a unit'),
        ("machine.devicetree=x.dtb", '-s machine.devicetree = "x.dtb": cannot be read'),
    ],
)
def test_a_wrong_setting_is_a_problem(setting: str, start: str) -> None:
    (problem,) = problems(setting)
    assert problem.startswith(start)


def test_all_problems_are_reported_together() -> None:
    lines = problems("vcpus=8", "run.untl=1", "vm.web.vcpus=0", seed="x", until="5")
    assert [line.split(" = ")[0] for line in lines] == [
        "-s vcpus",
        "--until",
        "--seed",
        "-s run.untl",
        "-s vm.web.vcpus",
    ]


def test_run_and_show_take_them(tmp_path: Any) -> None:
    out = tmp_path / "run"
    args = ("big-little", "-s", "vm.web.vcpus=2", "--set", "run.until=1ms")
    assert hgeisim("run", *args, "--out", str(out)).status == 0
    ran = json.loads((out / "manifest.json").read_text())
    assert [vm["vcpus"] for vm in ran["scenario"]["vm"]] == [2, 16]
    shown = hgeisim("scenario", "show", *args, "--json").document()
    assert shown["scenario"] == ran["scenario"]
    assert shown["digest"] == ran["digest"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("5ms", "5ms"),
        ('"5"', "5"),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("{ a = 1 }", {"a": 1}),
        ("v6.12+percpu-v5", "v6.12+percpu-v5"),
        ("1\nother = 2", "1\nother = 2"),
        ("[" * 10_000, "[" * 10_000),
        ("", ""),
    ],
)
def test_values(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_places_are_keys_and_names() -> None:
    found = list(places({"vm": [{"name": "web", "vcpus": 1}, 5, {}], "title": "x"}))
    assert {"kernel.variant", "timing.ipi", "vm.web.vcpus"} <= set(found)


KEY_PARTS = st.sampled_from([*KEYS, "web", "batch", "run", "mean", "vcpus", "x", "[0]", "[1]"])
PATHS = st.lists(KEY_PARTS, min_size=1, max_size=4).map(".".join)


@pytest.mark.slow
@given(key=PATHS.map(lambda key: key.replace(".[", "[")), value=st.text(max_size=20))
@example("vm[0].run.mean", "1us")
@example("machine", "5")
def test_any_setting_is_taken_or_refused(key: str, value: str) -> None:
    try:
        scenario = changed(f"{key}={value}")
    except InputError as error:
        assert all(problem.allowed for problem in error.problems)
    else:
        assert scenario.digest


@given(st.text(max_size=30))
def test_any_text_is_a_setting_or_refused(text: str) -> None:
    try:
        override = parse_setting(text)
    except InputError as error:
        assert "must be KEY=VALUE" in str(error)
    else:
        assert override.option.startswith("-s ")
