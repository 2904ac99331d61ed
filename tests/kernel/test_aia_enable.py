"""aia.c: how many lines each kernel believes in; enable and the initcall in their order."""

from __future__ import annotations

import pytest

from hgeisim.drivers.run_to_end import boot, run_alone
from hgeisim.kernel.structs import ENOENT
from hgeisim.kernel.variants import find_variant
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.machine.shared import Memory
from hgeisim.machine.topology import HartSpec, Topology
from tests.support import kernels
from tests.support.kernels import (
    ALL_VARIANTS,
    BITMAP_RESET,
    CLAMP,
    FROM_V7_2,
    LOCK_INIT,
    MIN,
    UP_TO_V7_0,
    V2,
    V3,
    V4,
    V5,
    V6_12,
    V6_16,
    V6_18,
    V7_0,
)
from tests.support.steps import Context, story

ALL_63 = (1 << 64) - 2
PERCPU_V5 = (V5, "v7.0+percpu-v5", *FROM_V7_2)


# how many lines each kernel believes in


@pytest.mark.parametrize(
    ("variant", "free_bitmap"),
    [
        *[(V6_12, 0), (V7_0, 0), (V2, 0), (BITMAP_RESET, 0), (LOCK_INIT, 0), (V3, 0)],
        *[(variant, ALL_63) for variant in (V4, *PERCPU_V5)],
    ],
)
def test_all_63_lines_make_a_shift_by_64(variant: str, free_bitmap: int) -> None:
    """Bug B-16."""
    k = kernels.booted(variant, [63])
    assert k.nr_hgei(k.hgei[0]) == 63
    assert k.hgei[0].free_bitmap == free_bitmap


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_62_lines_are_all_there(variant: str) -> None:
    assert kernels.booted(variant, [62]).hgei[0].free_bitmap == (1 << 63) - 2


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_no_line_at_all(variant: str) -> None:
    k = kernels.booted(variant, [0])
    assert (k.nr_hgei(k.hgei[0]), k.hgei[0].free_bitmap) == (0, 0)
    owner = kernels.add_vcpu(k, "a", 0)
    assert kernels.result(k.kvm_riscv_aia_alloc_hgei(0, owner), owner.thread) == -ENOENT


@pytest.mark.parametrize(("init_hart", "count"), [(0, 3), (1, 1), (2, 0)])
@pytest.mark.parametrize("variant", [V6_12, V6_16, V6_18])
def test_the_bases_count_for_all_what_the_initcall_found_on_its_hart(
    variant: str, init_hart: int, count: int
) -> None:
    k = kernels.booted(variant, [3, 1, 0], init_hart=init_hart)
    assert [k.nr_hgei(hgctrl) for hgctrl in k.hgei] == [count] * 3
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [(2 << count) - 2] * 3


@pytest.mark.parametrize("variant", [V2, V3, V4, *PERCPU_V5])
@pytest.mark.parametrize("init_hart", [0, 2])
def test_the_patches_count_each_hart_for_itself(variant: str, init_hart: int) -> None:
    k = kernels.booted(variant, [3, 1, 0], init_hart=init_hart)
    assert [k.nr_hgei(hgctrl) for hgctrl in k.hgei] == [3, 1, 0]
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [0b1110, 0b10, 0]


@pytest.mark.parametrize(
    ("variant", "init_hart", "count"),
    [(V6_12, 0, 3), (V7_0, 0, 0), (V2, 0, 3), (V2, 2, 0), (V5, 0, 0), (V5, 2, 0)],
)
def test_the_global_count(variant: str, init_hart: int, count: int) -> None:
    k = kernels.booted(variant, [3, 1, 0], init_hart=init_hart)
    assert k.globals.kvm_riscv_aia_nr_hgei == count


SMALL = [HartSpec(2, geilen=5), HartSpec(7, geilen=4)]
"""HART 0 has more lines than guest files."""


