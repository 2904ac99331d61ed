"""A VM that is refused the lines that the machine has: the HART to blame, and since when."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.checks.finding import of_ids
from hgeisim.checks.known import known_facts, new_findings
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel.structs import AIA_MODES
from hgeisim.scenario.load import scenario_from

V2, V5, V7_0 = "v7.0+percpu-v2", "v7.0+percpu-v5", "v7.0"
NONE = {"guest_files": 3, "geilen": 0}
SOME = {"guest_files": 3}
REFUSED = "mode-refused:aia"


def ran(variant: str, harts: list[dict[str, int]], **more: Any) -> Simulation:
    """A run of 6 ms in which VMs arrive at 1 and at 4 ms."""
    often = {"distribution": "constant", "value": "300us"}
    each = {"vcpus": 1, "run": often, "msi": often}
    vms = [{"name": name, "arrives": at, **each} for name, at in (("a", "1ms"), ("b", "4ms"))]
    kernel = {"variant": variant, **more.pop("kernel", {})}
    scenario = {"machine": {"harts": harts}, "kernel": kernel, "vm": vms, **more}
    simulation = simulate(scenario_from(scenario))
    simulation.run(6_000_000)
    return simulation


def refused(simulation: Simulation) -> tuple[int, str]:
    """The time at which the first VM was refused, and the text of the finding."""
    at_ns, finding = simulation.findings[REFUSED]
    return at_ns // 1_000_000, finding.text


def modes(simulation: Simulation) -> list[str]:
    return [AIA_MODES[vm.aia_mode] for vm in simulation.k.vms]


@pytest.mark.parametrize(
    ("variant", "harts", "cause"),
    [
        (V2, [NONE, SOME], "HART 0, which has none, ran the initcall at 0.000 ms: their count is"),
        (V7_0, [NONE, SOME], "HART 0, which has none, ran the initcall at 0.000 ms: their count"),
        (V7_0, [SOME, {"guest_files": 0}], "HART 1 has no guest file: their count is 0 since the"),
        (V5, [SOME, {"guest_files": 0}], "HART 1 has no guest file: their count is 0 since the"),
        (V5, [NONE, SOME], "enabling HART 0, which has none, lowered their count to 0 at 0.000 ms"),
        (V5, [SOME, NONE], "enabling HART 1, which has none, lowered their count to 0 at 0.000 ms"),
    ],
)
def test_the_hart_that_made_the_count_0_is_named(
    variant: str, harts: list[dict[str, int]], cause: str
) -> None:
    simulation = ran(variant, harts)
    assert modes(simulation) == ["emul", "emul"]
    at_ms, text = refused(simulation)
    assert at_ms == 1
    assert f"the HARTs have 3 lines, and {cause}" in text


@pytest.mark.parametrize("variant", [V2, V7_0])
def test_where_the_initcall_counts_the_lines_of_a_hart_with_some_nobody_is_refused(
    variant: str,
) -> None:
    assert REFUSED not in ran(variant, [SOME, NONE]).findings


def test_a_hart_that_comes_online_between_two_vms_takes_the_lines_from_the_second() -> None:
    """V5-1: the mode of a VM depends on the order; the earlier VM keeps its lines."""
    hotplug = [{"hart": 2, "offline": "100us", "online": "2ms"}]
    late = {"enable_virt_at_load": False}
    simulation = ran(V5, [SOME, SOME, NONE], kernel=late, hotplug=hotplug)
    assert modes(simulation) == ["auto", "emul"]
    at_ms, text = refused(simulation)
    assert at_ms == 4
    assert text.startswith("b asked for auto and is in emul; the HARTs have 6 lines, and enabling")
    assert "enabling HART 2, which has none, lowered their count to 0 at 2." in text


def test_the_finding_of_the_shipped_code_is_known_and_accepted() -> None:
    assert known_facts(REFUSED, V5)["known_as"] == "V5-1"
    assert known_facts(REFUSED, V2)["known_as"] == "V2-9"
    assert new_findings(of_ids([REFUSED]), V5) == []
    assert new_findings(of_ids([REFUSED]), V2) == [REFUSED]
