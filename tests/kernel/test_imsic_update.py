"""imsic_update: the order of its steps, and what of an interrupt file moves along."""

from __future__ import annotations

import pytest

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AUTO, EMUL, HWACCEL, Vcpu
from hgeisim.machine.shared import Memory
from tests.support import kernels
from tests.support.kernels import (
    ALL_VARIANTS,
    BASES,
    STABLE,
    V6_12,
    V6_16,
    enter,
    msi,
    owner_on,
    pending,
    registers,
    vsfile,
)
from tests.support.steps import Context, in_order, story
from tests.support.stories import external, mapped

GUEST_EIE = 0b1111110


def moving(variant: str, harts: kernels.Harts) -> tuple[Module, Memory, Vcpu]:
    """A vCPU with a line of HART 0 and identity 3 pending, whose thread is on HART 1 by now."""
    k, memory = kernels.tracked(variant, harts)
    a = owner_on(k, "a", 0)
    msi(k, a, 3)
    a.thread.cpu = 1
    return k, memory, a


def update(k: Module, a: Vcpu, memory: Memory) -> list[str]:
    return story(memory, k.kvm_riscv_vcpu_aia_imsic_update(a.thread, a), a.thread)


# the order of its steps

WHERE_IT_IS = ["start", "read_lock a.vsfile_lock", "read_unlock a.vsfile_lock"]
ALLOC = [
    "lock hgei1.lock",
    "step | hgei1.free_bitmap = 0",
    "step | hgei1.owners[1] = 1",
    "unlock hgei1.lock",
]
DISARM = ["step | hart1.hgeie = 0"]
CLEAR = [
    "step | hart1.vgein = 1",
    "sweep VS-file | hart1.eidelivery[1] = 0 | hart1.eithreshold[1] = 0 | hart1.eip[1] = 0"
    " | hart1.eie[1] = 0 | hart1.hgeip = 0 | hart1.vgein = 0",
]
SWITCH = [
    "write_lock a.vsfile_lock | a.vsfile_cpu = 1 | a.vsfile_hgei = 1",
    "write_unlock a.vsfile_lock",
]
DATA = "vcpu/a.data"
READ_OLD = [
    f"step | {DATA}.hgei = 1",
    "preempt_disable",
    "step",
    f"IPI imsic_vsfile_local_read | hart0.vgein = 0 | {DATA}.mrif.eidelivery = 1"
    f" | {DATA}.mrif.eithreshold = 0 | {DATA}.mrif.eip = 8 | {DATA}.mrif.eie = 126"
    " | hart0.eidelivery[1] = 0 | hart0.eithreshold[1] = 0 | hart0.eip[1] = 0"
    " | hart0.eie[1] = 0 | hart0.hgeip = 0",
    "preempt_enable",
    f"step | {DATA}.hgei = 0",
]
READ_SW_FILE = [
    f"step | {DATA}.mrif.eip = 8",
    f"step | {DATA}.mrif.eie = 0",
    f"step | {DATA}.mrif.eithreshold = 0 | {DATA}.mrif.eidelivery = 0",
    "step | a.swfile.eip = 0",
    "step | a.swfile.eie = 0",
    "step | a.swfile.eithreshold = 0 | a.swfile.eidelivery = 0",
]
FREE_OLD = [
    "lock hgei0.lock",
    "step",
    "step | hgei0.free_bitmap = 2",
    "step | hgei0.owners[1] = 0",
    "unlock hgei0.lock",
]
MERGE = [
    "step | hart1.vgein = 1",
    "sweep VS-file | hart1.eip[1] = 8 | hart1.eie[1] = 126 | hart1.eithreshold[1] = 0"
    " | hart1.eidelivery[1] = 1 | hart1.hgeip = 2 | hart1.vgein = 0"
    f" | {DATA}.mrif.eidelivery = 0 | {DATA}.mrif.eithreshold = 0 | {DATA}.mrif.eip = 0"
    f" | {DATA}.mrif.eie = 0",
    "sgei hart1",
    "step | a.vgein = 1",
]


