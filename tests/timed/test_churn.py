"""VMs and HARTs come and go: every line is given back, no matter who took it."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.spinlock import RawSpinlock
from hgeisim.runs.timeline import ALLOC
from hgeisim.scenario.load import scenario_from

MS = 1_000_000
QUIET_MS = 50
"""By then the last VM has gone."""


def vm(number: int) -> dict[str, Any]:
    """A VM that lives for 6 ms; a new one comes every 2 ms."""
    return {
        "name": f"vm{number}",
        "vcpus": 4,
        "arrives": f"{2 * number}ms",
        "stagger": "90us",
        "destroyed": f"{2 * number + 6}ms",
        "run": {"distribution": "exponential", "mean": "60us"},
        "msi": {"distribution": "exponential", "mean": "300us"},
        "mode": "hwaccel" if number % 3 == 2 else "auto",
    }


def churn(variant: str, harts: list[dict[str, int]], *hotplug: tuple[int, int]) -> Simulation:
    """Twenty VMs in 50 ms; `hotplug` has a HART and the ms at which it goes offline, for 4 ms."""
    scenario = {
        "machine": {"harts": harts},
        "kernel": {"variant": variant, "preemption": "full"},
        "vm": [vm(number) for number in range(20)],
        "balance": {"every": {"distribution": "exponential", "mean": "40us"}},
        "hotplug": [
            {"hart": hart, "offline": f"{when}ms", "online": f"{when + 4}ms"}
            for hart, when in hotplug
        ],
    }
    return simulate(scenario_from(scenario))


EQUAL, UNEQUAL = (
    [{"count": 4, "guest_files": 3}],
    [
        {"count": 2, "guest_files": 5},
        {"count": 2, "guest_files": 1},
    ],
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "harts"),
    [
        ("v6.12", EQUAL),
        ("v6.12+percpu-v5", EQUAL),
        ("v6.12+percpu-v5", UNEQUAL),
    ],
)
@pytest.mark.parametrize("hotplug", [(), ((1, 5), (3, 12), (0, 20), (1, 30))])
@pytest.mark.proof
def test_after_all_vms_have_gone_all_lines_are_free(
    variant: str, harts: list[dict[str, int]], hotplug: tuple[tuple[int, int], ...]
) -> None:
    sim = churn(variant, harts, *hotplug)
    sim.run(QUIET_MS * MS)
    assert sim.timeline.event_kind.count(ALLOC) > 100
    assert all(vcpu.freed for vcpu in sim.k.vcpus if vcpu is not None)
    for hgctrl, spec in zip(sim.k.hgei, sim.k.topology.harts, strict=True):
        assert hgctrl.free_bitmap == (2 << spec.lines) - 2, f"HART {hgctrl.cpu}"
        assert hgctrl.owners.count(0) == len(hgctrl.owners)
    assert sim.timeline.busy_at == [0] * len(sim.k.hgei)
    assert set(sim.findings) <= {"dead-owner:taken-line", "register:hgeie", "armed:free-line"}


@pytest.mark.slow
def test_after_all_vms_have_gone_nobody_is_left() -> None:
    sim = churn("v6.12+percpu-v5", UNEQUAL, (1, 5), (3, 12))
    sim.run(QUIET_MS * MS)
    assert sim.driver.wait_queues.parked == {}
    assert [core.load for core in sim.driver.cores] == [0] * 4
    assert [(h.irq_off, h.preempt_count, h.hardirq) for h in sim.k.hart] == [(0, 0, 0)] * 4
    uses = sim.recorded["locks"].locks.uses
    locks = [lock for lock in uses if isinstance(lock, RawSpinlock)]
    assert all(lock.next == lock.owner and not lock.inside for lock in locks)
    waiting = [entry for entry in sim.env._queue if entry[0] < 2 * QUIET_MS * MS]
    assert len(waiting) <= 1 + len(sim.k.vcpus), "the balancer, and each device until its next MSI"


@pytest.mark.slow
def test_a_destroyed_vm_gives_back_its_lines_and_no_others() -> None:
    sim = churn("v6.12+percpu-v5", EQUAL)
    sim.run(6 * MS - 1)
    assert any(vcpu.name.startswith("vm0/") for vcpu in owners(sim))
    sim.run(7 * MS)
    assert not any(vcpu.name.startswith("vm0/") for vcpu in owners(sim))
    assert owners(sim), "those of the others stay"
    for vcpu in owners(sim):
        assert sim.k.hgei[vcpu.vsfile_cpu].owners[vcpu.vsfile_hgei] == vcpu.id


def owners(sim: Simulation) -> list[Vcpu]:
    """The vCPUs that own a line, line by line."""
    found = (h.owners[line] for h in sim.k.hgei for line in range(len(h.owners)))
    return [sim.k.vcpu(owner) for owner in found if owner]
