"""Known findings of lock order, and what a patch adds to them.

What a patch adds is new, however like a known finding it looks.  A longer way of a known cycle is
known; one new dependency makes it new.
"""

from __future__ import annotations

import pytest

from hgeisim.checks.finding import of_ids
from hgeisim.checks.known import entries, hazard, known, new_findings
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.variants import OWN
from hgeisim.kernel.variants.v7_0 import V7_0
from hgeisim.lockorder.baseline.baseline import cycle_of
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    Path,
)
from hgeisim.machine.task import Runner
from hgeisim.scenario.load import load_scenario
from hgeisim.watch.lock_report import finding_of
from tests.support.kernels import BASES, V6_12

MS = 1_000_000
WFI = "kvm_riscv_vcpu_wfi"


class ReadsInHandler(V7_0):
    """hgei_interrupt looks where a vCPU has its VS-file."""

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt with the patch."""
        yield from super().hgei_interrupt(current)
        vcpu = k.vcpu(1)
        yield vcpu.vsfile_lock.read_lock_irqsave
        yield vcpu.vsfile_lock.read_unlock_irqrestore


class UnmapsInHandler(V7_0):
    """hgei_interrupt takes the guest's page away."""

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt with the patch."""
        yield from super().hgei_interrupt(current)
        yield from k.kvm_riscv_mmu_iounmap(current, k.vcpu(1))


class FencesMasked(V7_0):
    """The guest's page is fenced with interrupts off."""

    def imsic_swfile_read(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """imsic_swfile_read with the patch."""
        yield LOCAL_IRQ_DISABLE
        yield from k.kvm_riscv_hfence_gvma_vmid_gpa(current, vcpu)
        yield LOCAL_IRQ_ENABLE
        yield from super().imsic_swfile_read(current, vcpu)


class ReadsAtomic(V7_0):
    """Whether an interrupt is there is asked with preemption off, which PREEMPT_RT forbids."""

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Runner, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_has_interrupts with the patch."""
        yield PREEMPT_DISABLE
        ret = yield from super().kvm_riscv_vcpu_aia_has_interrupts(current, vcpu)
        yield PREEMPT_ENABLE
        return ret


def found(scenario: str, preemption: str, monkeypatch: pytest.MonkeyPatch, patch: type) -> set[str]:
    """The findings of lock order that a patch adds and nobody knows."""
    monkeypatch.setitem(OWN, "test.py:Patch", patch)
    variant = "v7.0+test.py:Patch"
    simulation = simulate(load_scenario(scenario, {"variant": variant, "preemption": preemption}))
    simulation.run(6 * MS)
    new = new_findings(simulation.causes, variant, realtime=preemption == "rt")
    return {each for each in new if each.startswith(("wait-", "irq-", "ipi-", "circular"))}


@pytest.mark.slow
@pytest.mark.parametrize("preemption", ["none", "rt"])
@pytest.mark.parametrize("scenario", ["big-little", "virt-guests7", "host-shutdown"])
def test_without_a_patch_there_is_nothing(
    scenario: str, preemption: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = type("Nothing", (V7_0,), {"__module__": __name__})
    assert found(scenario, preemption, monkeypatch, nothing) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "preemption", "expected"),
    [
        (ReadsInHandler, "none", {"wait-context:imsic->vsfile_lock hardirq in hgei_interrupt"}),
        (
            UnmapsInHandler,
            "none",
            {
                "wait-context:kvm->mmu_lock hardirq in hgei_interrupt",
                "wait-context:vcpu->hfence_lock hardirq in hgei_interrupt",
                "ipi-irqs-off:kvm_make_vcpus_request_mask hardirq in hgei_interrupt",
            },
        ),
        (
            FencesMasked,
            "none",
            {
                "ipi-irqs-off:kvm_make_vcpus_request_mask hardirqs off in "
                "kvm_riscv_vcpu_aia_imsic_update"
            },
        ),
        (ReadsAtomic, "rt", {f"wait-context:imsic->vsfile_lock preemption off in {WFI}"}),
    ],
)
@pytest.mark.proof
def test_a_patch_that_does_the_same_elsewhere_is_new(
    patch: type, preemption: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found("virt-guests7", preemption, monkeypatch, patch) >= expected


def test_every_finding_is_named_exactly() -> None:
    ids = [finding for entry in entries() for finding in entry.ids]
    assert [finding for finding in ids if set(finding) & set("*?[")] == []


@pytest.mark.parametrize(
    ("finding", "variant", "realtime"),
    [
        ("wait-context:imsic->vsfile_lock rq->__lock", "v7.0", False),
        ("wait-context:imsic->vsfile_lock rq->__lock", "v7.0+percpu-v5", True),
        ("irq-usage:imsic->vsfile_lock IN-HARDIRQ-W HARDIRQ-ON-W", "v6.12", True),
    ],
)
def test_known_there_and_not_elsewhere(finding: str, variant: str, realtime: bool) -> None:
    """imsic_put is of v6.16; without PREEMPT_RT vsfile_lock is held with interrupts off."""
    assert known(finding, variant, realtime) is not None
    other, rt = (variant, False) if realtime and "irq-usage" in finding else ("v6.12", realtime)
    assert known(finding, other, rt) is None


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_what_vsfile_lock_inverts_on_preempt_rt_follows_from_b_08(base: str) -> None:
    """Each chain ends where imsic_put takes vsfile_lock inside rq->__lock; v6.12 has none."""
    given = {"variant": base, "preemption": "rt"}
    simulation = simulate(load_scenario("virt-guests7", given))
    simulation.run(6 * MS)
    assert simulation.lock_order is not None
    reports = [r for r in simulation.lock_order.validator.reports if r.kind.startswith("irq-")]
    assert {report.marks[0].cls for report in reports} == (
        set() if base == V6_12 else {"rq->__lock", "p->pi_lock", "hgctrl->lock"}
    )
    for report in reports:
        last = report.chain[-1]
        assert (last.source, last.target) == ("rq->__lock", "imsic->vsfile_lock")
        assert last.stack[-1] == "kvm_riscv_vcpu_aia_imsic_put"
        name = known(finding_of(report).id, base, realtime=True)
        assert name is not None
        assert name.name == "B-08"


LONGER = (
    "circular-instances:imsic->swfile_extirq_lock -EN-> p->pi_lock -EN-> "
    "rq->__lock -EN-> imsic->vsfile_lock -SN->"
)


def test_a_cycle_is_read_from_an_id() -> None:
    cycle = cycle_of("circular-one-task:a -EN-> b -SR->")
    assert cycle is not None
    assert cycle.edges == (("a", "b", "EN"), ("b", "a", "SR"))
    assert cycle_of("recursion:hgctrl->lock W W") is None
    assert cycle_of("circularity:a -EN->") is None


@pytest.mark.parametrize("variant", ["v6.16", "v7.0", "v7.0+percpu-v5", "v7.0+my.py:Mine"])
def test_the_longer_way_of_b09_is_known(variant: str) -> None:
    assert new_findings(of_ids([LONGER]), variant) == []
    assert hazard(LONGER, variant) == "B-09"


NEW = {
    "a dependency that the base has not": LONGER.replace("p->pi_lock", "kvm->slots_lock"),
    "one of another kind": LONGER.replace("swfile_extirq_lock -EN", "swfile_extirq_lock -ER"),
    "another order": "circular:imsic->vsfile_lock -SN-> rq->__lock -EN-> p->pi_lock -EN->",
    "no known cycle in it": "circular:kvm->lock -EN-> vcpu->mutex -EN->",
    "only a part of one": "circular:imsic->vsfile_lock -SN-> p->pi_lock -EN->",
}


@pytest.mark.parametrize("finding", NEW.values(), ids=NEW)
def test_one_new_dependency_makes_it_new(finding: str) -> None:
    assert new_findings(of_ids([finding]), "v7.0+my.py:Mine") == [finding]


def test_it_is_new_where_the_known_cycle_is_not_there() -> None:
    assert new_findings(of_ids([LONGER]), "v6.12") == [LONGER]
