"""A VM that is created while others run, and a host that is suspended: what a scenario may ask."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.errors import InputError
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.schema import Scenario
from tests.support.kernels import BASES, V6_12, V6_16

CREATE = {"name": "monitor", "hart": 0, "does": ["create v1"]}
RUN = {"name": "vcpu/v1", "vcpu": "v1", "does": ["run"]}
SUSPEND = {"name": "suspend", "hart": 0, "does": ["suspend"]}
DEPTH = "limit:depth aia_create"


def scenario(
    *tasks: dict[str, Any], variant: str = "v7.3", vcpus: int = 2, **more: Any
) -> Scenario:
    names = [f"v{i}" for i in range(1, vcpus + 1)]
    return scenario_from(
        {
            "machine": {"harts": [{"count": 2, "guest_files": 2}]},
            "kernel": {"variant": variant, "preemption": "full"},
            "vcpu": [{"name": name, "hart": 0, "vm": "web"} for name in names],
            "task": [*tasks],
            **more,
        }
    )


@pytest.mark.parametrize(
    ("tasks", "where", "said"),
    [
        ((CREATE, {**CREATE, "name": "other", "does": ["create v2"]}), "task[1].does[0]", "once"),
        (({**CREATE, "does": ["irqfd v2", "create v1"]},), "task[0].does[1]", "must come before"),
        (({**SUSPEND, "does": ["suspend", "irqfd v1"]},), "task[0].does", "nothing else"),
        ((SUSPEND, {**SUSPEND, "name": "again"}), "task[1].does", "one task for that; see task[0]"),
        (
            (SUSPEND, {"name": "off", "hart": 1, "does": ["shutdown"]}),
            "task[0].does",
            "together with shutdown, see task[1]",
        ),
        *(
            ((SUSPEND, {"name": "off", "hart": 1, "does": [each]}), "task[0].does", each.split()[0])
            for each in ("offline 1", "create v1", "destroy v1")
        ),
    ],
)
def test_what_does_not_go_together(tasks: Any, where: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario(*tasks)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert said in problem.allowed


def test_threads_of_a_vm_table_cannot_be_frozen() -> None:
    run = {"distribution": "constant", "value": "100us"}
    with pytest.raises(InputError, match="only in a scenario without"):
        scenario(SUSPEND, vm=[{"name": "a", "vcpus": 1, "run": run, "msi": run}])


def ran(made: Scenario) -> Simulation:
    simulation = simulate(made)
    simulation.run(1_000_000)
    return simulation


def test_until_it_is_there_nobody_does_anything_about_it() -> None:
    tasks = {"name": "device", "hart": 1, "does": ["irqfd v1"]}, RUN, CREATE
    simulation = ran(scenario(*tasks))
    vcpu = simulation.k.vcpu(1)
    assert vcpu.vm.creation.done == 1
    assert vcpu.vsfile_cpu >= 0
    never = ran(scenario(*tasks[:2], CREATE | {"hart": 1, "does": ["create v1"]}))
    assert never.k.vcpu(1).vm.creation.done == 1, "whoever waits gives its HART up"


def test_vcpus_of_one_that_is_never_started_stay_out_of_their_guests() -> None:
    k = ran(scenario(CREATE)).k
    assert [k.vcpu(i).vsfile_cpu for i in (1, 2)] == [-1, -1]


@pytest.mark.parametrize(
    ("variant", "vcpus", "deep"),
    [(V6_12, 46, False), (V6_12, 47, True), (V6_16, 60, False), ("v7.3", 60, False)],
)
@pytest.mark.parametrize("tasks", [(RUN,), (CREATE,)])
def test_lockdep_follows_48_locks(
    variant: str, vcpus: int, deep: bool, tasks: tuple[dict[str, Any], ...]
) -> None:
    """kvm->lock is one of them; with a nest lock the others count as one (6.16)."""
    found = ran(scenario(*tasks, variant=variant, vcpus=vcpus)).findings
    assert [*found] == ([DEPTH] if deep else [])


@pytest.mark.parametrize("base", BASES)
def test_a_mode_is_refused_in_some_orders_only(base: str) -> None:
    found = exhaustive(space_of(load_scenario("late-vm", {"variant": base})), 10_000)
    assert [*found.counterexamples] == (["mode-refused:aia"] if base in ("v7.2", "v7.3") else [])


@pytest.mark.parametrize(
    "tasks", [(RUN,), (RUN, {"name": "vcpu/v2", "vcpu": "v2", "does": ["run"]})]
)
@pytest.mark.parametrize("variant", ["v7.0", "v7.2", "v7.3"])
def test_two_that_start_on_one_hart_have_their_own_registers(
    variant: str, tasks: tuple[dict[str, Any], ...]
) -> None:
    assert not ran(scenario(*tasks, variant=variant)).findings


def test_who_creates_waits_for_nobody_else() -> None:
    """Two monitors that wait for each other's VM would wait for ever."""
    apart = [{"name": name, "hart": 0} for name in ("v1", "v2")]
    tasks = [
        {"name": "a", "hart": 0, "does": ["msi v2", "create v1"]},
        {"name": "b", "hart": 1, "does": ["msi v1", "create v2"]},
    ]
    machine = {"harts": [{"count": 2, "guest_files": 2}]}
    with pytest.raises(InputError) as caught:
        scenario_from({"machine": machine, "vcpu": apart, "task": tasks})
    assert [each.where for each in caught.value.problems] == ["task[0].does[1]", "task[1].does[1]"]
