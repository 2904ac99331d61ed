"""Lines that go round among vCPUs which never enter their guests; and nothing else is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.checks.finding import Finding
from hgeisim.drivers.timed.livelock import RETURNS, Livelock
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.library.own_patch import execute
from hgeisim.machine.guest import EnterGuest
from hgeisim.scenario.load import load_scenario
from tests.support.kernels import add_vcpu, booted
from tests.support.source import ROOT

BAD = ROOT / "tests/data/patches/bad_policies.py"
POLICIES = ROOT / "docs/policies.py"
GOOD = (
    *("Fail", "Rotate", "LeastUsed"),
    *("PinnedAdmission", "StealFromSleeper", "ReleaseOnBlock"),
)
SMALL = """
[machine]
harts = [{{ count = {harts}, guest_files = {lines} }}]
[run]
until = "500us"
[[vm]]
name = "w"
vcpus = {vcpus}
run = {{ distribution = "constant", value = "20us" }}
msi = {{ distribution = "constant", value = "50us" }}
"""
FIRES = {
    "AlwaysEmptier": (
        {"harts": 2, "lines": 2, "vcpus": 1},
        "lines of HARTs 0, 1 go round among w/0, ",
    ),
    "PingPong": (
        {"harts": 2, "lines": 1, "vcpus": 3},
        "w/2 goes from HART to HART (0, 1) for a line, and enters no guest: HART ",
    ),
    "StealAndYield": (
        {"harts": 1, "lines": 1, "vcpus": 2},
        "lines of HART 0 go round among w/0, w/1, ",
    ),
}


def ran(place: Path, variant: str, until: str | None = None) -> Simulation:
    execute(variant)
    changed = {"variant": variant, "until": until}
    scenario = load_scenario(str(place), {key: to for key, to in changed.items() if to}, None, ())
    simulation = simulate(scenario, record="occupancy")
    simulation.run(scenario.run.until)
    return simulation


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRES)
def test_a_policy_that_livelocks_is_found(tmp_path: Path, name: str) -> None:
    numbers, words = FIRES[name]
    place = tmp_path / "small.toml"
    place.write_text(SMALL.format(**numbers))
    simulation = ran(place, f"v7.3+{BAD}:{name}")
    since_ns, finding = simulation.findings["livelock:hgei"]
    assert finding.text.startswith(words)
    again = "refused it" if name == "PingPong" else "come back"
    assert f"has {again} {RETURNS} times; this has lasted since" in finding.text
    assert since_ns < 100_000
    assert "livelock:hgei" not in ran(place, "v7.3").findings


@pytest.mark.slow
@pytest.mark.parametrize("policy", GOOD)
@pytest.mark.parametrize("name", ["exhaustion-hwaccel", "hold-and-wait", "vm-churn"])
def test_no_policy_of_the_docs_is_accused(name: str, policy: str) -> None:
    found = ran(Path(name), f"v7.3+{POLICIES}:{policy}", "2ms").findings
    assert "livelock:hgei" not in found


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v7.3"])
@pytest.mark.parametrize(
    "name", ["exhaustion-hwaccel", "hold-and-wait", "hotplug-storm", "migration-storm", "vm-churn"]
)
def test_no_shipped_kernel_is_accused(name: str, variant: str) -> None:
    assert "livelock:hgei" not in ran(Path(name), variant, "3ms").findings


class Story:
    """Lines handed out and guests entered, one after the other."""

    def __init__(self) -> None:
        self.k = booted("v7.3", (2, 2))
        for name in ("v1", "v2", "v3"):
            add_vcpu(self.k, name, 0)
        self.found: list[Finding] = []
        self.watcher = Livelock(self.k, lambda finding, since_ns, what: self.found.append(finding))

    def get(self, vcpu: int, cpu: int = 0, line: int = 1) -> None:
        self.watcher.handed_out(line, cpu, self.k.vcpu(vcpu))

    def enter(self, vcpu: int) -> None:
        thread = self.k.vcpu(vcpu).thread
        self.watcher.guest_entered(thread, EnterGuest(vcpu), 0)


def test_it_takes_so_many_returns() -> None:
    """The first time a vCPU has the line is not a return."""
    story = Story()
    for turn in range(RETURNS + 1):
        story.get(1 + turn % 2)
    assert not story.found
    story.get(2)
    assert len(story.found) == 1
    story.get(1)
    assert len(story.found) == 1


@pytest.mark.parametrize("who", [1, 2])
def test_one_entry_begins_the_count_anew(who: int) -> None:
    story = Story()
    for turn in range(10 * RETURNS):
        story.get(1 + turn % 2)
        if turn % RETURNS == 0:
            story.enter(who)
    assert not story.found


def test_guests_that_have_nothing_to_do_with_the_line_do_not_matter() -> None:
    story = Story()
    for turn in range(RETURNS + 2):
        story.get(1 + turn % 2)
        story.enter(3)
    assert len(story.found) == 1


def test_a_line_that_is_not_given_counts_for_nothing() -> None:
    story = Story()
    for _ in range(3 * RETURNS):
        story.get(1, line=-2)
    assert not story.found


def test_new_vcpus_are_not_returns() -> None:
    """VMs that come and go, and end before their guests were entered."""
    story = Story()
    for turn in range(3):
        story.get(1 + turn)
    assert not story.found


def refuse(story: Story, times: int, *cpus: int) -> None:
    """A vCPU is refused a line on each of some HARTs, in turn."""
    for _ in range(times):
        for cpu in cpus:
            story.get(1, cpu, -2)


def test_a_vcpu_that_wanders_is_found_on_each_hart() -> None:
    story = Story()
    refuse(story, RETURNS - 1, 0, 1)
    assert not story.found
    refuse(story, RETURNS, 0, 1)
    assert [str(each.id) for each in story.found] == ["livelock:hgei"] * 2


def test_a_vcpu_that_waits_for_a_line_where_it_is_does_not_wander() -> None:
    """Sixteen lost races for a line are bad luck; that it was moved meanwhile changes nothing."""
    story = Story()
    for _ in range(RETURNS):
        refuse(story, 2, 0)
        refuse(story, 1, 1)
    assert not story.found


@pytest.mark.parametrize("ends", ["guest", "monitor"])
def test_a_guest_that_is_entered_or_a_monitor_ends_the_wandering(ends: str) -> None:
    story = Story()
    for _ in range(3):
        refuse(story, RETURNS - 1, 0, 1)
        if ends == "guest":
            story.enter(1)
        else:
            story.watcher.run_begins(story.k.vcpu(1).thread, story.k.vcpu(1))
    assert not story.found
