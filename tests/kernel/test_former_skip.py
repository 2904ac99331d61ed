"""Loading a vCPU without its registers (v7.0 with former-skip, v7.2, v7.3), and who must not."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

import pytest

from hgeisim.checks.catalogue import is_note
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.kernel.variants import OWN, variant_problem
from hgeisim.kernel.variants.former_skip import FormerSkip
from hgeisim.machine.ops import Path
from hgeisim.scenario.load import load_scenario, scenario_from
from tests.support import kernels
from tests.support.kernels import V7_2, V7_3

SKIPS = ("v7.0+former-skip", V7_2, V7_3)
FOUND = "foreign-registers:vcpu"


def written(k: Any, vcpu: Any, cpu: int) -> bool:
    """Whether a load on a CPU writes the registers of a vCPU."""
    here = k.hart[cpu]
    here.registers_of, before = 99, here.registers_of
    vcpu.thread.cpu = cpu
    kernels.result(k.vcpu_load(vcpu.thread, vcpu), vcpu.thread)
    wrote = bool(here.registers_of != 99)
    if not wrote:
        here.registers_of = before
    kernels.result(k.vcpu_put(vcpu.thread, vcpu), vcpu.thread)
    return wrote


@pytest.mark.parametrize("variant", SKIPS)
def test_a_load_writes_nothing_where_the_vcpu_was_last(variant: str) -> None:
    k = kernels.booted(variant, [2, 2])
    a, b = (kernels.owner_on(k, name, 0) for name in "ab")
    assert (written(k, b, 0), written(k, a, 0), written(k, a, 0)) == (False, True, False)
    kernels.run(k, a, 1)
    assert written(k, a, 0), "it was left elsewhere"
    assert written(k, a, 0), "and its guest was not here since"
    kernels.run(k, a, 0)
    assert not written(k, a, 0)
    changed: Any = a
    changed.csr_dirty = 1
    assert (written(k, a, 0), changed.csr_dirty) == (True, 0)
    changed.last_exit_cpu = -1
    assert written(k, a, 0), "it was reset"


@pytest.mark.parametrize("variant", SKIPS)
def test_a_cpu_that_is_disabled_forgets_only_in_v7_3(variant: str) -> None:
    k = kernels.booted(variant, [1, 1])
    a = kernels.owner_on(k, "a", 0)
    swapper = k.threads[0]
    kernels.result(k.kvm_disable_virtualization_cpu(swapper, swapper), swapper)
    assert k.hart[0].registers_of == 0
    kernels.result(k.kvm_enable_virtualization_cpu(swapper), swapper)
    assert written(k, a, 0) == (variant == V7_3)


class NeverWrites(FormerSkip):
    """A load that trusts the CPU."""

    def registers_to_be_written(k, current: Any, vcpu: Any) -> Path[int]:
        """Nothing."""
        yield from ()
        return 0


class ForgetsWhoWasHere(FormerSkip):
    """A load that looks only where the vCPU was left."""

    def registers_to_be_written(k, current: Any, vcpu: Any) -> Path[int]:
        """Whether it ran elsewhere."""
        yield from ()
        return int(vcpu.last_exit_cpu != current.cpu)


class KeepsOldExit(FormerSkip):
    """Where the guest was left is noted once."""

    def kvm_riscv_vcpu_enter_exit(k, current: Any, vcpu: Any) -> Path[int]:
        """last_exit_cpu stays what it was."""
        before = vcpu.last_exit_cpu
        reason = yield from super().kvm_riscv_vcpu_enter_exit(current, vcpu)
        if before >= 0:
            vcpu.last_exit_cpu = before
        return reason


class SavesNothing(FormerSkip):
    """A put that leaves the registers on the CPU."""

    def kvm_arch_vcpu_put(k, current: Any, vcpu: Any) -> Path[None]:
        """The registers stay where they are."""
        yield from super(FormerSkip, k).kvm_arch_vcpu_put(current, vcpu)


def found(name: str, variant: str) -> set[str]:
    """The ids that a search of a scenario finds."""
    space = space_of(load_scenario(name, {"variant": variant}, variant_problem))
    return set(exhaustive(space, 400_000).counterexamples)


@pytest.mark.slow
@pytest.mark.parametrize("patch", [NeverWrites, ForgetsWhoWasHere, SavesNothing])
def test_a_patch_that_loses_registers_is_found(
    monkeypatch: pytest.MonkeyPatch, patch: type[FormerSkip]
) -> None:
    name = f"own.py:{patch.__name__}"
    monkeypatch.setitem(OWN, name, patch)
    assert FOUND in found("contend", f"{V7_3}+{name}")


@pytest.mark.parametrize(("patch", "kept"), [("", True), ("+own.py:KeepsOldExit", False)])
def test_where_the_guest_was_left_has_to_be_noted(
    monkeypatch: pytest.MonkeyPatch, patch: str, kept: bool
) -> None:
    monkeypatch.setitem(OWN, "own.py:KeepsOldExit", KeepsOldExit)
    k = kernels.booted(V7_3 + patch, [1, 1])
    a = kernels.owner_on(k, "a", 0)
    kernels.run(k, a, 1)
    kernels.run(k, a, 0)
    assert (k.hart[0].registers_of == a.id) == kept


@pytest.mark.proof
@pytest.mark.parametrize(
    ("variant", "shown"), [("v7.0", False), ("v7.0+former-skip", True), (V7_2, True), (V7_3, False)]
)
def test_fv_1(variant: str, shown: bool) -> None:
    assert (FOUND in found("replugged-sleeper", variant)) == shown


@pytest.mark.proof
@pytest.mark.parametrize("name", ["contend", "few-files", "moved-sleeper", "sleeper-offline"])
def test_v7_3_loses_none(name: str) -> None:
    assert FOUND not in found(name, V7_3)


class Clean(FormerSkip):
    """SET_ONE_REG changes a register and says nothing."""

    def kvm_riscv_vcpu_set_reg_csr(k, vcpu: Any) -> Path[None]:
        yield from super(FormerSkip, k).kvm_riscv_vcpu_set_reg_csr(vcpu)


SET_REGISTER = str(File(__file__).parents[1] / "data/scenarios/set-register.toml")


def test_a_register_that_user_space_writes_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN, "own.py:Clean", Clean)
    found = {}
    for variant in (V7_3, f"{V7_3}+own.py:Clean"):
        space = space_of(load_scenario(SET_REGISTER, {"variant": variant}, variant_problem))
        verdict = exhaustive(space, 1_000)
        assert verdict.coverage == "exhausted"
        found[variant] = {i for i in verdict.counterexamples if not is_note(i)}
    assert [*found.values()] == [set(), {FOUND}]


@pytest.mark.slow
@pytest.mark.parametrize("variant", [V7_2, V7_3])
def test_a_redirected_trap_is_lost_where_the_load_is_skipped(variant: str) -> None:
    assert found("lost-trap", variant) == {FOUND}
    assert not found("lost-trap", f"{variant}+F-9-fixed")
    assert not found("lost-trap", "v7.0")


def test_a_host_that_goes_down_keeps_no_registers() -> None:
    tables = {
        "machine": {"harts": [{"count": 2, "guest_files": 1}]},
        "kernel": {"variant": V7_3, "preemption": "full"},
        "vcpu": [{"name": "v1", "hart": 1}],
        "task": [
            {"name": "vcpu/v1", "vcpu": "v1", "does": ["trap", "trap"]},
            {"name": "reboot", "hart": 0, "does": ["shutdown"]},
        ],
    }
    assert FOUND not in exhaustive(space_of(scenario_from(tables)), 50_000).counterexamples
