"""Where a run is cut changes no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
import simpy

from hgeisim.checks.known import new_findings
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.watch import entered, returned
from hgeisim.scenario.load import load_scenario

TWO_OFFLINE = str(Path(__file__).parent / "data/scenarios/two-offline.toml")
CUTS = [150, 500, 780, 997, 1000, 1430, 1450, 1900]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hotplug-storm", TWO_OFFLINE], ids=["storm", "two"])
def test_nothing_is_new_wherever_a_run_is_cut(name: str) -> None:
    """In hotplug-storm and at 1430 us the circle of B-09 shows first by its longer way."""
    for cut_us in CUTS:
        scenario = load_scenario(name, {"until": f"{cut_us}us"})
        simulation = simulate(scenario)
        simulation.run(scenario.run.until)
        assert new_findings(simulation.causes, scenario.kernel.variant) == [], cut_us


@pytest.mark.slow
@pytest.mark.parametrize("seed", [13, 14, 15])
def test_nor_at_the_end_of_a_storm(seed: int) -> None:
    """With seed 13 a hardirq runs on top of a task that waits for an IPI when the run ends."""
    scenario = load_scenario("migration-storm", {"seed": seed})
    simulation = simulate(scenario)
    simulation.run(scenario.run.until)
    assert new_findings(simulation.causes, scenario.kernel.variant) == []


class Claims:
    """When each claim from a SW-file begins and ends, in ns."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env, self.begins, self.spans = env, dict[int, int](), list[tuple[int, int]]()

    @entered("kvm_riscv_vcpu_aia_imsic_rmw_topei")
    def claim_begins(self, current: Thread, vcpu: Vcpu) -> None:
        self.begins[vcpu.id] = int(self.env.now)

    @returned("kvm_riscv_vcpu_aia_imsic_rmw_topei")
    def claim_ends(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        if ret:
            self.spans.append((self.begins[vcpu.id], int(self.env.now)))


@pytest.mark.slow
def test_a_claim_that_is_cut_short_is_no_loss() -> None:
    """It has left the SW-file, and the guest has not got it."""
    scenario = load_scenario("exhaustion-auto", {"until": "2ms"})
    simulation = simulate(scenario, record="occupancy")
    claims = Claims(simulation.env)
    simulation.k.watch.add(claims)
    simulation.run(scenario.run.until)
    cuts = [
        begin + (end - begin) * part // 5 for begin, end in claims.spans[:8] for part in range(6)
    ]
    assert len(cuts) == 30
    for cut_ns in cuts:
        cut = simulate(scenario, record="occupancy")
        cut.run(cut_ns)
        assert new_findings(cut.causes, scenario.kernel.variant) == [], cut_ns