def up_to_the_switch(variant: str) -> list[str]:
    """Until vsfile_lock says that the new VS-file is the vCPU's; v6.16 disarms the new line."""
    disarm = [] if variant.startswith(V6_12) else DISARM
    return [*WHERE_IT_IS, *ALLOC, *disarm, *CLEAR, *mapped(variant, 1, 1), *SWITCH]


@pytest.mark.parametrize("variant", [*BASES, STABLE, "v6.12+percpu-v5", "v7.0+percpu-v5"])
def test_update_step_by_step(variant: str) -> None:
    k, memory, a = moving(variant, [1, 1])
    expected = [*up_to_the_switch(variant), *READ_OLD, *FREE_OLD, *MERGE]
    assert update(k, a, memory) == expected


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_what_must_come_before_what(variant: str) -> None:
    """Alloc, map, switch, read the old file, free it, merge: whoever reorders two of them loses an
    interrupt or lets two vCPUs have one file."""
    k, memory, a = moving(variant, [1, 1])
    told = update(k, a, memory)
    order = ["hgei1.owners[1] = 1", "hart1.eidelivery[1] = 0", "a.pte_cpu = 1", "a.vsfile_cpu = 1"]
    order += ["IPI imsic_vsfile_local_read", "hgei0.owners[1] = 0", "hart1.eip[1] = 8"]
    assert in_order(told, *order, "a.vgein = 1") == []


@pytest.mark.parametrize("variant", [*BASES, STABLE])
def test_a_first_update_reads_the_sw_file_where_a_later_one_reads_the_old_vsfile(
    variant: str,
) -> None:
    k, memory = kernels.tracked(variant, [1, 1])
    a = kernels.add_vcpu(k, "a", 1)
    msi(k, a, 3)
    told = update(k, a, memory)
    none_pending = external(variant, pending=False)
    assert told[: -len(MERGE)] == [*up_to_the_switch(variant), *READ_SW_FILE, *none_pending]
    assert registers(k, a) == (0, 0, 0b1000, 0)


@pytest.mark.parametrize("variant", BASES)
def test_a_vcpu_keeps_its_line_where_it_is(variant: str) -> None:
    k, memory = kernels.tracked(variant, [2, 2])
    a = owner_on(k, "a", 0)
    assert update(k, a, memory) == WHERE_IT_IS
    assert (vsfile(a), k.hgei[0].free_bitmap) == ((0, 1), 0b100)


@pytest.mark.parametrize("variant", BASES)
def test_in_emul_there_is_nothing_to_update(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1])
    a = kernels.add_vcpu(k, "a", 0, EMUL)
    assert update(k, a, memory) == ["start"]
    assert enter(k, a) == 1
    assert (vsfile(a), k.hgei[0].free_bitmap) == ((-1, -1), 0b10)


@pytest.mark.parametrize(("variant", "armed"), [(V6_12, 0b10), (V6_16, 0), ("v7.0", 0)])
def test_a_line_that_its_last_owner_left_armed(variant: str, armed: int) -> None:
    """v6.16 disarms a new line; before, SGEI may come for an owner that runs."""
    k = kernels.booted(variant, [1, 1])
    k.hart[1].hgeie = 0b10
    a = owner_on(k, "a", 0)
    enter(k, a, 1)
    assert k.hart[1].hgeie == armed


# no line is free


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_without_a_free_line_auto_falls_back_to_the_sw_file(variant: str) -> None:
    k = kernels.booted(variant, [1, 1])
    a, b = owner_on(k, "a", 0, AUTO), owner_on(k, "b", 1, AUTO)
    k.hart[0].eithreshold[1] = 5
    msi(k, a, 3)
    assert enter(k, a, 1) == 1
    assert (vsfile(a), a.vgein, a.pte_cpu) == ((-1, -1), 0, -1)
    assert registers(k, a) == (1, 5, 0b1000, GUEST_EIE)
    assert (k.hgei[0].free_bitmap, pending(k)[0]) == (0b10, [0, 0])
    assert (k.hgei[0].owners[1], k.hgei[1].owners[1]) == (0, b.id)


