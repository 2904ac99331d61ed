"""The quiet end of a run: every vCPU that can enter its guest takes one more interrupt."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.checks.known import new_findings
from hgeisim.drivers.timed.simulation import Record, Simulation, simulate
from hgeisim.drivers.timed.workload.quiet import SECOND
from hgeisim.kernel.structs import Thread
from hgeisim.kernel.variants import OWN, variant_problem
from hgeisim.kernel.variants import PATCHES as SHIPPED
from hgeisim.library.own_patch import execute
from hgeisim.machine.schedule import Task
from hgeisim.machine.watch import entered
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from tests.support.commands import hgeisim

PATCHES = Path(__file__).parent.parent / "data/patches/unserved.py"
BROKEN = {
    "SecondNotFlushed": "has not taken the second interrupt of the quiet end",
    "RequestKept": "has not set its interrupt file up",
    "PollsSwFileOnly": "has not taken the interrupt of the quiet end",
}
QUIET = ("exhaustion-hwaccel", "migration-storm", "sgei-storm", "virt-guests3")
"""The scenarios that end in quiet."""
EXPECTED = {"v6.12": {"unserved:vcpu"}, "v6.16": {"unserved:vcpu"}, "v6.18": set[str]()}
LONG = ("run.quiet=1ms",)
MS = 1_000_000
SHARED = """
[machine]
harts = [{ count = 2, guest_files = 1 }]
[kernel]
preemption = "full"
[run]
until = "1ms"
quiet = "300us"
[[vm]]
name = "w"
vcpus = 4
run = { distribution = "constant", value = "20us" }
msi = { distribution = "constant", value = "20ms" }
"""
BUSY = """
[machine]
harts = [{ guest_files = 7 }]
[run]
until = "3ms"
quiet = "200us"
[[vm]]
name = "w"
vcpus = 6
run = { distribution = "constant", value = "2ms" }
msi = { distribution = "constant", value = "150us" }
"""
HELD = """
[machine]
harts = [{ count = 2, guest_files = 1 }]
[run]
until = "4ms"
quiet = "1ms"
[[vm]]
name = "w"
vcpus = 2
run = { distribution = "constant", value = "100ms" }
msi = { distribution = "constant", value = "100ms" }
stagger = "10us"
"""


def ran(name: str, seed: int = 1, variant: str = "v7.0") -> Simulation:
    loaded = load_scenario(name, {"seed": seed, "variant": variant}, variant_problem, LONG)
    return whole(loaded, "occupancy")


def ran_text(
    tmp_path: Path, text: str, variant: str = "v7.0", record: Record = "occupancy"
) -> Simulation:
    file = tmp_path / "own.toml"
    file.write_text(text)
    return whole(load_scenario(str(file), {"variant": variant}, variant_problem), record)


def whole(scenario: Scenario, record: Record) -> Simulation:
    simulation = simulate(scenario, record=record)
    simulation.run(scenario.run.until)
    return simulation


@pytest.mark.slow
@pytest.mark.parametrize("base", ["v6.12", "v6.16"])
def test_a_vcpu_that_is_not_elsewhere_is_unserved_for_another_reason(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(f"v7.0+{PATCHES}:SecondNotFlushed")
    monkeypatch.setitem(SHIPPED, "planted", OWN[f"{PATCHES}:SecondNotFlushed"])
    simulation = ran_text(tmp_path, SHARED, f"{base}+planted")
    assert "unserved:vcpu" in new_findings(simulation.causes, f"{base}+planted")


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_patch_that_serves_no_second_interrupt_is_found(tmp_path: Path, name: str) -> None:
    variant = f"v7.0+{PATCHES}:{name}"
    execute(variant)
    simulation = ran_text(tmp_path, SHARED, variant, "all")
    also = {"level:swfile"} if name == "SecondNotFlushed" else set()
    assert {*new_findings(simulation.causes, "v7.0")} == {"unserved:vcpu"} | also
    text = simulation.findings["unserved:vcpu"][1].text
    assert BROKEN[name] in text
    assert "Its guest looks at" in text
    assert new_findings(ran_text(tmp_path, SHARED).causes, "v7.0") == []


@pytest.mark.slow
@pytest.mark.parametrize("variant", EXPECTED)
def test_shipped_kernels_show_their_known_findings(variant: str) -> None:
    result = hgeisim("run", "sgei-storm", "--variant", variant, "--json").document()
    found = {each["id"]: each["new"] for each in result["findings"]}
    assert {i for i in found if i.startswith("unserved")} == EXPECTED[variant]
    assert not found.get("unserved:vcpu")


@pytest.mark.proof
@pytest.mark.parametrize("variant", ["v6.18", "v7.0", "v7.0+percpu-v5"])
@pytest.mark.parametrize("name", [*QUIET, "hotplug-storm"])
def test_no_sound_kernel_is_accused(name: str, variant: str) -> None:
    for seed in range(1, 51):
        assert "unserved:vcpu" not in ran(name, seed, variant).findings


@pytest.mark.slow
def test_nothing_begins_to_move_in_the_quiet() -> None:
    class Hotplug:
        """The times at which HARTs begin to go offline and to come online."""

        def __init__(self) -> None:
            self.times: list[int] = []

        @entered("cpu_down", "cpu_up")
        def begins(self, current: Thread, cpu: int) -> None:
            self.times.append(simulation.k.ktime_get())

    scenario = load_scenario("hotplug-storm", {"until": "12ms"}, None, ("run.quiet=6ms",))
    simulation = simulate(scenario, record="occupancy")
    hotplug = Hotplug()
    simulation.k.watch.add(hotplug)
    moved, move = list[int](), simulation.driver.scheduler.move

    def noting(who: Task, cpu: int) -> None:
        moved.append(simulation.k.ktime_get())
        move(who, cpu)

    simulation.driver.scheduler.move = noting  # type: ignore[method-assign]
    simulation.run(12 * MS)
    assert max(hotplug.times) < 6 * MS
    assert max(moved) < 6 * MS
    assert simulation.quiet is not None
    assert any(each.iid == SECOND for each in simulation.quiet.deliveries)


def test_a_vcpu_that_waits_for_a_hart_is_not_accused(tmp_path: Path) -> None:
    simulation = ran_text(tmp_path, BUSY)
    assert simulation.quiet is not None
    assert any(each.pending for each in simulation.quiet.deliveries)
    assert "unserved:vcpu" not in simulation.findings


def test_a_guest_that_computes_on_its_vs_file_is_not_accused(tmp_path: Path) -> None:
    assert "unserved:vcpu" not in ran_text(tmp_path, HELD).findings


@pytest.mark.slow
def test_a_vcpu_without_a_line_starves_and_that_is_a_note() -> None:
    result = hgeisim("run", "exhaustion-hwaccel", "--json")
    note = next(f for f in result.document()["findings"] if f["id"] == "starves:vcpu")
    assert (result.status, note["new"]) == (0, False)
    assert "all lines of its HART are in use" in note["text"]


@pytest.mark.parametrize(
    ("quiet", "said"),
    [
        ("10us", "must be 100us or more"),
        ("10ms", "must have `quiet` shorter than `until`"),
        ("soon", "must be a time with a unit"),
    ],
)
def test_quiet_has_limits(quiet: str, said: str) -> None:
    result = hgeisim("run", "migration-storm", "-s", f"run.quiet={quiet}")
    assert result.status == 2
    assert said in result.err


def test_it_is_shown_where_there_is_one() -> None:
    assert 'quiet = "1ms"' in hgeisim("scenario", "show", "sgei-storm").out
    assert "quiet" not in hgeisim("scenario", "show", "big-little").out
