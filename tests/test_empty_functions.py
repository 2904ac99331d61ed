"""A function that does nothing, in place of one of the kernel, is noticed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hgeisim.checks.catalogue import is_note
from hgeisim.cli.own_patch import execute
from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.variants import BASES, PATCHES, find_variant, variant_problem
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from tests.empties import NOTICED, OWN, UNSEEN, Notice

STATES = 60_000
SEEDS = 3
"""Runs that the base gets."""
FAST = (
    *("aia_config", "kvm_arch_vcpu_unblocking", "kvm_destroy_vm", "kvm_riscv_aia_exit"),
    *("kvm_riscv_aia_wakeon_hgei", "lower_nr_hgei", "riscv_kvm_exit", "vcpu_put"),
)
"""Those whose test is quick."""
SLOW = (
    *("kvm_arch_vcpu_load", "kvm_riscv_aia_alloc_hgei", "kvm_riscv_hfence_process"),
    *("kvm_riscv_vcpu_flush_interrupts", "request_sgei", "hgei_interrupt", "preempt_schedule"),
)
"""Some of the others; `make proof` has them all."""


def paths_of(variant: str) -> Iterator[str]:
    """The functions of a kernel that are paths."""
    found = inspect.getmembers(find_variant(variant), inspect.isgeneratorfunction)
    return (name for name, _ in found if not name.startswith("_"))


def functions() -> set[str]:
    """Those of all kernels."""
    variants = [*BASES, *(f"{base}+{patch}" for base in BASES for patch in PATCHES)]
    known = (each for each in variants if variant_problem(each) is None)
    return {name for variant in known for name in paths_of(variant)}


def text_of(name: str, base: str) -> str:
    """A patch with one function that does nothing, and returns 0."""
    parameters = inspect.signature(getattr(find_variant(base), name)).parameters.values()
    header = ", ".join(str(each.replace(annotation=each.empty)) for each in parameters)
    body = "yield from ()\n        return 0\n"
    lines = "from hgeisim.kernel.module import Module\n\n\nclass Empty(Module):\n"
    return f"{lines}    def {name}({header}):\n        {body}"


def loaded(folder: Path, notice: Notice, variant: str, seed: int = 1) -> Scenario:
    name = notice.scenario
    if name in OWN:
        (folder / f"{name}.toml").write_text(OWN[name])
        name = str(folder / f"{name}.toml")
    said = {"variant": variant, "seed": seed}
    return load_scenario(name, said, variant_problem, notice.settings)


def found_in(scenario: Scenario, wanted: str = "") -> set[str]:
    """What a search finds, up to what is wanted, or a run."""
    if scenario.task:
        verdict = exhaustive(space_of(scenario), STATES, enough=lambda each: each == wanted)
        return set(verdict.counterexamples)
    simulation = simulate(scenario, record="occupancy")
    simulation.run(scenario.run.until)
    return set(simulation.findings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@cache
def of_the_base(folder: Path, notice: Notice) -> frozenset[str]:
    seeds = range(1, SEEDS + 1)
    scenarios = [loaded(folder, notice, notice.base, seed) for seed in seeds]
    if scenarios[0].task:
        del scenarios[1:]
    return frozenset().union(*map(found_in, scenarios))


def assert_noticed(folder: Path, name: str) -> None:
    notice = NOTICED[name]
    patch = folder / f"{name}.py"
    patch.write_text(text_of(name, notice.base))
    variant = f"{notice.base}+{patch}:Empty"
    execute(variant)
    assert not is_note(notice.finding)
    assert notice.finding in found_in(loaded(folder, notice, variant), notice.finding)
    assert notice.finding not in of_the_base(folder, notice._replace(finding=""))


@pytest.mark.parametrize("name", FAST)
def test_an_empty_function_is_noticed(folder: Path, name: str) -> None:
    assert_noticed(folder, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_an_empty_function_is_noticed_that_takes_longer(folder: Path, name: str) -> None:
    assert_noticed(folder, name)


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(set(NOTICED) - {*FAST, *SLOW}))
def test_every_empty_function_is_noticed(folder: Path, name: str) -> None:
    assert_noticed(folder, name)


def test_every_function_is_noticed_or_has_a_reason() -> None:
    assert sorted(functions() - set(NOTICED) - set(UNSEEN)) == []
    assert sorted({*NOTICED, *UNSEEN} - functions()) == []
    assert sorted(set(NOTICED) & set(UNSEEN)) == []