@pytest.mark.parametrize("variant", BASES)
def test_auto_asks_for_a_line_before_it_releases_the_old_one(variant: str) -> None:
    k, memory, a = moving(variant, [1, 1])
    owner_on(k, "b", 1)
    told = update(k, a, memory)
    assert told[3:6] == [
        "lock hgei1.lock",
        "unlock hgei1.lock",
        "write_lock a.vsfile_lock | a.vsfile_cpu = -1 | a.vsfile_hgei = -1",
    ]
    order = ["a.pte_cpu = -1", "IPI imsic_vsfile_local_read", "a.swfile.eidelivery = 1"]
    order += ["a.swfile.eip = 8", "a.swfile.eie = 126", "a.irqs_pending = 1024"]
    assert in_order(told, *order, "hgei0.owners[1] = 0", "a.vgein = 0") == []


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_without_a_free_line_hwaccel_fails_and_keeps_the_old_line(variant: str) -> None:
    k = kernels.booted(variant, [1, 1])
    a, b = owner_on(k, "a", 0, HWACCEL), owner_on(k, "b", 1, AUTO)
    msi(k, a, 3)
    assert enter(k, a, 1) == 0
    assert (vsfile(a), a.pte_cpu, a.pte_hgei) == ((0, 1), 0, 1)
    assert registers(k, a) == (1, 0, 0b1000, GUEST_EIE)
    assert (k.hgei[0].owners[1], k.hgei[1].owners[1]) == (a.id, b.id)


def test_a_failed_entry_writes_nothing() -> None:
    k, memory = kernels.tracked(V6_16, [1, 1])
    a = owner_on(k, "a", 0, HWACCEL)
    owner_on(k, "b", 1)
    a.thread.cpu = 1
    assert update(k, a, memory) == [*WHERE_IT_IS, "lock hgei1.lock", "unlock hgei1.lock"]


@pytest.mark.parametrize("mode", [AUTO, HWACCEL])
def test_the_first_entry_without_a_free_line(mode: int) -> None:
    k = kernels.booted(V6_12, [0])
    a = kernels.add_vcpu(k, "a", 0, mode)
    assert enter(k, a) == (mode == AUTO)
    assert vsfile(a) == (-1, -1)


def test_auto_asks_again_at_every_entry() -> None:
    k = kernels.booted(V6_12, [1])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    assert vsfile(b) == (-1, -1)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_cleanup(k.threads[0], a), k.threads[0])
    assert enter(k, b) == 1
    assert vsfile(b) == (0, 1)


# what moves along


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_an_interrupt_file_that_the_guest_set_up_survives_a_move(variant: str) -> None:
    k = kernels.booted(variant, [2, 2])
    owner_on(k, "other", 1)
    a = owner_on(k, "a", 0)
    hart = k.hart[0]
    hart.eithreshold[1], hart.eie[1] = 4, 0b101010
    msi(k, a, 5)
    msi(k, a, 1)
    enter(k, a, 1)
    assert vsfile(a) == (1, 2)
    assert registers(k, a) == (1, 4, 0b100010, 0b101010)
    assert pending(k) == ([0, 0b100], [0, 0])
    assert (a.vgein, a.pte_cpu, a.pte_hgei) == (2, 1, 2)


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_it_survives_the_way_to_the_sw_file_and_back(variant: str) -> None:
    k = kernels.booted(variant, [1, 1, 1])
    a = owner_on(k, "a", 0)
    owner_on(k, "b", 1)
    k.hart[0].eithreshold[1] = 6
    msi(k, a, 2)
    before = registers(k, a)
    enter(k, a, 1)
    assert (vsfile(a), registers(k, a)) == ((-1, -1), before)
    assert a.irqs_pending
    enter(k, a, 2)
    assert (vsfile(a), registers(k, a)) == ((2, 1), before)
    assert pending(k) == ([0, 0, 0b10], [0, 0])
    assert not a.irqs_pending
    assert a.swfile.eie == a.swfile.eidelivery == a.swfile.eithreshold == 0


