"""irqs_pending, its mask and hvip: who changes them, with which lock, and patches that must not."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import IRQ_VS_EXT, IRQ_VS_SOFT
from hgeisim.kernel.variants import OWN, variant_problem
from hgeisim.machine import atomics
from hgeisim.machine.atomics import READ_ONCE, clear_bit, set_bit, xchg
from hgeisim.machine.hart import fls
from hgeisim.machine.ops import STEP, Path
from hgeisim.scenario.load import load_scenario
from tests.support import kernels
from tests.support.kernels import V6_12, V7_0, V7_3
from tests.support.source import ROOT
from tests.support.steps import Context, story

LOST = {"level:software", "lost-wakeup:software"}
AGAIN = {"level:software", "stray:software"}
LOCKED = (V7_3, "v6.12+stable", "v7.0+irqs-pending-lock")
SOFT = fls(IRQ_VS_SOFT) - 1


def found(name: str, variant: str) -> set[str]:
    """The ids that a search of a scenario finds."""
    space = space_of(load_scenario(name, {"variant": variant}, variant_problem))
    return set(exhaustive(space, 400_000).counterexamples)


@pytest.mark.parametrize("variant", [V6_12, V7_0, *LOCKED])
def test_b_04(variant: str) -> None:
    assert found("lost-ipi", variant) == (set() if variant in LOCKED else LOST)


@pytest.mark.proof
@pytest.mark.parametrize(("variant", "shown"), [(V7_3, False), (f"{V7_3}+B-05", True)])
def test_b_05(variant: str, shown: bool) -> None:
    scenario = str(ROOT / "tests/data/scenarios/queued-writer.toml")
    assert ("deadlock:vcpu->arch.irqs_pending_lock" in found(scenario, variant)) == shown


# What a guest changes


@pytest.mark.parametrize("variant", [V7_0, V7_3])
def test_an_ipi_is_taken_once(variant: str) -> None:
    k = kernels.booted(variant, [1])
    a = kernels.owner_on(k, "a", 0)
    kernels.result(k.kvm_sbi_ext_ipi_handler(k.threads[0], a), k.threads[0])
    a.ledger.soft_begins()
    a.ledger.soft_ends()
    assert (a.irqs_pending, a.irqs_pending_mask) == (IRQ_VS_SOFT, IRQ_VS_SOFT)
    kernels.run(k, a)
    assert (a.ledger.soft_owed, a.ledger.soft_sent, a.vssip) == (0, 0, 0)
    assert (a.irqs_pending, a.irqs_pending_mask) == (0, IRQ_VS_SOFT)
    assert a.hvip == 0, "put saves HVIP"
    kernels.run(k, a)
    assert (a.ledger.stray, a.irqs_pending_mask) == (0, 0)


def test_sync_touches_nothing_while_the_guest_has_changed_nothing() -> None:
    k, memory = kernels.tracked(V7_0, [0])
    a = kernels.owner_on(k, "a", 0)
    assert story(memory, k.kvm_riscv_vcpu_sync_interrupts(a), a.thread) == ["start"]
    a.hvip = IRQ_VS_SOFT | IRQ_VS_EXT
    a.irqs_pending, a.irqs_pending_mask = a.hvip, 0
    told = story(memory, k.kvm_riscv_vcpu_sync_interrupts(a), a.thread)
    expected = ["start", "step | a.irqs_pending_mask = 4", "step | a.irqs_pending = 1024"]
    assert told == expected
    a.irqs_pending = a.hvip
    told = story(memory, k.kvm_riscv_vcpu_sync_interrupts(a), a.thread)
    assert told == expected[:2], "it is dirty: somebody has set or cleared it meanwhile"


def test_sync_brings_what_the_guest_has_set_itself() -> None:
    k = kernels.booted(V7_3, [0])
    a = kernels.owner_on(k, "a", 0)
    a.vssip, a.irqs_pending_mask = IRQ_VS_SOFT, 0
    kernels.result(k.kvm_riscv_vcpu_sync_interrupts(a), a.thread)
    assert (a.irqs_pending, a.irqs_pending_mask) == (IRQ_VS_SOFT, IRQ_VS_SOFT)


@pytest.mark.parametrize("function", ["kvm_riscv_vcpu_sync_interrupts", "reset_vcpu_context"])
def test_v7_2_does_it_with_the_lock_held(function: str) -> None:
    k = kernels.booted(V7_3, [0])
    a: Any = kernels.owner_on(k, "a", 0)
    a.vssip, a.irqs_pending_mask = IRQ_VS_SOFT, 0
    path = Context(getattr(k, function)(a), a.thread).after("lock a.irqs_pending_lock")
    assert (a.irqs_pending_lock.inside, k.hart[0].irq_off) == (1, 1)
    path.finish()
    assert (a.irqs_pending_lock.inside, k.hart[0].irq_off) == (0, 0)


# Patches


class FlushKeepsTheMask(Module):
    """Flush forgets to clear the mask: what the guest clears comes again."""

    def kvm_riscv_vcpu_flush_interrupts(k, vcpu: Any) -> Path[None]:
        """As in v7.2, but for that."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        mask = vcpu.irqs_pending_mask
        vcpu.hvip = vcpu.hvip & ~mask | vcpu.irqs_pending & mask
        yield vcpu.irqs_pending_lock.unlock_irqrestore


