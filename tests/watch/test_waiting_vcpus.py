"""A vCPU that was woken waits for a HART, and no longer for an interrupt."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.runs.measures import span_totals, vcpu_totals
from hgeisim.scenario.load import scenario_from


def ran(vcpus: int, mode: str = "auto", lines: int = 3, **vm: Any) -> Simulation:
    """One HART, vCPUs that compute for 40 us, and a device that answers each after 60 us."""
    constant = [{"distribution": "constant", "value": value} for value in ("40us", "60us")]
    each = {"name": "cl", "vcpus": vcpus, "mode": mode, "run": constant[0], "replies": constant[1]}
    machine = {"harts": [{"count": 1, "guest_files": lines}]}
    simulation = simulate(scenario_from({"machine": machine, "vm": [each | vm]}), record="all")
    simulation.run(20_000_000)
    return simulation


def shares(simulation: Simulation) -> dict[str, float]:
    totals = vcpu_totals(simulation.tables["vcpus"])
    states = ("vsfile", "swfile", "blocked", "failed", "host")
    return {name: totals[f"{name}_ns"] / totals["life_ns"] for name in states}


def test_alone_it_waits_for_its_device_only() -> None:
    alone = shares(ran(1))
    assert alone["blocked"] == pytest.approx(0.57, abs=0.03)
    assert alone["host"] < 0.06


def test_ten_on_one_hart_wait_for_the_hart() -> None:
    """A round of ten takes over 400 us, and each waits 60 us of that for its device."""
    ten = shares(ran(10))
    assert ten["blocked"] == pytest.approx(0.13, abs=0.03)
    assert ten["host"] > 0.7


def met(simulation: Simulation, kind: str) -> dict[str, int]:
    tables = simulation.tables
    totals = span_totals(tables["spans"], tables["vcpus"])
    return {each["met"]: each["count"] for each in totals if each["kind"] == kind}


def test_an_msi_meets_a_vcpu_that_waits_for_a_hart() -> None:
    often = {"distribution": "exponential", "mean": "100us"}
    simulation = ran(10, lines=10, msi=often)
    found = met(simulation, "msi-vsfile")
    assert found["runnable"] > found["wfi"] > 0


def test_an_msi_meets_a_vcpu_that_gets_no_line() -> None:
    """The second VM gets the one line when the first one is gone."""
    run, msi = ({"distribution": "constant", "value": value} for value in ("40us", "100us"))
    vm = {"vcpus": 1, "mode": "hwaccel", "run": run, "msi": msi}
    first, second = {**vm, "name": "a", "destroyed": "3ms"}, {**vm, "name": "b", "arrives": "1ms"}
    machine = {"harts": [{"count": 1, "guest_files": 1}]}
    simulation = simulate(scenario_from({"machine": machine, "vm": [first, second]}), record="all")
    simulation.run(5_000_000)
    assert met(simulation, "msi-vsfile")["failed"] > 0
