"""suspend.c: a host that is suspended to RAM, and what its guests find when it resumes."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.suspend import Suspend
from hgeisim.kernel.variants import OWN, variant_problem
from hgeisim.machine.idle import POWER_DOWN
from hgeisim.machine.ops import Path
from hgeisim.machine.shared import Memory
from hgeisim.scenario.load import load_scenario
from tests.support import kernels
from tests.support.kernels import V6_12, V7_0, V7_2, V7_3
from tests.support.steps import in_order, story

FV_1 = "foreign-registers:vcpu"


def found(variant: str) -> set[str]:
    """The ids that a search finds."""
    space = space_of(load_scenario("suspend", {"variant": variant}, variant_problem))
    return set(exhaustive(space, 200_000).counterexamples)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "shown"), [(V6_12, set()), (V7_2, {FV_1}), (V7_3, set())])
def test_a_guest_comes_back_with_its_registers_but_for_fv_1(variant: str, shown: set[str]) -> None:
    assert found(variant) == shown


@pytest.mark.parametrize("variant", [V6_12, V7_3])
def test_the_others_go_down_and_the_boot_cpu_is_disabled_with_interrupts_off(variant: str) -> None:
    memory = Memory()
    k = kernels.booted(variant, [1, 1, 1], memory)
    told = story(memory, k.suspend_enter(k.threads[0]), k.threads[0])
    order = ["cpuhp/1 goes on", "hart1.online = 0", "cpuhp/2 goes on", "hart2.online = 0"]
    order += ["cpuhp/0 goes on", "local_irq_disable", "cpu0.virtualization_enabled = 0"]
    order += ["lock cpu_pm_notifier.lock", "power down", "cpu0.virtualization_enabled = 1"]
    order += ["local_irq_enable", "cpuhp/1 goes on", "hart1.online = 1", "hart2.online = 1"]
    assert in_order(told, *order, "cpuhp/0 goes on") == []
    assert [cpu.virtualization_enabled for cpu in k.per_cpu] == [1, 1, 1]


def test_a_cpu_that_was_offline_before_stays_so() -> None:
    k = kernels.booted(V7_3, [1, 1, 1])
    boot_cpu = k.threads[0]
    boot_cpu.cpu = 1
    kernels.result(k.cpu_down(boot_cpu, 1), boot_cpu)
    boot_cpu.cpu = 0
    kernels.result(k.suspend_enter(boot_cpu), boot_cpu)
    assert [hart.online for hart in k.hart] == [1, 0, 1]


def test_the_boot_cpu_has_what_kvm_needs_again() -> None:
    k = kernels.booted(V7_3, [2, 2])
    kernels.owner_on(k, "a", 0)
    hart = k.hart[0]
    before = hart.sgeie, hart.hvictl, hart.hvien
    lost: list[int] = []
    for op in k.suspend_enter(k.threads[0]):
        op.begin(k.threads[0])
        op.end(k.threads[0])
        if op is POWER_DOWN:
            lost = [hart.sgeie, hart.hvictl, hart.hvien]
            assert k.vcpu(1).vsfile_cpu == -1, "its line was taken away"
    assert lost == [0, 0, 0]
    assert (hart.sgeie, hart.hvictl, hart.hvien) == before == (1, 1, 1)


def test_in_time_all_rest_before_anything_goes_down_and_go_on_afterwards() -> None:
    simulation = simulate(load_scenario("suspend"))
    simulation.run(20_000_000)
    k = simulation.k
    assert not simulation.findings
    assert all(hart.online and hart.active for hart in k.hart)
    assert (k.freezer.freezing, k.vcpu(1).stop) == (0, 0)
    assert k.vcpu(1).vsfile_cpu >= 0, "its guest was entered again"


class LeavesKvmOn(Suspend):
    """The boot CPU loses its power with virtualization enabled."""

    def kvm_suspend(k, current: Any) -> Path[None]:
        """Nothing."""
        yield from ()


class ForgetsToResume(Suspend):
    """The boot CPU comes back without virtualization."""

    def kvm_resume(k, current: Any) -> Path[None]:
        """Nothing."""
        yield from ()


class WaitsForNobody(Suspend):
    """User space goes on while the host goes down."""

    def signal_all(k, current: Any, stop: int) -> Path[None]:
        """No vCPU leaves KVM_RUN for it."""
        yield from ()


@pytest.mark.slow
@pytest.mark.parametrize("patch", [LeavesKvmOn, ForgetsToResume, WaitsForNobody])
def test_a_broken_patch_is_found(patch: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN, "own.py:Own", patch)
    assert not found(V7_0)
    assert found(f"{V7_0}+own.py:Own")