@pytest.mark.parametrize(
    ("variant", "counts", "count"),
    [
        (V6_12, [5, 5], 5),
        (V6_18, [5, 5], 5),
        (V7_0, [2, 2], 2),
        (V2, [5, 4], 5),
        (CLAMP, [2, 2], 5),
        (MIN, [5, 4], 4),
        (V3, [2, 4], 2),
        (V4, [2, 4], 2),
        *[(variant, [2, 4], 2) for variant in PERCPU_V5],
    ],
)
def test_who_looks_at_the_guest_files(variant: str, counts: list[int], count: int) -> None:
    """v7.0 bounds the count by the fewest of all HARTs (B-12), review-clamp each count by it,
    percpu-v3 and later each by those of its HART; review-min, percpu-v3 and percpu-v5 lower the
    global count (V2-10, V2-11)."""
    k = kernels.booted(variant, SMALL)
    assert [k.nr_hgei(hgctrl) for hgctrl in k.hgei] == counts
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [(2 << n) - 2 for n in counts]
    assert k.globals.kvm_riscv_aia_nr_hgei == count


def test_a_hart_without_lines_does_not_lower_the_minimum_of_the_review() -> None:
    k = kernels.booted(MIN, [3, 0, 2])
    assert k.globals.kvm_riscv_aia_nr_hgei == 2


def test_the_minimum_of_the_review_sinks_when_a_small_hart_is_hot_plugged() -> None:
    k = kernels.unbooted(MIN, [3, 1])
    k.hart[1].online = k.hart[1].active = 0
    boot(k, k.add_thread("swapper", 0))
    assert k.globals.kvm_riscv_aia_nr_hgei == 3
    cpuhp = k.add_thread("cpuhp/1", 1)
    run_alone(k.cpu_up(cpuhp, 1), cpuhp)
    assert k.globals.kvm_riscv_aia_nr_hgei == 1


@pytest.mark.parametrize("variant", [V6_12, V6_16, V6_18, V2])
def test_the_count_is_bounded_by_the_stride_of_the_guest_files(variant: str) -> None:
    k = find_variant(variant)(Topology((HartSpec(3, geilen=9),), 2, "test"))
    boot(k, k.add_thread("swapper", 0))
    assert k.globals.kvm_riscv_aia_nr_hgei == 3


@pytest.mark.parametrize("variant", [*UP_TO_V7_0, V2])
def test_a_migration_in_the_probe_finds_no_line_and_leaves_hgeie_set(variant: str) -> None:
    """Bug B-15."""
    k = kernels.unbooted(variant, [3, 3])
    swapper = k.add_thread("swapper", 0)
    probe = Context(k.kvm_riscv_aia_init(swapper), swapper)
    probe.step()
    swapper.cpu = 1
    probe.finish()
    assert k.globals.kvm_riscv_aia_nr_hgei == 0
    assert [hart.hgeie for hart in k.hart] == [0b1110, 0]
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [0, 0]


def test_a_migration_after_the_read_leaves_hgeie_set_too() -> None:
    k = kernels.unbooted(V6_12, [3, 3])
    swapper = k.add_thread("swapper", 0)
    probe = Context(k.kvm_riscv_aia_init(swapper), swapper)
    probe.step()
    probe.step()
    swapper.cpu = 1
    probe.finish()
    found = k.globals.kvm_riscv_aia_nr_hgei, [hart.hgeie for hart in k.hart]
    assert found == (3, [0b1110, 0])


@pytest.mark.parametrize("variant", [V3, V4, *PERCPU_V5])
def test_from_percpu_v3_on_nothing_is_probed_in_the_initcall(variant: str) -> None:
    k = kernels.unbooted(variant, [3, 3])
    swapper = k.add_thread("swapper", 0)
    probe = Context(k.kvm_riscv_aia_init(swapper), swapper)
    swapper.cpu = 1
    probe.finish()
    assert k.globals.kvm_riscv_aia_nr_hgei == 3
    assert [hart.hgeie for hart in k.hart] == [0, 0]


