"""aia.c: which line is given out, who may give it back, and in which order things are written."""

from __future__ import annotations

import pytest

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import ENOENT
from hgeisim.machine.hart import ALL_ONES
from tests.support import kernels
from tests.support.kernels import ALL_VARIANTS, BASES, V6_12, asleep, is_awake, owner_on, pend
from tests.support.steps import Context, story


def alloc(k: Module, name: str, cpu: int = 0) -> int:
    """Let a new vCPU ask for a line."""
    owner = kernels.add_vcpu(k, name, cpu)
    return kernels.result(k.kvm_riscv_aia_alloc_hgei(cpu, owner), owner.thread)


def free(k: Module, hgei: int, cpu: int = 0) -> None:
    """Give a line back from some thread."""
    run_alone(k.kvm_riscv_aia_free_hgei(cpu, hgei), k.threads[0])


def lines_of(k: Module, cpu: int = 0) -> tuple[int, list[int]]:
    """free_bitmap and owners[] of a CPU."""
    return k.hgei[cpu].free_bitmap, kernels.owners(k, cpu)


# alloc and free


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_the_lowest_free_line_is_given_out_never_line_0(variant: str) -> None:
    k = kernels.booted(variant, [3])
    assert [alloc(k, name) for name in "abc"] == [1, 2, 3]
    assert lines_of(k) == (0, [0, 1, 2, 3])
    free(k, 2)
    assert alloc(k, "d") == 2
    assert k.hgei[0].owners[2] == 4


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_enoent_only_when_no_line_is_free(variant: str) -> None:
    k = kernels.booted(variant, [1])
    assert alloc(k, "a") == 1
    assert alloc(k, "b") == -ENOENT
    assert lines_of(k) == (0, [0, 1])
    free(k, 1)
    assert alloc(k, "c") == 1


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_free_is_idempotent(variant: str) -> None:
    k = kernels.booted(variant, [2])
    alloc(k, "a")
    free(k, 1)
    assert lines_of(k) == (0b110, [0, 0, 0])
    free(k, 1)
    assert lines_of(k) == (0b110, [0, 0, 0])


@pytest.mark.parametrize("variant", ALL_VARIANTS)
@pytest.mark.parametrize("hgei", [-1, 0, 3, 63])
def test_free_refuses_lines_that_were_never_there(variant: str, hgei: int) -> None:
    k = kernels.booted(variant, [2])
    alloc(k, "a")
    free(k, hgei)
    assert lines_of(k) == (0b100, [0, 1, 0])


def test_free_writes_nothing_for_a_line_that_is_free() -> None:
    k, memory = kernels.tracked(V6_12, [2])
    path = k.kvm_riscv_aia_free_hgei(0, 1)
    assert story(memory, path, k.threads[0]) == [
        "start",
        "lock hgei0.lock",
        "step",
        "unlock hgei0.lock",
    ]


def test_alloc_takes_the_bit_before_it_names_the_owner() -> None:
    k, memory = kernels.tracked(V6_12, [2])
    owner = kernels.add_vcpu(k, "a", 0)
    path = k.kvm_riscv_aia_alloc_hgei(0, owner)
    assert story(memory, path, owner.thread) == [
        "start",
        "lock hgei0.lock",
        "step | hgei0.free_bitmap = 4",
        "step | hgei0.owners[1] = 1",
        "unlock hgei0.lock",
    ]


def test_alloc_waits_for_whoever_is_inside() -> None:
    k = kernels.booted(V6_12, [2, 2])
    a = kernels.add_vcpu(k, "a", 0)
    first = Context(k.kvm_riscv_aia_alloc_hgei(0, a), a.thread).after("lock hgei0.lock")
    second = Context(k.kvm_riscv_aia_free_hgei(0, 1), k.threads[0])
    assert not second.step()
    assert first.finish() == 1
    second.finish()
    assert lines_of(k) == (0b110, [0, 0, 0])


def test_alloc_asserts_what_its_caller_promises() -> None:
    k = kernels.booted(V6_12, [1, 1])
    owner = kernels.add_vcpu(k, "a", 0)
    with pytest.raises(AssertionError, match="runs on CPU 0, not on CPU 1"):
        run_alone(k.kvm_riscv_aia_alloc_hgei(1, owner), owner.thread)
    k.per_cpu[0].virtualization_enabled = 0
    with pytest.raises(AssertionError, match="without virtualization"):
        run_alone(k.kvm_riscv_aia_alloc_hgei(0, kernels.add_vcpu(k, "b", 0)), k.threads[0])


