"""Reports that lockdep printed on a real 7.3.4 show on v7.3: B-08, B-09 and B-23 (F-4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim import lockorder
from tests.support.commands import hgeisim

BASELINE = (Path(lockorder.__path__[0]) / "baselines/v7.3.txt").read_text().splitlines()
CIRCLE = {
    "imsic->swfile_extirq_lock < p->pi_lock": "try_to_wake_up",
    "p->pi_lock < rq->__lock": "try_to_wake_up",
    "rq->__lock < imsic->vsfile_lock": "kvm_riscv_vcpu_aia_imsic_put",
    "imsic->vsfile_lock < imsic->swfile_extirq_lock": "imsic_swfile_extirq_update",
}
"""The chain that lockdep printed for B-09: each dependency, and where its second lock is taken. The
real one had seen `p->pi_lock < rq->__lock` in wake_up_new_task, when it booted."""


def shown(command: str, scenario: str, finding: str) -> str:
    """The text of a finding on v7.3."""
    result = hgeisim(command, scenario, "--variant", "v7.3", "--json").document()
    (text,) = (each["text"] for each in result["findings"] if each["id"] == finding)
    return str(text)


@pytest.mark.parametrize("dependency", CIRCLE)
def test_each_dependency_of_the_circle(dependency: str) -> None:
    (line,) = (each for each in BASELINE if each.startswith(f"edge {dependency} "))
    assert line.endswith(f" {CIRCLE[dependency]}")


def test_the_circle_closes() -> None:
    locks = [each.split(" < ") for each in CIRCLE]
    assert [there for _, there in locks] == [here for here, _ in (*locks[1:], locks[0])]


@pytest.mark.slow
def test_invalid_wait_context() -> None:
    text = shown("run", "big-little", "wait-context:imsic->vsfile_lock rq->__lock")
    assert "in kvm_riscv_vcpu_aia_imsic_put wants" in text
    assert "while it has rq1.lock (W) since schedule" in text


@pytest.mark.slow
def test_inconsistent_lock_state_at_poweroff() -> None:
    """Taken for writing in a hardirq of kvm_shutdown, and elsewhere with interrupts on."""
    finding = "irq-usage:kvm->mmu_lock IN-HARDIRQ-W HARDIRQ-ON-W"
    text = shown("explore", "host-shutdown", finding)
    assert "kvm_disable_virtualization_cpu in kvm_riscv_mmu_iounmap" in text