# the order of enable and of the initcall

PROBE = [
    "step",
    "step | hart0.hgeie = 2",
    "step | hgei0.nr_hgei = 2",
    "step | hart0.hgeie = 0",
    "step",
    "step | hgei0.nr_hgei = 1",
]
RESET_BITMAP = ["step", "step | hgei0.free_bitmap = 3", "step | hgei0.free_bitmap = 2"]
SGEI_ON = [
    "step | hart0.hvictl = 1",
    "lock irq_desc.lock | cpu0.sgei_irq_enabled = 1",
    "unlock irq_desc.lock",
    "step | hart0.sgeie = 1",
    "sgei hart0",
    "step | hart0.hvien = 1",
]
ONCE_UNLOCKED = ["step", *RESET_BITMAP, "step | hgei0.free_bitmap_initialized = 1"]
CLAMPED = "step | hgei0.nr_hgei = 1"
BOUNDED = [CLAMPED, "step"]
"""By the guest files, and the global count is read, which is not above."""
GENMASK = ["step", "step | hgei0.free_bitmap = 2"]
ONCE_LOCKED = [
    *BOUNDED,
    "lock hgei0.lock",
    *GENMASK,
    "step | hgei0.free_bitmap_initialized = 1",
    "unlock hgei0.lock",
]
OLD = ["start", "step", *SGEI_ON]
INIT_LOCK = "init hgei0.lock"
ENABLE = {
    **dict.fromkeys(UP_TO_V7_0, OLD),
    V2: ["start", *PROBE, *RESET_BITMAP, INIT_LOCK, *SGEI_ON],
    BITMAP_RESET: ["start", *PROBE, *RESET_BITMAP, *SGEI_ON],
    LOCK_INIT: ["start", *PROBE, *ONCE_UNLOCKED, INIT_LOCK, *SGEI_ON],
    V3: ["start", *PROBE, *BOUNDED, *RESET_BITMAP, INIT_LOCK, *SGEI_ON],
    V4: ["start", *PROBE, CLAMPED, *GENMASK, INIT_LOCK, *SGEI_ON],
    **{each: ["start", *PROBE, *ONCE_LOCKED, *SGEI_ON] for each in PERCPU_V5},
    CLAMP: ["start", *PROBE, CLAMPED, *RESET_BITMAP, INIT_LOCK, *SGEI_ON],
    MIN: ["start", *PROBE, "step", "step", *RESET_BITMAP, INIT_LOCK, *SGEI_ON],
}


@pytest.mark.parametrize("variant", ENABLE)
def test_enable_step_by_step(variant: str) -> None:
    memory = Memory()
    k = kernels.unbooted(variant, [1, 1], memory)
    swapper = k.add_thread("swapper", 0)
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    assert story(memory, k.kvm_riscv_aia_enable(swapper), swapper) == ENABLE[variant]


def test_the_minimum_of_the_review_is_lowered_between_the_count_and_the_bitmap() -> None:
    memory = Memory()
    k = kernels.unbooted(MIN, [2, 1], memory)
    swapper = k.add_thread("swapper", 0)
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    swapper.cpu = 1
    told = story(memory, k.kvm_riscv_aia_enable(swapper), swapper)
    lowered = told.index("step | globals.kvm_riscv_aia_nr_hgei = 1")
    assert told.index("step | hgei1.nr_hgei = 1") < lowered
    assert lowered < told.index("step | hgei1.free_bitmap = 3")


WIDE = [HartSpec(7, geilen=7), HartSpec(7, geilen=3), HartSpec(7, geilen=0)]
"""All have the same guest files, so only their HGEIE tells them apart."""


