"""A HART that loses its power in idle: what KVM keeps of it (v7.3), and who must notice."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.errors import InputError
from hgeisim.kernel.variants import OWN, variant_problem
from hgeisim.kernel.variants.cpu_pm import CpuPm
from hgeisim.machine.idle import GO_IDLE, POWER_DOWN
from hgeisim.machine.ops import Path
from hgeisim.scenario.load import load_scenario, scenario_from
from tests.support import kernels
from tests.support.commands import hgeisim
from tests.support.kernels import V6_12, V7_2, V7_3

TWO = {"harts": [{"count": 2, "guest_files": 1}]}
SLEEPER = {"name": "vcpu/v1", "vcpu": "v1", "does": ["exit", "run", "block", "run"]}
GUEST = {"name": "guest", "hart": 0, "does": ["msi v1"]}
IDLE = {"name": "idle/1", "hart": 1, "does": ["power_down 1"]}
KNOWN = {"armed:free-line", "register:hgeie"}
"""B-22, in every kernel: an owner leaves its bit in HGEIE."""


def found(variant: str, *tasks: dict[str, Any], vcpu: bool = True) -> set[str]:
    """The ids that a search finds where such tasks meet a HART 1 that powers down."""
    scenario = {
        "machine": TWO,
        "kernel": {"variant": variant, "preemption": "full"},
        "vcpu": [{"name": "v1", "hart": 1}] if vcpu else [],
        "task": [IDLE, *tasks],
    }
    space = space_of(scenario_from(scenario, known_variant=variant_problem))
    return set(exhaustive(space, 300_000).counterexamples)


@pytest.mark.parametrize("variant", [V7_3, "v7.2+cpu-pm", "v6.12+cpu-pm"])
def test_a_cpu_has_after_idle_what_it_had_before(variant: str) -> None:
    k = kernels.booted(variant, [2, 2])
    kernels.owner_on(k, "a", 1)
    hart, here = k.hart[1], k.per_cpu[1]
    hart.write_hgeie(0b10)
    idle = k.add_thread("idle/1", 1)
    before = hart.hgeie, hart.sgeie, hart.hvictl, hart.hvien
    lost = []
    for op in k.do_idle(idle):
        op.begin(idle)
        op.end(idle)
        if op is POWER_DOWN:
            lost = [hart.hgeie, hart.sgeie, hart.hvictl, hart.hvien, hart.registers_of]
            assert hart.irq_off, "interrupts are taken after the exit"
    assert lost == [0] * 5
    assert (hart.hgeie, hart.sgeie, hart.hvictl, hart.hvien) == before
    former: Any = here
    assert former.kvm_former_vcpu == 0
    assert not hart.irq_off


def test_the_lock_of_the_chain_is_held_around_the_entry_alone() -> None:
    k = kernels.booted(V7_3, [1])
    idle, lock, held = k.add_thread("idle/0", 0), k.cpu_pm_notifier_lock, []
    for op in k.do_idle(idle):
        op.begin(idle)
        op.end(idle)
        held.append((op, bool(lock.inside)))
    at = [op for op, _ in held].index(POWER_DOWN)
    assert held[0] == (GO_IDLE, False)
    assert all(inside for _, inside in held[1 : at - 1])
    assert not any(inside for _, inside in held[at - 1 :])


def test_a_cpu_that_is_disabled_is_left_alone() -> None:
    k = kernels.booted(V7_3, [1, 1])
    swapper = k.threads[0]
    kernels.result(k.kvm_disable_virtualization_cpu(swapper, swapper), swapper)
    idle = k.add_thread("idle/0", 0)
    kernels.result(k.do_idle(idle), idle)
    assert (k.hart[0].sgeie, k.hart[0].hvictl, k.hart[0].hvien) == (0, 0, 0)


def test_the_module_registers_first_and_unregisters_after_the_last_cpu() -> None:
    k: Any = kernels.booted(V7_3, [1, 1])
    assert k.globals.kvm_cpu_pm_nb == 1
    for op in k.riscv_kvm_exit(k.threads[0]):
        op.begin(k.threads[0])
        op.end(k.threads[0])
        enabled = any(each.virtualization_enabled for each in k.per_cpu)
        assert k.globals.kvm_cpu_pm_nb or not enabled
    assert (k.globals.kvm_cpu_pm_nb, k.globals.hgei_parent_irq) == (0, 0)


SCENES = {
    "sleeper": (SLEEPER, GUEST),
    "destroyed": ({"name": "monitor", "hart": 0, "does": ["destroy v1"]},),
    "hotplug": (
        {"name": "vcpu/v1", "vcpu": "v1", "does": ["block"]},
        {"name": "cpuhp/1", "hart": 1, "does": ["offline 1", "online 1"]},
    ),
}


@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_found_in_v7_3_but_what_is_known(name: str) -> None:
    """PM-2 and PM-5 of the findings."""
    assert found(V7_3, *SCENES[name]) <= KNOWN


RELOAD = {"name": "modprobe", "hart": 0, "does": ["unload", "load"]}


def test_nothing_is_found_while_the_module_goes_and_comes() -> None:
    """PM-3: no CPU has SGEI enabled that is disabled."""
    assert found(V7_3, RELOAD, vcpu=False) == set()


@pytest.mark.parametrize("variant", ["v7.3+PM-0", "v7.2+PM-0", "v6.12+PM-0"])
def test_pm_0(variant: str) -> None:
    ids = found(variant, *SCENES["sleeper"])
    assert {"lost-wakeup:vcpu", "deaf:vcpu", "register:hie.SGEIE"} <= ids
    assert ("foreign-registers:vcpu" in ids) == (variant != "v6.12+PM-0"), "FV-1, the third way"


class RestoresNoHgeie(CpuPm):
    """EXIT forgets HGEIE."""

    def kvm_riscv_aia_pm_exit(k, current: Any) -> Path[None]:
        """As if nothing had been armed."""
        k.hgei[current.cpu].saved_hgeie = 0
        yield from super().kvm_riscv_aia_pm_exit(current)


class EnablesNoSgei(CpuPm):
    """EXIT forgets hie.SGEIE."""

    def kvm_riscv_aia_pm_exit(k, current: Any) -> Path[None]:
        """All but hie.SGEIE."""
        yield from super().kvm_riscv_aia_pm_exit(current)
        current.hart.sgeie = 0


class SavesNothing(CpuPm):
    """ENTER does not look at HGEIE."""

    def kvm_riscv_aia_pm_enter(k, current: Any) -> Path[None]:
        """Nothing of AIA."""
        yield from ()


class KeepsFormer(CpuPm):
    """ENTER does not forget which vCPU was here."""

    def kvm_cpu_pm_enter(k, current: Any) -> Path[None]:
        """Without step 6."""
        here: Any = k.per_cpu[current.cpu]
        former = here.kvm_former_vcpu
        yield from super().kvm_cpu_pm_enter(current)
        here.kvm_former_vcpu = former


class AsksNoFlag(CpuPm):
    """A CPU PM event is KVM's whether its CPU is enabled or not (PM-3)."""

    def is_pm_event_for_kvm(k, current: Any) -> Path[int]:
        """Always."""
        yield from ()
        return 1


