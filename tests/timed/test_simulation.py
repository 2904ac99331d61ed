"""The time at which a run is cut does not change its verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.checks.known import new_findings
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.scenario.load import load_scenario

TWO_OFFLINE = str(Path(__file__).parent.parent / "data/scenarios/two-offline.toml")
CUTS = [150, 500, 780, 997, 1000, 1430, 1450, 1900]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hotplug-storm", TWO_OFFLINE], ids=["storm", "two"])
def test_nothing_is_new_wherever_a_run_is_cut(name: str) -> None:
    """In hotplug-storm, cut at 1430 us, the cycle of B-09 shows first in its longer form."""
    for cut_us in CUTS:
        scenario = load_scenario(name, {"until": f"{cut_us}us"})
        simulation = simulate(scenario)
        simulation.run(scenario.run.until)
        assert new_findings(simulation.causes, scenario.kernel.variant) == [], cut_us


@pytest.mark.slow
@pytest.mark.parametrize("seed", [13, 14, 15])
def test_nothing_is_new_at_the_end_of_a_storm(seed: int) -> None:
    """With seed 13 a hardirq runs on top of a task that waits for an IPI when the run ends."""
    scenario = load_scenario("migration-storm", {"seed": seed})
    simulation = simulate(scenario)
    simulation.run(scenario.run.until)
    assert new_findings(simulation.causes, scenario.kernel.variant) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seed"), [("exhaustion-auto", 1116), ("virt-guests3", 1144)])
def test_a_claim_that_is_cut_short_is_not_a_loss(name: str, seed: int) -> None:
    """An interrupt came after the identity had left the SW-file and before the guest has it."""
    scenario = load_scenario(name, {"seed": seed, "variant": "v7.0"})
    simulation = simulate(scenario, record="occupancy")
    simulation.run(scenario.run.until)
    assert "sent-lost:vcpu" not in simulation.findings
    assert sum(simulation.moves.busy.values()) > 0
