"""Checks of SGEI, of sleepers, and of the mode that a VM was given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hgeisim.checks.delivery import NobodyForgotten, SgeiRequested, SoftwareFollows
from hgeisim.checks.guest import ModeGranted
from hgeisim.drivers.run_to_end import boot, run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import (
    AUTO,
    EMUL,
    HWACCEL,
    IN_GUEST_MODE,
    IRQ_VS_EXT,
    IRQ_VS_SOFT,
    Vcpu,
)
from hgeisim.machine.shared import Memory
from tests.support import kernels
from tests.support.kernels import BASES, V2, V5, V6_12, V6_16, asleep, msi, owner_on
from tests.support.steps import Context

# SGEI


@pytest.mark.parametrize("variant", [*BASES, V2, V5])
def test_sgei_is_there_while_cpus_listen(variant: str) -> None:
    assert [*SgeiRequested().state(kernels.booted(variant, [1, 1]))] == []


def test_at_exit_it_is_freed_while_they_listen() -> None:
    """Bug B-17, up to v6.14."""
    k = kernels.booted(V6_12, [1, 1])
    path = Context(k.riscv_kvm_exit(k.threads[0]), k.threads[0])
    path.before("mutex_lock kvm_usage_lock")
    texts = [finding.text for finding in SgeiRequested().state(k)]
    assert texts == [
        f"the SGEI interrupt is freed and still enabled on CPU {cpu}" for cpu in (0, 1)
    ]
    path.finish()
    assert [*SgeiRequested().state(k)] == []


def test_what_it_watches_is_what_it_reads() -> None:
    memory = Memory()
    k = kernels.booted(V6_16, [0, 1], memory)
    k.per_cpu[1].sgei_irq_enabled = 1
    memory.begin_step(memory.cells)
    assert [finding.id for finding in SgeiRequested().state(k)] == ["irq-freed-enabled:sgei"]
    assert set(memory.reads) <= {*SgeiRequested().watches(k)}


# sleepers


def forgotten(k: Module) -> list[str]:
    return [finding.id for finding in NobodyForgotten().state(k)]


def in_vsfile(k: Module, vcpu: Vcpu) -> None:
    kernels.pend(k, 0, 1)


def in_swfile(k: Module, vcpu: Vcpu) -> None:
    run_alone(k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], vcpu), k.threads[0])
    vcpu.swfile.eip = 0b10
    vcpu.irqs_pending = 0


@pytest.mark.parametrize("where", [in_vsfile, in_swfile])
def test_a_sleeper_with_something_to_deliver_is_forgotten(
    where: Callable[[Module, Vcpu], None],
) -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    asleep(a)
    assert forgotten(k) == []
    where(k, a)
    assert forgotten(k) == ["lost-wakeup:vcpu"]
    a.thread.on_rq = 1
    assert forgotten(k) == []


def test_a_sleeper_with_an_ipi_is_forgotten() -> None:
    k = kernels.booted(V6_12, [1])
    a = asleep(owner_on(k, "a", 0))
    a.ledger.soft_begins()
    assert forgotten(k) == ["lost-wakeup:software"]
    a.ledger.take_soft()
    assert forgotten(k) == []


@pytest.mark.parametrize(
    ("words", "owed", "sent", "wrong"),
    [
        ((0, 0, 0), 0, 0, False),
        ((1, 1, 0), 1, 1, False),
        ((1, 0, 1), 1, 1, False),
        ((1, 0, 1), 0, 1, False),
        ((0, 1, 1), 0, 0, False),
        ((0, 1, 1), 1, 1, True),
        ((1, 0, 1), 0, 0, True),
        ((1, 1, 0), 0, 0, True),
        ((1, 0, 0), 0, 1, True),
    ],
)
def test_a_software_interrupt_comes_once_if_it_was_sent(
    words: tuple[int, int, int], owed: int, sent: int, wrong: bool
) -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    a.irqs_pending, a.irqs_pending_mask, a.hvip = (word * IRQ_VS_SOFT for word in words)
    a.ledger.soft_owed, a.ledger.soft_sent = owed, sent
    found = [finding.id for finding in SoftwareFollows().state(k)]
    assert found == ["level:software"] * wrong
    a.mode = IN_GUEST_MODE
    assert not [*SoftwareFollows().state(k)]


def test_a_sleeper_whose_line_is_armed_will_be_woken() -> None:
    k = kernels.booted(V6_12, [1])
    asleep(owner_on(k, "a", 0))
    kernels.pend(k, 0, 1)
    k.hart[0].hgeie = 0b10
    assert forgotten(k) == []
    k.hart[0].sgeie = 0
    assert forgotten(k) == ["lost-wakeup:vcpu"]


@pytest.mark.parametrize("spoil", ["eidelivery", "eithreshold", "eie"])
def test_what_the_guest_masked_is_no_reason_to_wake_it(spoil: str) -> None:
    k = kernels.booted(V6_12, [0])
    a = asleep(owner_on(k, "a", 0))
    a.swfile.eip = 0b10
    setattr(a.swfile, spoil, 1 if spoil == "eithreshold" else 0)
    assert forgotten(k) == []


def test_an_injection_leaves_nobody_forgotten() -> None:
    k = kernels.booted(V6_12, [0])
    a = asleep(owner_on(k, "a", 0))
    msi(k, a)
    assert (forgotten(k), a.irqs_pending) == ([], IRQ_VS_EXT)


# the mode of a VM


@pytest.mark.parametrize(
    ("variant", "init_hart", "ids"),
    [
        (V2, 0, []),
        (V2, 1, ["mode-refused:aia"]),
        (V6_12, 1, ["mode-refused:aia"]),
        ("v7.0", 0, ["mode-refused:aia"]),
        (V5, 0, ["mode-refused:aia"]),
    ],
)
def test_who_is_refused_the_lines_that_are_there(
    variant: str, init_hart: int, ids: list[str]
) -> None:
    """Hazard V2-9: the HART of the initcall has none; from v7.0 on the weakest HART decides, with
    percpu-v5 (V5-1) the weakest that was ever enabled."""
    k = kernels.booted(variant, [3, 0], init_hart=init_hart)
    vm = k.add_vm("vm", AUTO)
    run_alone(k.kvm_create_vm(k.threads[0], vm), k.threads[0])
    assert [finding.id for finding in ModeGranted().of(k, vm)] == ids
    assert [*ModeGranted().state(k)] == [], "it was there at the start of a search"
    vm.creation.awaited = True
    assert [finding.id for finding in ModeGranted().state(k)] == ids


@pytest.mark.parametrize(("lines", "mode"), [(0, HWACCEL), (1, EMUL)])
def test_nobody_is_refused_what_there_is_not_or_what_it_did_not_ask_for(
    lines: int, mode: int
) -> None:
    k = kernels.unbooted(V6_12, [lines])
    boot(k, k.add_thread("swapper", 0))
    vm = k.add_vm("vm", mode)
    run_alone(k.kvm_create_vm(k.threads[0], vm), k.threads[0])
    assert [*ModeGranted().of(k, vm)] == []
