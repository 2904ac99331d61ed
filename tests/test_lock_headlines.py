"""Reports begin with the line that lockdep prints, and name its classes and functions.

The right answers are what lockdep printed on unmodified kernels (v7.3.4) for B-08, B-09 and B-23.
"""

from __future__ import annotations

from functools import cache

import pytest

from hgeisim.drivers.lock_survey import survey
from hgeisim.lockorder.report import Report
from hgeisim.lockorder.text import HEADLINES, TITLES, text_of
from hgeisim.scenario.load import load_scenario


@cache
def reports(scenario: str) -> dict[str, Report]:
    """The reports of a scenario by the id of their finding."""
    return survey([(scenario, load_scenario(scenario))]).reports()


@pytest.mark.slow
def test_b08() -> None:
    report = reports("hotplug-storm")["wait-context:imsic->vsfile_lock rq->__lock"]
    lines = text_of(report).splitlines()
    assert lines[0] == "[ BUG: Invalid wait context ]"
    assert [view.cls for view in report.held] == ["vcpu->mutex", "rq->__lock"]
    called = ["kvm_riscv_vcpu_aia_imsic_put", "kvm_riscv_vcpu_aia_put", "kvm_arch_vcpu_put"]
    assert [*report.stack[::-1]][:4] == [*called, "kvm_sched_out"]


@pytest.mark.slow
def test_b09_has_four_edges() -> None:
    report = reports("hotplug-storm")["circular:imsic->vsfile_lock -SN-> rq->__lock -EN->"]
    lines = text_of(report).splitlines()
    assert lines[0] == "WARNING: possible circular locking dependency detected"
    classes = ["imsic->vsfile_lock", "imsic->swfile_extirq_lock", "p->pi_lock", "rq->__lock"]
    assert f"In full:  {' < '.join([*classes, classes[0]])}" in lines
    functions = {link.stack[-1] for link in report.chain}
    assert functions == {"try_to_wake_up", "kvm_riscv_vcpu_aia_imsic_put"}


@pytest.mark.slow
def test_b23() -> None:
    report = reports("host-shutdown")["irq-usage:kvm->mmu_lock IN-HARDIRQ-W HARDIRQ-ON-W"]
    assert text_of(report).splitlines()[0] == "WARNING: inconsistent lock state"
    assert [str(mark.bit) for mark in report.marks] == ["HARDIRQ-ON-W", "IN-HARDIRQ-W"]
    assert report.marks[0].stack[-1] == "kvm_riscv_mmu_ioremap"
    assert report.marks[1].stack[-2:] == (
        "kvm_riscv_vcpu_aia_imsic_release",
        "kvm_riscv_mmu_iounmap",
    )


def test_each_headline_is_of_a_kind() -> None:
    assert HEADLINES.keys() <= TITLES.keys()