class FlushOnlySets(Module):
    """Flush leaves in hvip what is not pending any more."""

    def kvm_riscv_vcpu_flush_interrupts(k, vcpu: Any) -> Path[None]:
        """As in v7.2, but for that."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        mask, vcpu.irqs_pending_mask = vcpu.irqs_pending_mask, 0
        vcpu.hvip |= vcpu.irqs_pending & mask
        yield vcpu.irqs_pending_lock.unlock_irqrestore


class FlushUnlocked(Module):
    """Flush as before v7.2."""

    def kvm_riscv_vcpu_flush_interrupts(k, vcpu: Any) -> Path[None]:
        """No lock."""
        yield STEP
        mask, vcpu.irqs_pending_mask = vcpu.irqs_pending_mask, 0
        yield STEP
        vcpu.hvip = vcpu.hvip & ~mask | vcpu.irqs_pending & mask


class FlushExchanges(Module):
    """Flush without the lock, by atomic operations, which is sound: setting and clearing write
    pending before the mask."""

    def kvm_riscv_vcpu_flush_interrupts(k, vcpu: Any) -> Path[None]:
        """READ_ONCE and xchg."""
        yield STEP
        if READ_ONCE(vcpu.irqs_pending_mask):
            yield STEP
            mask = xchg(vcpu, "irqs_pending_mask", 0)
            yield STEP
            vcpu.hvip = vcpu.hvip & ~mask | READ_ONCE(vcpu.irqs_pending) & mask


class SyncIgnoresTheMask(Module):
    """Sync clears what somebody has set since."""

    def kvm_riscv_vcpu_sync_interrupts(k, vcpu: Any) -> Path[None]:
        """As in v7.2, but for that."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        if (vcpu.hvip ^ vcpu.vssip) & IRQ_VS_SOFT:
            vcpu.irqs_pending_mask |= IRQ_VS_SOFT
            vcpu.irqs_pending = vcpu.irqs_pending & ~IRQ_VS_SOFT | vcpu.vssip
        yield vcpu.irqs_pending_lock.unlock_irqrestore


