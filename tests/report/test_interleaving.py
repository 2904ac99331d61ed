"""A schedule as text."""

from __future__ import annotations

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.replay import Change, StepTaken
from hgeisim.report.interleaving import interleaving
from tests.support.golden import check_golden


def step(
    context: str, function: str, op: str = "step", *changes: tuple[str, int, int]
) -> StepTaken:
    return StepTaken(context, 0, function, op, tuple(Change(*c) for c in changes), ())


STEPS = [
    step("destroy/v1", "", "step"),
    step("destroy/v1", "imsic_cleanup", "step", ("v1.vsfile_cpu", 0, -1)),
    step("cpuhp/0", "aia_disable", "lock hgei0.lock", ("hgei0.lock.next", 1, 2)),
    step("cpuhp/0", "aia_disable", "step", ("hgei0.free_bitmap", 0, 6)),
    StepTaken(
        "vcpu/v2", 1, "alloc_hgei", "step", (Change("v2.vsfile_cpu", -1, 0, "imsic_update"),),
        (Finding("double-owner", "hgei", "HART 0 line 1 is the VS-file of v1 and of v2"),),
    ),
]  # fmt: skip


def test_runs_of_one_function_are_one_entry() -> None:
    check_golden("interleaving", "\n".join(interleaving(STEPS)) + "\n")


def test_everything_shows_each_step_and_cell() -> None:
    lines = interleaving(STEPS, everything=True)
    assert sum("aia_disable" in line for line in lines) == 2
    assert any("hgei0.lock.next 1 -> 2" in line for line in lines)


def test_lines_fit_a_mail() -> None:
    many = [step("t", "f", "step", *[(f"hart{i}.hgeie", i, i + 1) for i in range(40)])]
    assert max(map(len, interleaving(many, everything=True))) <= 80
