"""A VM that ends: what a scenario may still do with it."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.errors import InputError
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
