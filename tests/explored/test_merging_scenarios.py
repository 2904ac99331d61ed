"""Steps of many operations in scenarios: each is made of operations, and none is missed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.explored_scenario import space_of, system_of
from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.kernel.variants import BASES, SERIES
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from tests.explored.merging import STATES_MAX, agree
from tests.support.kernels import PROVED

VARIANTS = [*BASES, *(f"v6.12+{patch}" for patch in SERIES)]

pytestmark = pytest.mark.proof
SMALL: dict[str, list[tuple[int | str, list[str]]]] = {
    "moved in the guest": [("v1", ["run", "run"]), (1, ["move v1 1"])],
    "moved and woken": [("v1", ["block"]), (1, ["move v1 1"]), (1, ["msi v1"])],
    "woken by a device": [("v1", ["block"]), (1, ["irqfd v1"])],
    "woken twice": [("v1", ["block"]), (1, ["msi v1"]), (1, ["msi v1"])],
    "reset": [("v1", ["run"]), (1, ["reset v1"])],
    "asked for a register": [("v1", ["migrate 1", "run"]), (1, ["rw_attr v1"])],
    "destroyed": [(1, ["destroy v1"]), (0, ["offline 0", "online 0"])],
    "stored to": [(0, ["offline 0"]), (1, ["msi v1"])],
    "unloaded": [(0, ["unload"]), (1, ["offline 1"])],
}
"""Tasks, each a vCPU or a HART with what it does."""
LARGER: dict[str, list[tuple[int | str, list[str]]]] = {
    "pushed off": [(0, ["offline 0"]), ("v1", ["run"])],
    "shut down": [(0, ["shutdown"]), ("v1", ["migrate 1", "run"])],
}


def small(tasks: list[tuple[int | str, list[str]]], variant: str, preemption: str) -> Scenario:
    """A scenario of one vCPU on the first of two HARTs."""
    tables = [
        {"name": f"t{i}", "does": does, "vcpu" if isinstance(who, str) else "hart": who}
        for i, (who, does) in enumerate(tasks)
    ]
    unloads = any("unload" in does for _, does in tasks)
    return scenario_from(
        {
            "title": "small",
            "machine": {"harts": [{"count": 2, "guest_files": 1}]},
            "kernel": {"variant": variant, "preemption": preemption},
            "vcpu": [] if unloads else [{"name": "v1", "hart": 0}],
            "task": tables,
        }
    )


IDLE: dict[str, list[tuple[int | str, list[str]]]] = {
    "idle beside a wake-up": [("v1", ["exit", "block"]), (1, ["msi v1"])],
    "idle beside tasks of the same HART": [(0, ["msi v1", "irqfd v1"])],
    "idle beside hotplug": [(0, ["offline 0", "online 0"])],
    "idle beside a move": [("v1", ["block"]), (1, ["move v1 1"])],
}
"""Beside a HART 0 that powers down."""


def agree_on(scenario: Scenario) -> None:
    agree(lambda: (system_of(scenario), asked(At.STATE)))


@pytest.mark.parametrize("preemption", ["full", "none", "rt"])
@pytest.mark.parametrize("what", SMALL)
def test_small_scenarios(what: str, preemption: str) -> None:
    agree_on(small(SMALL[what], "v6.12+percpu-v2", preemption))


@pytest.mark.parametrize("preemption", ["full", "none"])
@pytest.mark.parametrize("variant", ["v7.3", "v7.2+PM-0"])
@pytest.mark.parametrize("what", IDLE)
def test_an_idle_hart(what: str, variant: str, preemption: str) -> None:
    agree_on(small([(0, ["power_down 0"]), *IDLE[what]], variant, preemption))


@pytest.mark.parametrize("preemption", ["full", "none"])
@pytest.mark.parametrize("variant", PROVED)
def test_blocked_move(variant: str, preemption: str) -> None:
    overrides = {"variant": variant, "preemption": preemption}
    agree_on(load_scenario("blocked-move", overrides))


@pytest.mark.slow
@pytest.mark.parametrize("variant", PROVED)
@pytest.mark.parametrize("what", [*SMALL, *LARGER])
def test_small_scenarios_on_every_base(what: str, variant: str) -> None:
    agree_on(small((SMALL | LARGER)[what], variant, "full"))


def walk_both(space: Space, below: Callable[[int], int]) -> tuple[int, int]:
    """Make each step of a random walk also operation by operation, and compare all cells.

    Returns the steps and the operations.
    """
    fine = space.fine
    state, single = space.initial(), fine.initial()
    steps = operations = 0
    while choices := list(space.successors(state)):
        slot, there, findings = choices[below(len(choices))]
        found: list[Finding] = []
        for _ in range(length := space.ask(slot, state).length):
            answer = fine.ask(slot, single)
            assert answer.writes is not None
            single = after(single, answer.writes)
            found += answer.findings
        assert tuple(found) == findings
        assert space.codebook.decode(there) == fine.codebook.decode(single)
        state, steps, operations = there, steps + 1, operations + length
    assert not list(fine.successors(single))
    return steps, operations


@pytest.mark.parametrize("preemption", ["full", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_steps_are_made_of_operations(variant: str, preemption: str) -> None:
    overrides = {"variant": variant, "preemption": preemption}
    space = space_of(load_scenario("patch-race", overrides))
    below = Streams(5).stream(variant).below
    walks = [walk_both(space, below) for _ in range(12)]
    steps, operations = map(sum, zip(*walks, strict=True))
    assert operations > 1.5 * steps > 300


def test_states_hold_what_is_written() -> None:
    space = space_of(load_scenario("blocked-move", {}))
    exhaustive(space, STATES_MAX)
    names = [space.system.memory.names[address] for address in space.codebook.addresses]
    assert "v1.cpu" in names
    assert "hart1.hvictl" not in names
    assert len(names) < len(space.system.start) / 2