class SyncLeavesTheMask(Module):
    """Sync changes pending, and nothing flushes that."""

    def kvm_riscv_vcpu_sync_interrupts(k, vcpu: Any) -> Path[None]:
        """As in v7.2, but for that."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        changed = (vcpu.hvip ^ vcpu.vssip) & IRQ_VS_SOFT
        if changed & ~vcpu.irqs_pending_mask:
            vcpu.irqs_pending = vcpu.irqs_pending & ~IRQ_VS_SOFT | vcpu.vssip
        yield vcpu.irqs_pending_lock.unlock_irqrestore


class SyncUnlocked(Module):
    """Sync as before v7.2, by atomic operations: bug B-04, though each access is marked."""

    def kvm_riscv_vcpu_sync_interrupts(k, vcpu: Any) -> Path[None]:
        """No lock."""
        if (vcpu.hvip ^ vcpu.vssip) & IRQ_VS_SOFT:
            yield STEP
            dirty = atomics.test_and_set_bit(SOFT, vcpu, "irqs_pending_mask")
            if not dirty:
                yield STEP
                clear_bit(SOFT, vcpu, "irqs_pending")
        yield from ()


class SetUnlocked(Module):
    """The same of those who set an interrupt."""

    def kvm_riscv_vcpu_set_interrupt(
        k, current: Any, vcpu: Any, irq: int = IRQ_VS_EXT
    ) -> Path[None]:
        """No lock."""
        yield STEP
        set_bit(fls(irq) - 1, vcpu, "irqs_pending")
        yield STEP
        set_bit(fls(irq) - 1, vcpu, "irqs_pending_mask")
        yield from k.kvm_vcpu_kick(current, vcpu)


class SetKeepsTheLock(Module):
    """One unlock is left out."""

    def kvm_riscv_vcpu_set_interrupt(
        k, current: Any, vcpu: Any, irq: int = IRQ_VS_EXT
    ) -> Path[None]:
        """As in v7.2, but for that."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        vcpu.irqs_pending |= irq
        vcpu.irqs_pending_mask |= irq
        yield from k.kvm_vcpu_kick(current, vcpu)


class UnsetLeavesTheMask(Module):
    """An interrupt that is cleared stays in hvip."""

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu: Any, irq: int = IRQ_VS_EXT) -> Path[None]:
        """As in v7.2, but for that."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        vcpu.irqs_pending &= ~irq
        yield vcpu.irqs_pending_lock.unlock_irqrestore


class AsksUnlocked(Module):
    """Whether something is pending is read plainly."""

    def any_pending(k, vcpu: Any) -> Path[int]:
        """No lock."""
        yield STEP
        pending: int = vcpu.irqs_pending
        return pending


class AsksOnce(Module):
    """It is one word, so READ_ONCE will do."""

    def any_pending(k, vcpu: Any) -> Path[int]:
        """No lock."""
        yield STEP
        pending: int = READ_ONCE(vcpu.irqs_pending)
        return pending


UNLOCKED = "unlocked:irqs_pending in "
PATCHED: list[tuple[type[Module], str, set[str]]] = [
    (FlushKeepsTheMask, "lost-ipi", AGAIN),
    (FlushOnlySets, "lost-ipi", {"stray:software"}),
    (FlushUnlocked, "lost-ipi", {f"{UNLOCKED}kvm_riscv_vcpu_flush_interrupts"}),
    (FlushExchanges, "lost-ipi", set()),
    (FlushExchanges, "on-swfile", set()),
    (SyncIgnoresTheMask, "lost-ipi", LOST),
    (SyncLeavesTheMask, "lost-ipi", AGAIN),
    (SyncUnlocked, "lost-ipi", LOST),
    (SetUnlocked, "lost-ipi", LOST),
    (
        SetKeepsTheLock,
        "lost-ipi",
        {
            "deadlock:vcpu->arch.irqs_pending_lock",
            "unbalanced:kvm_riscv_vcpu_set_interrupt",
        },
    ),
    (UnsetLeavesTheMask, "on-swfile", {"endless:kvm_arch_vcpu_ioctl_run"}),
    (AsksUnlocked, "lost-ipi", {f"{UNLOCKED}kvm_riscv_vcpu_has_interrupts"}),
    (AsksOnce, "lost-ipi", set()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("patch", "name", "ids"), PATCHED)
def test_a_patch_is_noticed_and_a_sound_one_is_not(
    monkeypatch: pytest.MonkeyPatch, patch: type[Module], name: str, ids: set[str]
) -> None:
    own = f"own.py:{patch.__name__}"
    monkeypatch.setitem(OWN, own, patch)
    assert found(name, f"{V7_3}+{own}") == ids
