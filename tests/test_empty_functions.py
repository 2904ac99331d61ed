"""A function that does nothing, in place of one of the kernel, is noticed."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path

import pytest

from hgeisim.cli.own_patch import execute
from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.kernel.variants import find_variant, variant_problem
from hgeisim.scenario.load import load_scenario

BASE = "v7.1"
SCENARIOS = (
    *("moved-sleeper", "one-vm", "stale-attr", "module-exit", "on-swfile", "reused-line"),
    *("reset-release", "contend"),
)
"""The quick ones first; a function that one of them notices is not tried in the others."""
STATES = 400_000
QUICK = ("imsic_vsfile_local_update", "imsic_swfile_read", "irqfd_wakeup", "hgei_interrupt")
NOTICED = (
    "aia_hgei_init",
    "disable_sgei",
    "enable_sgei",
    "gstage_set_pte",
    "guest_mode",
    "hgei_interrupt",
    "imsic_page_write",
    "imsic_swfile_extirq_update",
    "imsic_swfile_read",
    "imsic_swfile_update",
    "imsic_vsfile_local_read",
    "imsic_vsfile_local_update",
    "imsic_vsfile_read",
    "irqfd_wakeup",
    "kvm_arch_vcpu_put",
    "kvm_disable_virtualization",
    "kvm_disable_virtualization_cpu",
    "kvm_make_vcpus_request_mask",
    "kvm_offline_cpu",
    "kvm_riscv_aia_disable",
    "kvm_riscv_aia_enable",
    "kvm_riscv_aia_free_hgei",
    "kvm_riscv_hfence_gvma_vmid_gpa",
    "kvm_riscv_vcpu_aia_has_interrupts",
    "kvm_riscv_vcpu_aia_imsic_inject",
    "kvm_riscv_vcpu_aia_imsic_release",
    "kvm_riscv_vcpu_set_interrupt",
    "kvm_vcpu_check_block",
    "kvm_vcpu_kick",
    "schedule",
    "switch_to_others",
    "task_rq_lock",
    "ttwu_runnable",
)
"""Those that are; of the others some do nothing in v7.1, some only read, some need a scenario."""


def functions() -> list[str]:
    """All functions of the kernel that are paths."""
    found = inspect.getmembers(find_variant(BASE), inspect.isgeneratorfunction)
    return [name for name, _ in found if not name.startswith("_")]


def text_of(name: str) -> str:
    """A patch with one function that does nothing, and returns 0."""
    parameters = inspect.signature(getattr(find_variant(BASE), name)).parameters.values()
    header = ", ".join(str(each.replace(annotation=each.empty)) for each in parameters)
    body = "yield from ()\n        return 0\n"
    lines = "from hgeisim.kernel.module import Module\n\n\nclass Empty(Module):\n"
    return f"{lines}    def {name}({header}):\n        {body}"


def found_in(scenario: str, variant: str, known: frozenset[str]) -> set[str]:
    """What a search finds that is not known, up to the first such finding."""
    space = space_of(load_scenario(scenario, {"variant": variant}, variant_problem))
    verdict = exhaustive(space, STATES, enough=lambda finding: finding not in known)
    return set(verdict.counterexamples) - known


@cache
def of_the_base(scenario: str) -> frozenset[str]:
    space = space_of(load_scenario(scenario, {"variant": BASE}))
    return frozenset(exhaustive(space, STATES).counterexamples)


def noticed(folder: Path, name: str) -> set[str]:
    patch = folder / f"{name}.py"
    patch.write_text(text_of(name))
    variant = f"{BASE}+{patch}:Empty"
    execute(variant)
    for scenario in SCENARIOS:
        new = found_in(scenario, variant, of_the_base(scenario))
        if new:
            return new
    return set()


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_an_empty_function_is_noticed(tmp_path: Path, name: str) -> None:
    assert noticed(tmp_path, name)


@pytest.mark.proof
@pytest.mark.parametrize("name", NOTICED)
def test_every_empty_function_is_noticed(tmp_path: Path, name: str) -> None:
    assert noticed(tmp_path, name)


def test_they_exist() -> None:
    assert set(NOTICED) <= set(functions())