@pytest.mark.parametrize(
    ("patch", "scene", "wanted"),
    [
        (RestoresNoHgeie, "sleeper", "lost-wakeup:vcpu"),
        (EnablesNoSgei, "sleeper", "lost-wakeup:vcpu"),
        (SavesNothing, "sleeper", "lost-wakeup:vcpu"),
        (KeepsFormer, "sleeper", "foreign-registers:vcpu"),
        (AsksNoFlag, "reload", "register:hie.SGEIE"),
    ],
)
def test_a_patch_that_breaks_it_is_found(
    monkeypatch: pytest.MonkeyPatch, patch: type[CpuPm], scene: str, wanted: str
) -> None:
    name = f"own.py:{patch.__name__}"
    monkeypatch.setitem(OWN, name, patch)
    unload = {"name": "modprobe", "hart": 0, "does": ["unload"]}
    tasks = SCENES.get(scene, (unload,))
    assert wanted in found(f"{V7_2}+{name}", *tasks, vcpu=scene != "reload")


@pytest.mark.parametrize("variant", [V6_12, V7_2])
def test_a_kernel_that_does_not_expect_it_is_refused(variant: str) -> None:
    scenario = load_scenario("idle-power", {"variant": variant})
    for start in (space_of, simulate):
        with pytest.raises(InputError, match=r"v7\.3, or cpu-pm on top") as refused:
            start(scenario)
        assert f"{variant}+PM-0" in str(refused.value)


@pytest.mark.parametrize("does", [["power_down 0"], ["power_down 1", "msi v1"]])
def test_an_idle_task_does_nothing_else_and_that_on_its_own_hart(does: list[str]) -> None:
    scenario = {
        "machine": TWO,
        "vcpu": [{"name": "v1", "hart": 1}],
        "task": [{"name": "idle/1", "hart": 1, "does": does}],
    }
    with pytest.raises(InputError, match="HART"):
        scenario_from(scenario)


def test_in_time_a_hart_powers_down_while_its_vcpu_sleeps() -> None:
    """The bug is seen as well, and is gone in v7.3."""
    for variant, deaf in ((V7_3, False), ("v7.3+PM-0", True)):
        simulation = simulate(load_scenario("idle-power", {"variant": variant}))
        simulation.run(3_000_000)
        assert ("deaf:vcpu" in simulation.findings) == deaf


def test_a_check_of_a_file_refuses_what_its_kernel_lacks(tmp_path: Any) -> None:
    file = tmp_path / "idle.toml"
    file.write_text(
        "[machine]\nharts = [{ count = 2, guest_files = 1 }]\n[kernel]\nvariant = 'v6.12'\n"
        '[[task]]\nname = "idle/1"\nhart = 1\ndoes = ["power_down 1"]\n'
    )
    output = hgeisim("scenario", "check", str(file))
    assert output.status == 2
    assert 'task[0].does[0] = "power_down 1": needs a kernel that expects HARTs' in output.err
    assert "v6.12+PM-0" in output.err