def test_percpu_v5_lowers_the_global_count_with_each_narrower_hart_and_does_not_skip_0() -> None:
    """V5-1: and neither disabling that HART nor another enable raises it again."""
    k = kernels.unbooted(V5, WIDE)
    swapper = k.add_thread("swapper", 0)
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    counts = []
    for cpu in (0, 1, 0, 2):
        swapper.cpu = cpu
        run_alone(k.kvm_riscv_aia_enable(swapper), swapper)
        counts.append(k.globals.kvm_riscv_aia_nr_hgei)
    assert counts == [7, 3, 3, 0]
    run_alone(k.kvm_riscv_aia_disable(swapper), swapper)
    swapper.cpu = 0
    run_alone(k.kvm_riscv_aia_enable(swapper), swapper)
    assert k.globals.kvm_riscv_aia_nr_hgei == 0
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    assert k.globals.kvm_riscv_aia_nr_hgei == 7


def test_percpu_v5_lowers_the_global_count_in_one_step_after_it_was_read() -> None:
    memory = Memory()
    k = kernels.unbooted(V5, WIDE, memory)
    swapper = k.add_thread("swapper", 1)
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    told = story(memory, k.kvm_riscv_aia_enable(swapper), swapper)
    lowered = told.index("step | globals.kvm_riscv_aia_nr_hgei = 3")
    assert told[lowered - 2 : lowered + 2] == [
        "step | hgei1.nr_hgei = 3",
        "step",
        "step | globals.kvm_riscv_aia_nr_hgei = 3",
        "lock hgei1.lock",
    ]


@pytest.mark.parametrize(("variant", "counts"), [(V3, [7, 3, 3, 3]), (V4, [7, 7, 7, 7])])
def test_percpu_v3_skips_0_and_percpu_v4_leaves_the_global_count_alone(
    variant: str, counts: list[int]
) -> None:
    k = kernels.unbooted(variant, WIDE)
    swapper = k.add_thread("swapper", 0)
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    found = []
    for cpu in (0, 1, 0, 2):
        swapper.cpu = cpu
        run_alone(k.kvm_riscv_aia_enable(swapper), swapper)
        found.append(k.globals.kvm_riscv_aia_nr_hgei)
    assert found == counts


@pytest.mark.parametrize(("found", "left"), [(5, 3), (3, 3), (1, 1), (0, 0)])
def test_percpu_v5_looks_again_when_another_hart_has_lowered_the_count(
    found: int, left: int
) -> None:
    k = kernels.unbooted(V5, WIDE, Memory())
    swapper = k.add_thread("swapper", 1)
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    assert isinstance(k, PercpuV5)
    lowering = Context(k.lower_nr_hgei(3), swapper)
    lowering.step()
    k.globals.kvm_riscv_aia_nr_hgei = found
    lowering.finish()
    assert k.globals.kvm_riscv_aia_nr_hgei == left


def test_enable_does_nothing_without_aia() -> None:
    memory = Memory()
    k = kernels.unbooted(V5, [1], memory)
    swapper = k.add_thread("swapper", 0)
    assert story(memory, k.kvm_riscv_aia_enable(swapper), swapper) == ["start", "step"]


LOCKED = ["lock hgei0.lock", "unlock hgei0.lock"]
AGAIN = {
    **{each: ENABLE[each] for each in (*UP_TO_V7_0, V2, BITMAP_RESET, V3, V4)},
    LOCK_INIT: ["start", *PROBE, "step", INIT_LOCK, *SGEI_ON],
    **{each: ["start", *PROBE, *BOUNDED, *LOCKED, *SGEI_ON] for each in PERCPU_V5},
}


@pytest.mark.parametrize("variant", AGAIN)
def test_enabling_again_resets_only_what_the_variant_says(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1, 1])
    owner = kernels.add_vcpu(k, "a", 0)
    run_alone(k.kvm_riscv_aia_alloc_hgei(0, owner), owner.thread)
    path = k.kvm_riscv_aia_enable(k.threads[0])
    assert story(memory, path, k.threads[0]) == AGAIN[variant]
    lost = variant in (V2, BITMAP_RESET, V3, V4)
    assert k.hgei[0].free_bitmap == (0b10 if lost else 0)
    assert kernels.owners(k, 0) == [0, owner.id]