def test_what_is_masked_or_off_moves_without_being_delivered() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    k.hart[0].eithreshold[1] = 2
    msi(k, a, 3)
    assert pending(k)[0] == [0, 0]
    enter(k, a, 1)
    assert pending(k)[0] == [0, 0]
    assert registers(k, a) == (1, 2, 0b1000, GUEST_EIE)


def test_a_new_vsfile_is_cleared_first() -> None:
    """An MSI that is left behind in a free file is not for its next owner."""
    k = kernels.booted(V6_12, [2])
    kernels.pend(k, 0, 1, 2)
    k.hart[0].eithreshold[1] = 9
    a = owner_on(k, "a", 0)
    assert (vsfile(a), registers(k, a)) == ((0, 1), (1, 0, 0, GUEST_EIE))
    assert k.hart[0].hgeip == 0b100


def test_a_sweep_leaves_the_other_files_alone() -> None:
    k = kernels.booted(V6_12, [3, 3])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    msi(k, a)
    msi(k, b)
    enter(k, a, 1)
    assert pending(k) == ([0b100, 0b10], [0, 0])


def test_an_msi_that_comes_to_the_new_file_before_the_old_is_read_is_kept() -> None:
    k, _, a = moving(V6_12, [1, 1])
    move = Context(k.kvm_riscv_vcpu_aia_imsic_update(a.thread, a), a.thread)
    move.before("write_lock a.vsfile_lock")
    run_alone(k.imsic_page_write(k.threads[0], a, 5), k.threads[0])
    assert registers(k, a)[2] == 0b1000
    move.finish()
    assert registers(k, a)[2] == 0b101000
    assert pending(k)[0] == [0, 0b10]


def test_an_msi_that_comes_to_the_old_file_before_it_is_read_is_kept() -> None:
    k, _, a = moving(V6_12, [1, 1])
    move = Context(k.kvm_riscv_vcpu_aia_imsic_update(a.thread, a), a.thread)
    move.before("IPI imsic_vsfile_local_read")
    k.hart[0].write_msi(1, 5)
    move.finish()
    assert registers(k, a)[2] == 0b101000


def test_an_ipi_to_an_offline_hart_finds_nothing() -> None:
    k, _, a = moving(V6_12, [1, 1])
    k.hart[0].online = 0
    enter(k, a, 1)
    assert vsfile(a) == (1, 1)
    assert registers(k, a) == (0, 0, 0, 0)
    assert pending(k) == ([0b10, 0], [0])
    assert (a.thread.ipi_mask, a.thread.ipi_wait, a.thread.data.hgei) == (0, 0, 0)


@pytest.mark.parametrize(("variant", "trapped"), [(V6_12, 1), ("v6.12+percpu-v2", 0)])
def test_a_sweep_of_a_file_that_is_not_there_traps(variant: str, trapped: int) -> None:
    k = kernels.booted(variant, [2, 1])
    owner_on(k, "a", 1)
    b = kernels.add_vcpu(k, "b", 1)
    enter(k, b)
    assert [hart.trapped for hart in k.hart] == [0, trapped]
    assert vsfile(b) == ((1, 2) if trapped else (-1, -1))


def test_the_sweeps_are_done_with_vgein_of_the_new_file_and_put_it_back() -> None:
    k, _, a = moving(V6_12, [2, 2])
    owner_on(k, "other", 1)
    k.hart[1].vgein = 7
    move = Context(k.kvm_riscv_vcpu_aia_imsic_update(a.thread, a), a.thread)
    for _ in range(2):
        move.before("sweep VS-file")
        assert (k.hart[1].vgein, k.hart[1].vsfile_of) == (2, a.id)
        move.step()
        assert (k.hart[1].vgein, k.hart[1].vsfile_of) == (7, 0)