# hgei_interrupt


def test_sgei_kicks_the_owners_of_what_is_pending_and_armed_once() -> None:
    k = kernels.booted(V6_12, [4])
    vcpus = [asleep(owner_on(k, name, 0)) for name in "abc"]
    pend(k, 0, 1, 2, 4)
    k.hart[0].hgeie = 0b11010
    run_alone(k.hgei_interrupt(k.hardirq("hardirq", 1, 0)), k.threads[0])
    assert [is_awake(vcpu) for vcpu in vcpus] == [True, False, False]
    assert (k.hart[0].hgeip, k.hart[0].hgeie) == (0b10110, 0b01000)


def test_sgei_clears_what_it_found_before_it_takes_the_lock() -> None:
    k, memory = kernels.tracked(V6_12, [3])
    asleep(owner_on(k, "a", 0))
    pend(k, 0, 1, 2)
    k.hart[0].hgeie = 0b1110
    who = k.hardirq("hardirq", 1, 0)
    assert story(memory, k.hgei_interrupt(who), who) == [
        "start",
        "step | hart0.hgeie = 8",
        "lock hgei0.lock",
        "step",
        "lock vcpu/a.pi_lock",
        "step",
        "wait until vcpu/a is off its cpu",
        "select_task_rq vcpu/a",
        "lock rq0.lock",
        "wake vcpu/a | vcpu/a.on_rq = 1 | vcpu/a.state = 0",
        "unlock rq0.lock",
        "unlock vcpu/a.pi_lock",
        "step",
        "step",
        "unlock hgei0.lock",
    ]


def test_sgei_finds_an_owner_that_was_given_the_line_after_it_looked_at_hgeip() -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    pend(k, 0, 1)
    k.hart[0].hgeie = 0b10
    handler = Context(k.hgei_interrupt(k.hardirq("hardirq", 1, 0)), k.threads[0])
    run_alone(k.kvm_riscv_vcpu_aia_imsic_cleanup(k.threads[0], a), k.threads[0])
    b = asleep(owner_on(k, "b", 0))
    handler.finish()
    assert is_awake(b)


# aia_find_hgei and wakeon_hgei of v6.12


def test_find_hgei_looks_at_the_lines_of_this_cpu_only_under_their_lock() -> None:
    k, memory = kernels.tracked(V6_12, [2, 2])
    owner_on(k, "other", 0)
    a = owner_on(k, "a", 0)
    assert story(memory, k.aia_find_hgei(a.thread, a), a.thread) == [
        "start",
        "preempt_disable",
        "lock hgei0.lock",
        *["step"] * 3,
        "unlock hgei0.lock",
        "preempt_enable",
    ]
    assert kernels.result(k.aia_find_hgei(a.thread, a), a.thread) == 2
    a.thread.cpu = 1
    assert kernels.result(k.aia_find_hgei(a.thread, a), a.thread) == -1


@pytest.mark.parametrize(("enable", "hgeie"), [(1, 0b110), (0, 0b100)])
def test_wakeon_hgei_arms_and_disarms_one_line(enable: int, hgeie: int) -> None:
    k = kernels.booted(V6_12, [2])
    a = owner_on(k, "a", 0)
    k.hart[0].hgeie = 0b110 & ~(enable << 1)
    run_alone(k.kvm_riscv_aia_wakeon_hgei(a.thread, a, enable), a.thread)
    assert k.hart[0].hgeie == hgeie


def test_wakeon_hgei_writes_the_register_of_whatever_cpu_it_is_on_by_then() -> None:
    """The second form of bug B-02."""
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    path = Context(k.kvm_riscv_aia_wakeon_hgei(a.thread, a, 1), a.thread).after("preempt_enable")
    a.thread.cpu = 1
    path.finish()
    assert [hart.hgeie for hart in k.hart] == [0, 0b10]


def test_wakeon_hgei_without_a_line_writes_nothing() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    a.thread.cpu = 1
    run_alone(k.kvm_riscv_aia_wakeon_hgei(a.thread, a, 1), a.thread)
    assert [hart.hgeie for hart in k.hart] == [0, 0]


@pytest.mark.parametrize("variant", BASES)
def test_hgeie_is_all_zero_after_boot(variant: str) -> None:
    k = kernels.booted(variant, [3, 3])
    assert [hart.hgeie for hart in k.hart] == [0, 0]
    k.hart[0].write_hgeie(ALL_ONES)
    assert k.hart[0].hgeie == 0b1110
