"""Each built-in scenario that is made to be run shows what its `look_at` says."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

from hgeisim.checks.known import new_findings
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel.structs import HWACCEL, HgeiControl
from hgeisim.runs.measures import hart_summaries
from hgeisim.runs.timeline import ALLOC, FAIL, FREE, OFFLINE, ONLINE, RELEASE
from hgeisim.scenario.find import BUILT_IN, built_in_names
from hgeisim.scenario.load import load_scenario

pytestmark = pytest.mark.slow

MS = 1_000_000
PERCPU = "v7.0+percpu-v5"


@cache
def ran(name: str, variant: str | None = None) -> Simulation:
    """A whole run, only occupancy and events recorded."""
    scenario = load_scenario(name, {"variant": variant})
    simulation = simulate(scenario)
    simulation.run(scenario.run.until)
    return simulation


def in_detail(name: str, until_ns: int) -> Simulation:
    """The begin of a run, with everything recorded and the order of locks checked."""
    simulation = simulate(load_scenario(name))
    simulation.run(until_ns)
    return simulation


def harts(name: str, variant: str | None = None) -> list[dict[str, Any]]:
    return hart_summaries(ran(name, variant).timeline)


def total(name: str, what: str, variant: str | None = None) -> int:
    return sum(int(hart[what]) for hart in harts(name, variant))


def found(name: str, variant: str | None = None) -> set[str]:
    return new_in(ran(name, variant))


def new_in(simulation: Simulation) -> set[str]:
    """The findings that are not accepted."""
    return set(new_findings(simulation.causes, simulation.k.name))


def events(simulation: Simulation, *kinds: int) -> list[tuple[int, int, int, int]]:
    """Time in ns, kind, HART and vCPU."""
    timeline = simulation.timeline
    columns = zip(
        timeline.event_time_ns,
        timeline.event_kind,
        timeline.event_hart,
        timeline.event_vcpu,
        strict=True,
    )
    return [event for event in columns if event[1] in kinds]


def owners(simulation: Simulation) -> list[list[str]]:
    """The names of the vCPUs that own a line, HART by HART."""
    k = simulation.k
    return [[k.vcpu(owner).name for owner in taken_by(h)] for h in k.hgei]


def taken_by(hgctrl: HgeiControl) -> list[int]:
    """The ids of the vCPUs that own a line, line by line."""
    owning = (hgctrl.owners[line] for line in range(len(hgctrl.owners)))
    return [owner for owner in owning if owner]


TIMED = [name for name in built_in_names() if load_scenario(name).vm]


@pytest.mark.parametrize("name", [name for name in TIMED if name != "weak-init"])
def test_nothing_is_found(name: str) -> None:
    """As it stands in the file: what is wrong shows when it is run with another variant."""
    assert found(name) == set()
    assert new_in(in_detail(name, 2 * MS)) == set()


def test_titles_fit_a_line_and_sentences_end() -> None:
    for name in built_in_names():
        scenario = load_scenario(name)
        assert len(scenario.title) <= 90, name
        assert len(scenario.look_at) <= 140, name
        assert scenario.look_at.endswith((".", "?")), name


def test_every_blob_belongs_to_a_scenario() -> None:
    used = {load_scenario(name).topology.source for name in built_in_names()}
    assert {path.name for path in BUILT_IN.glob("*.dtb")} == used - {"scenario"}


def test_homogeneous() -> None:
    rows = harts("homogeneous")
    assert {hart["busy_max"] for hart in rows} == {5}
    exhausted = [hart["exhausted"] for hart in rows]
    assert 0.4 < min(exhausted) < max(exhausted) < 0.95


def test_big_little() -> None:
    rows = harts("big-little", PERCPU)
    big, little = (sum(hart["fail"] for hart in part) for part in (rows[:4], rows[4:]))
    assert little > 10 * big
    assert all(hart["busy_max"] <= hart["lines"] for hart in rows)


@pytest.mark.parametrize("variant", ["v6.12", "v6.18"])
def test_big_little_with_one_count_probed_on_a_big_hart(variant: str) -> None:
    rows = harts("big-little", variant)
    assert max(hart["busy_max"] for hart in rows[4:]) > 3
    assert found("big-little", variant) >= {"no-such-line:hgei", "illegal-instruction:vsireg"}


@pytest.mark.parametrize("variant", ["v7.0", "v6.18+percpu-v2+review-clamp"])
def test_big_little_with_the_minimum_wastes_lines(variant: str) -> None:
    rows = harts("big-little", variant)
    assert [hart["busy_max"] for hart in rows] == [3] * 8
    assert sum(hart["fail"] for hart in rows[:4]) > 100
    assert found("big-little", variant) == set()


def test_multi_vendor() -> None:
    assert total("multi-vendor", "alloc") == total("multi-vendor", "fail") == 0
    at_ns, finding = ran("multi-vendor").findings["mode-refused:aia"]
    assert at_ns < MS
    assert "enabling HART 7, which has none, lowered their count to 0 at 0.000 ms" in finding.text
    assert harts("multi-vendor", "v7.0")[7]["busy_max"] == 3
    assert found("multi-vendor", "v7.0") == {"no-such-line:hgei", "illegal-instruction:vsireg"}


def test_three_widths() -> None:
    rows = harts("three-widths")
    assert [hart["busy_max"] for hart in rows[4:]] == [3, 3, 3, 1]
    assert max(hart["busy_max"] for hart in rows[:4]) > 3
    assert rows[7]["fail"] > 100
    rows = harts("three-widths", "v7.0")
    assert max(hart["busy_max"] for hart in rows[:4]) == 3, "big HARTs waste four each"
    assert rows[7]["busy_max"] == 3
    assert found("three-widths", "v7.0") == {"no-such-line:hgei", "illegal-instruction:vsireg"}


@pytest.mark.parametrize("variant", ["v7.0+percpu-v2", PERCPU])
def test_weak_init(variant: str) -> None:
    assert total("weak-init", "alloc", variant) == 0
    assert "mode-refused:aia" in ran("weak-init", variant).findings
    assert found("weak-init", variant) == ({"mode-refused:aia"} if variant != PERCPU else set())


def test_exhaustion_auto() -> None:
    run = ran("exhaustion-auto")
    assert {hart for _, _, hart, _ in events(run, ALLOC, FAIL)} == {1}
    assert [len(names) for names in owners(run)] == [0, 3, 0, 0]
    assert len(events(run, ALLOC)) == 3
    assert events(run, FREE) == []
    failed = Counter(vcpu for *_, vcpu in events(run, FAIL))
    assert len(failed) == 3
    assert min(failed.values()) > 20, "they ask again and again"


def test_exhaustion_hwaccel() -> None:
    run = ran("exhaustion-hwaccel")
    assert [len(names) for names in owners(run)] == [3] * 4
    assert {hart["busy_max"] for hart in harts("exhaustion-hwaccel")} == {3}
    late = Counter(vcpu for at, _, _, vcpu in events(run, FAIL) if at > 10 * MS)
    assert len([vcpu for vcpu in late if late[vcpu] > 100]) == 2
    assert all(vcpu.vm.aia_mode == HWACCEL for vcpu in run.k.vcpus[1:] if vcpu)


def test_hold_and_wait() -> None:
    run = ran("hold-and-wait")
    allocations = events(run, ALLOC)
    assert len(allocations) == 4
    assert allocations[-1][0] < MS
    assert events(run, FREE) == []
    assert len({hart for _, _, hart, _ in events(run, FAIL)}) == 4
    assert len(events(run, FAIL)) > 10_000


def waited_ns(simulation: Simulation, lock_class: str) -> int:
    rows = simulation.tables["locks"]
    return int(rows["wait_ns_total"][rows["class"] == lock_class].sum())


def test_migration_storm() -> None:
    run = in_detail("migration-storm", 10 * MS)
    assert len(events(run, ALLOC)) > 300
    mmu, hgei = waited_ns(run, "kvm->mmu_lock"), waited_ns(run, "hgctrl->lock")
    assert mmu > 4 * max(hgei, 1)


def test_sgei_storm() -> None:
    assert total("sgei-storm", "sgei") > 100 * 10, "in 10 ms"


def test_hotplug_storm() -> None:
    run = ran("hotplug-storm")
    gone = events(run, OFFLINE)
    assert len(gone) >= 8
    assert len({hart for _, _, hart, _ in gone}) >= 3
    released = Counter(hart for _, _, hart, _ in events(run, RELEASE))
    assert sum(released.values()) > len(gone)
    for at, _, hart, _ in gone:
        back = next((t for t, _, other, _ in events(run, ONLINE) if other == hart and t > at), 0)
        busy = [busy for t, busy in run.timeline.steps(hart) if t < back]
        assert not busy or busy[-1] == 0, "every line was given back before it returned"


def test_vm_churn() -> None:
    run = ran("vm-churn")
    gone = {vcpu.vm.name for vcpu in run.k.vcpus[1:] if vcpu and vcpu.freed}
    assert len(gone) > 30
    staying = {vcpu.id for vcpu in run.k.vcpus[1:] if vcpu and not vcpu.freed}
    kept = {owner for hgctrl in run.k.hgei for owner in taken_by(hgctrl)}
    assert kept <= staying
    assert len(events(run, FREE)) > 100
    off = [at for at, _, hart, _ in events(run, OFFLINE) if hart == 0]
    assert len(off) >= 2
    assert max(off) < 15 * MS, "then there is a VM that stays"


def test_server() -> None:
    rows = harts("server-64")
    assert len(rows) == 64
    assert sum(hart["busy_mean"] for hart in rows) < 0.7 * 192, "enough on average"
    assert max(hart["exhausted"] for hart in rows) > 0.3
    assert len([hart for hart in rows if hart["fail"]]) > 20


def test_all_63_lines() -> None:
    assert max(hart["busy_max"] for hart in harts("lines-63")) == 63


@pytest.mark.parametrize("variant", ["v6.12", "v7.0", "v6.18+percpu-v2"])
def test_63_lines_overflow_in_older_kernels(variant: str) -> None:
    """BIT(64) - 1 is 0 on RISC-V: free_bitmap is empty from the start."""
    assert total("lines-63", "alloc", variant) == 0
    assert total("lines-63", "fail", variant) > 100
    assert "bitmap-owner:all-lines" in found("lines-63", variant)


def test_virt_guests3() -> None:
    rows = harts("virt-guests3")
    assert {(hart["lines"], hart["busy_max"]) for hart in rows} == {(3, 3)}
    assert all(hart["fail"] for hart in rows)


def test_virt_guests5() -> None:
    rows = harts("virt-guests5")
    assert {(hart["guest_files"], hart["lines"], hart["busy_max"]) for hart in rows} == {(7, 5, 5)}


def test_virt_guests7() -> None:
    run = ran("virt-guests7")
    by_vm = Counter(run.k.vcpu(vcpu).vm.name for *_, vcpu in events(run, ALLOC))
    assert set(by_vm) == {"soft", "hard"}
    without = [vcpu.vm.name for vcpu in run.k.vcpus[1:] if vcpu and vcpu.vsfile_cpu < 0]
    assert set(without) >= {"old", "soft"}


def test_virt_2socket() -> None:
    rows, run = harts("virt-2socket"), ran("virt-2socket")
    near, far = rows[:8], rows[8:]
    assert min(hart["exhausted"] for hart in near) > 0.3
    assert max(hart["exhausted"] for hart in far) < 0.3
    names = owners(run)
    assert {name.split("/")[0] for part in names[:8] for name in part} <= {"big", "floats"}
    floating = [name for part in names[8:] for name in part if name.startswith("floats")]
    assert len(floating) >= 12
