"""A schedule as text."""

from __future__ import annotations

import pytest

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.replay import Change, StepTaken
from hgeisim.report.interleaving import interleaving
from hgeisim.report.kernel_names import in_c
from tests.support.golden import check_golden


def step(
    context: str, function: str, op: str = "step", *changes: tuple[str, int, int]
) -> StepTaken:
    return StepTaken(context, 0, function, op, tuple(Change(*c) for c in changes), ())


VCPUS = {1: "v1", 2: "v2"}
STEPS = [
    step("destroy/v1", "", "step"),
    step("destroy/v1", "imsic_cleanup", "step", ("v1.vsfile_cpu", 0, -1)),
    step("cpuhp/0", "aia_disable", "lock hgei0.lock", ("hgei0.lock.next", 1, 2)),
    step("cpuhp/0", "aia_disable", "step", ("hgei0.free_bitmap", 0, 6), ("hgei0.owners[1]", 1, 0)),
    StepTaken(
        "vcpu/v2", 1, "alloc_hgei", "step", (Change("v2.vsfile_cpu", -1, 0, "imsic_update"),),
        (Finding("double-owner", "hgei", "HART 0 line 1 is the VS-file of v1 and of v2"),),
    ),
]  # fmt: skip


def test_runs_of_one_function_are_one_entry() -> None:
    check_golden("interleaving", "\n".join(interleaving(STEPS, VCPUS)) + "\n")


def test_everything_shows_each_step_and_cell() -> None:
    lines = interleaving(STEPS, VCPUS, everything=True)
    assert sum("aia_disable" in line for line in lines) == 2
    assert "aia_hgei[0].lock.next: 1 -> 2" in " ".join(" ".join(lines).split())


def test_lines_fit_a_mail() -> None:
    many = [step("t", "f", "step", *[(f"hart{i}.hgeie", i, i + 1) for i in range(40)])]
    assert max(map(len, interleaving(many, VCPUS, everything=True))) <= 80


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lock hgei0.lock", "lock aia_hgei[0].lock"),
        ("hgei11.owners[1]", "aia_hgei[11].owners[1]"),
        ("write_lock v1.vsfile_lock", "write_lock imsic->vsfile_lock of v1"),
        ("vm0/1.vsfile_cpu", "imsic->vsfile_cpu of vm0/1"),
        ("v1.swfile.eip", "imsic->swfile->eip of v1"),
        ("v1.vsfile_lock.readers", "imsic->vsfile_lock.readers of v1"),
        ("vcpu/v1.state", "p->__state of vcpu/v1"),
        ("rq3.lock (W), held", "cpu_rq(3)->__lock (W), held"),
        ("cpu0.virtualization_enabled", "virtualization_enabled[0]"),
        ("globals.kvm_usage_count", "kvm_usage_count"),
        ("hart2.online", "cpu_online(2)"),
        ("hart2.hgeie", "hart2.hgeie"),
        ("v7.0+docs/race_patch.py:FastPath, 4.5 s", "v7.0+docs/race_patch.py:FastPath, 4.5 s"),
    ],
)
def test_cells_and_locks_have_the_names_of_c(text: str, name: str) -> None:
    assert in_c(text) == name
