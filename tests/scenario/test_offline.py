"""HARTs that are offline when the kernel boots."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of, system_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.errors import InputError
from hgeisim.kernel.structs import AUTO, EMUL
from hgeisim.runs.occupancy_steps import offline_windows
from hgeisim.scenario.canonical import effective
from hgeisim.scenario.load import load_scenario, scenario_from

MACHINE = {"harts": [{"count": 3, "guest_files": 1}], "offline": [2]}
UP = {"name": "cpuhp/2", "hart": 2, "does": ["online 2", "offline 2"]}


def scenario(**tables: Any) -> Any:
    return scenario_from({"machine": MACHINE, "task": [UP], **tables})


def test_it_is_offline_and_not_enabled_until_it_comes_up() -> None:
    k = system_of(scenario()).k
    assert [hart.online for hart in k.hart] == [hart.active for hart in k.hart] == [1, 1, 0]
    assert [each.virtualization_enabled for each in k.per_cpu] == [1, 1, 0]
    verdict = exhaustive(space_of(scenario()), 10_000)
    assert (verdict.coverage, dict(verdict.counterexamples)) == ("exhausted", {})


def test_a_vcpu_may_go_there_later() -> None:
    moves = {"name": "v", "vcpu": "v1", "does": ["migrate 2", "run"]}
    up = {**UP, "does": ["online 2"]}
    made = scenario(vcpu=[{"name": "v1", "hart": 0}], task=[up, moves])
    assert exhaustive(space_of(made), 100_000).coverage == "exhausted"


@pytest.mark.parametrize("variant", ["v7.2", "v7.3"])
def test_a_late_hart_without_lines_takes_them_from_later_vms_alone(variant: str) -> None:
    simulation = simulate(load_scenario("late-zero", {"variant": variant}))
    simulation.run(5_000_000)
    assert {vm.name: vm.aia_mode for vm in simulation.k.vms} == {"a": AUTO, "b": EMUL}
    assert "mode-refused:aia" in simulation.findings


def test_it_belongs_to_what_a_result_depends_on() -> None:
    here = scenario()
    assert effective(here)["machine"]["offline"] == [2]
    assert scenario_from(effective(here)).digest == here.digest
    online = {**MACHINE, "offline": []}
    down = {**UP, "does": ["offline 2"]}
    assert "offline" not in effective(scenario(machine=online, task=[down]))["machine"]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"machine": {**MACHINE, "offline": [0, 1, 2]}}, "must leave at least one HART online"),
        ({"machine": {**MACHINE, "offline": [3]}}, "must be a HART of this machine"),
        ({"machine": {**MACHINE, "offline": [2, 2]}}, "must be listed only once"),
        ({"kernel": {"init_hart": 2}}, "must be a HART that is online at first"),
        ({"vcpu": [{"name": "v1", "hart": 2}]}, "must be a HART that is online at first"),
        ({"task": [{**UP, "does": ["shutdown"]}]}, "must be a HART that is online at first"),
        (
            {"task": [{"name": name, "hart": 1, "does": ["power_down 1"]} for name in "ab"]},
            r"task[1].hart = 1: a HART has only one idle task; see task[0]",
        ),
        ({"hotplug": [{"hart": 2, "offline": "1ms"}]}, "must be left out"),
        ({"hotplug": [{"hart": 1, "online": "1ms"}]}, "only a HART of machine.offline has none"),
        ({"hotplug": [{"hart": 2}]}, "must have `offline`, `online` or both"),
        (
            {"hotplug": [{"hart": 0, "offline": "1ms"}, {"hart": 1, "offline": "1ms"}]},
            "must leave at least one HART online",
        ),
    ],
)
def test_bad_input(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        scenario(**tables)


def test_a_machine_without_a_hart_that_is_online_is_one_mistake() -> None:
    with pytest.raises(InputError) as caught:
        scenario(machine={**MACHINE, "offline": [0, 1, 2]})
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(("variant", "usable"), [("v7.1", [1, 1, 1]), ("v7.3", [1, 1, 1])])
def test_a_hart_that_is_never_online_withholds_nothing(variant: str, usable: list[int]) -> None:
    run = {"distribution": "constant", "value": "100us"}
    vm = {"name": "a", "vcpus": 1, "run": run, "msi": run}
    machine = {"harts": [{"count": 3, "guest_files": 1}], "offline": [2]}
    made = scenario_from({"machine": machine, "kernel": {"variant": variant}, "vm": [vm]})
    simulation = simulate(made)
    simulation.run(1_000_000)
    assert simulation.timeline.usable == usable
    assert offline_windows(simulation.timeline) == [[], [], [(0, 1_000_000)]]


@pytest.mark.parametrize(
    ("variant", "usable"),
    [("v6.12", [3, 4]), ("v6.18", [3, 4]), ("v7.1", [3, 3]), ("v7.3", [3, 5])],
)
def test_what_a_kernel_may_hand_out(variant: str, usable: list[int]) -> None:
    """Guest files, HGEIE bits, and the kernel's count: of the HART that boots, the fewest files of
    all HARTs, or its own."""
    harts = [{"guest_files": 3, "geilen": 4}, {"guest_files": 6, "geilen": 5}]
    run = {"distribution": "constant", "value": "100us"}
    vm = {"name": "a", "vcpus": 1, "run": run, "msi": run}
    tables = {"machine": {"harts": harts}, "kernel": {"variant": variant}, "vm": [vm]}
    simulation = simulate(scenario_from(tables))
    simulation.run(1_000_000)
    assert simulation.timeline.usable == usable
