"""The effective scenario: what is printed is a scenario file that means the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.canonical import effective, hart_groups
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.table import format_duration, toml_text


@pytest.mark.parametrize("name", built_in_names())
def test_built_in_scenarios_are_read_back(tmp_path: Path, name: str) -> None:
    scenario = load_scenario(name)
    path = tmp_path / "again.toml"
    path.write_text(toml_text(effective(scenario)), encoding="utf-8")
    again = load_scenario(path)
    assert effective(again) == effective(scenario)
    assert again.digest == scenario.digest


def test_effective_is_json_with_units() -> None:
    content = json.loads(json.dumps(effective(load_scenario("big-little"))))
    assert content["run"] == {"until": "20ms", "seed": 1}
    assert content["machine"] == {
        "harts": [{"count": 4, "guest_files": 7}, {"count": 4, "guest_files": 3}],
        "guest_index_bits": 3,
    }
    assert content["balance"] == {"every": {"distribution": "exponential", "mean": "60us"}}
    assert content["timing"]["ipi"] == {"distribution": "constant", "value": "2us"}


TIMES = st.integers(1, 10**12).map(format_duration)
DISTRIBUTIONS = st.one_of(
    TIMES.map(lambda value: {"distribution": "constant", "value": value}),
    TIMES.map(lambda mean: {"distribution": "exponential", "mean": mean}),
    TIMES.map(lambda high: {"distribution": "uniform", "low": "0ns", "high": high}),
    TIMES.map(lambda most: {"distribution": "empirical", "quantiles": ["0ns", "1ns", most]}),
)
VMS = st.fixed_dictionaries(
    {"name": st.just("vm"), "vcpus": st.integers(1, 9), "run": DISTRIBUTIONS, "msi": DISTRIBUTIONS},
    optional={"mode": st.sampled_from(["auto", "hwaccel"]), "arrives": TIMES, "stagger": TIMES},
)
HARTS = st.fixed_dictionaries(
    {"guest_files": st.integers(0, 127)},
    optional={"count": st.integers(1, 4), "geilen": st.integers(0, 63)},
)
SCENARIOS = st.fixed_dictionaries(
    {
        "machine": st.fixed_dictionaries({"harts": st.lists(HARTS, min_size=1, max_size=4)}),
        "vm": VMS.map(lambda vm: [vm]),
    },
    optional={
        "title": st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
        "balance": st.just({"every": {}}),
    },
)


@pytest.mark.slow
@given(raw=SCENARIOS, every=DISTRIBUTIONS)
def test_any_scenario_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, raw: dict[str, Any], every: dict[str, str]
) -> None:
    if "balance" in raw:
        raw["balance"] = {"every": every}
    path = tmp_path_factory.getbasetemp() / "law.toml"
    path.write_text(toml_text(raw), encoding="utf-8", newline="")
    scenario = load_scenario(path)
    path.write_text(toml_text(effective(scenario)), encoding="utf-8", newline="")
    again = load_scenario(path)
    assert again.title == raw.get("title", "")
    assert (effective(again), again.digest) == (effective(scenario), scenario.digest)


def test_hart_groups_join_equal_neighbours_only() -> None:
    small, big = HartSpec(3), HartSpec(7)
    topology = Topology((big, big, small, big, HartSpec(7, 5)), 3, "x")
    assert list(hart_groups(topology)) == [
        (0, 2, big),
        (2, 1, small),
        (3, 1, big),
        (4, 1, HartSpec(7, 5)),
    ]
