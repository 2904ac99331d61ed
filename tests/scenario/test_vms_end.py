"""A VM that ends: what a scenario may still do with it."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.errors import InputError
from hgeisim.scenario.canonical import effective
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.schema import Scenario

EXIT = {"name": "vcpu/v1", "vcpu": "v1", "does": ["run", "exit_mm"]}
RUN = {"name": "vcpu/v2", "vcpu": "v2", "does": ["run"]}
DESTROY = {"name": "destroy/v2", "hart": 0, "does": ["destroy v2"]}
STORE = {"name": "guest/0", "hart": 0, "does": ["msi v1"]}
DEVICE = {**STORE, "does": ["irqfd v1"]}


def scenario(*tasks: dict[str, Any], vms: tuple[str | None, str | None]) -> Scenario:
    vcpus = [{"name": name, "hart": 0} for name in ("v1", "v2")]
    vcpus = [each | ({"vm": vm} if vm else {}) for each, vm in zip(vcpus, vms, strict=True)]
    machine = {"harts": [{"count": 2, "guest_files": 2}]}
    return scenario_from({"machine": machine, "vcpu": vcpus, "task": [*tasks]})


TOGETHER, APART, SAME_BY_NAME = ("a", "a"), ("a", "b"), (None, None)


@pytest.mark.parametrize(
    ("tasks", "vms", "where", "said"),
    [
        ((EXIT, RUN), TOGETHER, "task[0].does[1]", "with its last thread; task[1] is another one"),
        ((EXIT, STORE), TOGETHER, "task[1].does[0]", "the monitor exits in task[0]; use irqfd"),
        ((EXIT, STORE), SAME_BY_NAME, "task[1].does[0]", "the monitor exits in task[0]; use irqfd"),
        (
            (RUN, DESTROY),
            TOGETHER,
            "task[1].does[0]",
            "a vCPU without a task; task[0] is in KVM_RUN",
        ),
    ],
)
def test_who_still_uses_it(tasks: Any, vms: Any, where: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario(*tasks, vms=vms)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert said in problem.allowed


@pytest.mark.parametrize(
    ("tasks", "vms"),
    [
        ((EXIT, RUN), APART),
        ((EXIT, RUN), SAME_BY_NAME),
        ((EXIT, DEVICE), TOGETHER),
        ((EXIT, {**STORE, "does": ["msi v2"]}), APART),
        ((EXIT, DESTROY), APART),
    ],
)
def test_others_go_on(tasks: Any, vms: Any) -> None:
    assert len(scenario(*tasks, vms=vms).task) == 2


TIME = {"distribution": "constant", "value": "1us"}
WEB = {"name": "web", "vcpus": 1, "mode": "hwaccel", "run": TIME, "msi": TIME}
LIVES, RETURNS, EVERY = {"lives": TIME}, {"returns": TIME}, {"every": TIME}
GIVE_UP = {"fail_entry": "give_up"}


def vm(**more: Any) -> Scenario:
    machine = {"harts": [{"count": 2, "guest_files": 2}]}
    given = {key: value for key, value in {**WEB, **more}.items() if value is not None}
    return scenario_from({"machine": machine, "vm": [given]})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (RETURNS, 'must have `lives` or fail_entry = "give_up" for `returns`'),
        ({**RETURNS, **LIVES, **EVERY}, "must not have `every` with `returns`"),
        (
            {**RETURNS, **GIVE_UP, "destroyed": "1ms"},
            "must not have `destroyed` with `lives`, `every` or `returns`",
        ),
        ({"msi": None}, "must have `msi`, `replies` or both"),
        ({**GIVE_UP, "mode": "auto"}, 'must have mode = "hwaccel" for `fail_entry`'),
        ({"fail_wait": "1us", "mode": "emul"}, 'must have mode = "hwaccel" for `fail_wait`'),
        ({"fail_wait": 5}, 'fail_wait = 5: must be a time such as "2us" or a distribution'),
    ],
)
def test_a_vm_that_cannot_end_or_come_back_so_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        vm(**more)
    (problem,) = error.value.problems
    assert said in str(problem)


@pytest.mark.parametrize(
    "more",
    [
        {**RETURNS, **LIVES, "count": 3},
        {**RETURNS, **GIVE_UP},
        {**GIVE_UP, "destroyed": "1ms"},
        {"msi": None, "replies": TIME},
        {"fail_wait": TIME},
        {"fail_wait": "0ns", "mode": "auto"},
    ],
)
def test_a_vm_may_end_and_come_back(more: dict[str, Any]) -> None:
    assert vm(**more).vm[0].name == "web"


def test_a_pause_that_is_always_the_same_is_written_as_a_time() -> None:
    """So a scenario from before there were others keeps its digest."""
    plain, table = vm(fail_wait="1us"), vm(fail_wait=TIME)
    assert plain.digest == table.digest
    assert effective(plain)["vm"][0]["fail_wait"] == "1us"
    assert effective(vm())["vm"][0]["fail_wait"] == "0ns"