def test_percpu_v2_empties_the_bitmap_of_a_hart_that_comes_back_without_lines() -> None:
    k = kernels.booted(V2, [2])
    k.hart[0].geilen = 0
    run_alone(k.kvm_riscv_aia_enable(k.threads[0]), k.threads[0])
    assert (k.hgei[0].nr_hgei, k.hgei[0].free_bitmap) == (0, 0)


def test_percpu_v5_keeps_the_bitmap_of_a_hart_that_comes_back_with_fewer_lines() -> None:
    """So a line above the new count can be given out, and is not taken back."""
    k = kernels.booted(V5, [2])
    k.hart[0].geilen = 1
    run_alone(k.kvm_riscv_aia_enable(k.threads[0]), k.threads[0])
    assert (k.hgei[0].nr_hgei, k.hgei[0].free_bitmap) == (1, 0b110)
    owners = [kernels.add_vcpu(k, name, 0) for name in "ab"]
    taken = [kernels.result(k.kvm_riscv_aia_alloc_hgei(0, v), v.thread) for v in owners]
    run_alone(k.kvm_riscv_aia_free_hgei(0, 2), k.threads[0])
    assert (taken, k.hgei[0].free_bitmap) == ([1, 2], 0)


PROBE_FOR_ALL = ["start", "step | hart0.hgeie = 2", "step", "step | hart0.hgeie = 0"]
COUNT = "step | globals.kvm_riscv_aia_nr_hgei = 1"
ALL_SET_UP = [f"init hgei{cpu}.lock | hgei{cpu}.free_bitmap = 2" for cpu in (0, 1)]
ALL_EMPTY = [
    f"init hgei{cpu}.lock | hgei{cpu}.free_bitmap = 0 | hgei{cpu}.free_bitmap_initialized = 0"
    for cpu in (0, 1)
]
DONE = ["step | globals.hgei_parent_irq = 1", "step | globals.kvm_riscv_aia_available = 1"]
INIT = {
    **{each: [*PROBE_FOR_ALL, COUNT, *ALL_SET_UP, *DONE] for each in UP_TO_V7_0},
    V2: [*PROBE_FOR_ALL, COUNT, *DONE],
    **{each: ["start", COUNT, *DONE] for each in (V3, V4)},
    **{each: ["start", COUNT, *ALL_EMPTY, *DONE] for each in PERCPU_V5},
}


@pytest.mark.parametrize("variant", INIT)
def test_the_initcall_step_by_step(variant: str) -> None:
    memory = Memory()
    k = kernels.unbooted(variant, [1, 1], memory)
    swapper = k.add_thread("swapper", 0)
    assert story(memory, k.kvm_riscv_aia_init(swapper), swapper) == INIT[variant]


@pytest.mark.parametrize(
    ("variant", "requested"),
    [
        *[(V6_12, 1), (V6_16, 0), (V6_18, 0), (V7_0, 0), (V2, 1), ("v6.16+percpu-v2", 0)],
        *[("v6.16+percpu-v3", 0), ("v6.16+percpu-v4", 1)],
        *[(variant, 1) for variant in PERCPU_V5],
    ],
)
def test_who_requests_sgei_when_the_initcall_finds_no_line(variant: str, requested: int) -> None:
    """v6.13 skips it, percpu-v4 and later always do it again (V2-9)."""
    k = kernels.booted(variant, [0, 2])
    assert (k.globals.kvm_riscv_aia_nr_hgei, k.globals.hgei_parent_irq) == (0, requested)
    assert [cpu.sgei_irq_enabled for cpu in k.per_cpu] == [requested] * 2
