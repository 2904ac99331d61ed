"""aia.c: which line is given out, who may give it back, and in which order things are written."""

from __future__ import annotations

import pytest

from hgeisim.drivers.alone import boot, run_alone
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import ENOENT
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.shared import Memory
from hgeisim.machine.topology import HartSpec, Topology
from tests import kernels
from tests.kernels import ALL_VARIANTS, BITMAP_RESET, LOCK_INIT, V2, V5, V6_12, Context

ALL_63 = (1 << 64) - 2


def alloc(k: Cpuhp, name: str, cpu: int = 0) -> int:
    """Let a new vCPU ask for a line."""
    owner = k.add_vcpu(name, cpu)
    return kernels.result(k.kvm_riscv_aia_alloc_hgei(cpu, owner), owner.thread)


def free(k: Cpuhp, hgei: int, cpu: int = 0) -> None:
    """Give a line back from some thread."""
    run_alone(k.kvm_riscv_aia_free_hgei(cpu, hgei), k.threads[0])


def lines_of(k: Cpuhp, cpu: int = 0) -> tuple[int, list[int]]:
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
    assert kernels.story(memory, path, k.threads[0]) == [
        "start",
        "lock hgei0.lock",
        "step",
        "unlock hgei0.lock",
    ]


def test_alloc_takes_the_bit_before_it_names_the_owner() -> None:
    k, memory = kernels.tracked(V6_12, [2])
    owner = k.add_vcpu("a", 0)
    path = k.kvm_riscv_aia_alloc_hgei(0, owner)
    assert kernels.story(memory, path, owner.thread) == [
        "start",
        "lock hgei0.lock",
        "step | hgei0.free_bitmap = 4",
        "step | hgei0.owners[1] = 1",
        "unlock hgei0.lock",
    ]


def test_alloc_waits_for_whoever_is_inside() -> None:
    k = kernels.booted(V6_12, [2, 2])
    a, b = k.add_vcpu("a", 0), k.add_vcpu("b", 0)
    first = Context(k.kvm_riscv_aia_alloc_hgei(0, a), a.thread).after("lock hgei0.lock")
    b.thread.cpu = 0
    second = Context(k.kvm_riscv_aia_free_hgei(0, 1), k.threads[0])
    assert not second.step()
    assert first.finish() == 1
    second.finish()
    assert lines_of(k) == (0b110, [0, 0, 0])


def test_alloc_asserts_what_its_caller_promises() -> None:
    k = kernels.booted(V6_12, [1, 1])
    owner = k.add_vcpu("a", 0)
    with pytest.raises(AssertionError, match="cpu is not this CPU"):
        next(k.kvm_riscv_aia_alloc_hgei(1, owner))
    k.per_cpu[0].virtualization_enabled = 0
    with pytest.raises(AssertionError, match="CPU without virtualization"):
        next(k.kvm_riscv_aia_alloc_hgei(0, owner))


# how many lines each kernel believes in


@pytest.mark.parametrize(
    ("variant", "free_bitmap"),
    [(V6_12, 0), (V2, 0), (BITMAP_RESET, 0), (LOCK_INIT, 0), (V5, ALL_63)],
)
def test_all_63_lines_make_a_shift_by_64(variant: str, free_bitmap: int) -> None:
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
    assert alloc(k, "a") == -ENOENT


@pytest.mark.parametrize(("init_hart", "count"), [(0, 3), (1, 1), (2, 0)])
def test_v6_12_counts_for_all_what_the_initcall_found_on_its_hart(
    init_hart: int, count: int
) -> None:
    k = kernels.booted(V6_12, [3, 1, 0], init_hart=init_hart)
    assert [k.nr_hgei(hgctrl) for hgctrl in k.hgei] == [count] * 3
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [(2 << count) - 2] * 3


@pytest.mark.parametrize("variant", [V2, V5])
@pytest.mark.parametrize("init_hart", [0, 2])
def test_the_patches_count_each_hart_for_itself(variant: str, init_hart: int) -> None:
    k = kernels.booted(variant, [3, 1, 0], init_hart=init_hart)
    assert [k.nr_hgei(hgctrl) for hgctrl in k.hgei] == [3, 1, 0]
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [0b1110, 0b10, 0]


@pytest.mark.parametrize(
    ("variant", "init_hart", "count"), [(V6_12, 0, 3), (V2, 0, 3), (V2, 2, 0), (V5, 0, 0)]
)
def test_the_global_count(variant: str, init_hart: int, count: int) -> None:
    k = kernels.booted(variant, [3, 1, 0], init_hart=init_hart)
    assert k.globals.kvm_riscv_aia_nr_hgei == count


@pytest.mark.parametrize(("variant", "counts"), [(V2, [5, 4]), (V5, [2, 4])])
def test_only_percpu_v5_looks_at_the_guest_files_of_each_hart(
    variant: str, counts: list[int]
) -> None:
    k = kernels.booted(variant, [HartSpec(2, geilen=5), HartSpec(7, geilen=4)])
    assert [k.nr_hgei(hgctrl) for hgctrl in k.hgei] == counts
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [(2 << n) - 2 for n in counts]


def test_v6_12_is_bounded_by_the_stride_of_the_guest_files() -> None:
    k = find_variant(V6_12)(Topology((HartSpec(3, geilen=9),), 2, "test"))
    boot(k, k.add_thread("swapper", 0))
    assert k.globals.kvm_riscv_aia_nr_hgei == 3


def test_a_migration_in_the_probe_finds_no_line_and_leaves_hgeie_set() -> None:
    k = kernels.unbooted(V6_12, [3, 3])
    swapper = k.add_thread("swapper", 0)
    probe = Context(k.kvm_riscv_aia_init(swapper), swapper)
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
    swapper.cpu = 1
    probe.finish()
    assert k.globals.kvm_riscv_aia_nr_hgei == 3
    assert [hart.hgeie for hart in k.hart] == [0b1110, 0]


def test_percpu_v5_probes_nothing_in_the_initcall() -> None:
    k = kernels.unbooted(V5, [3, 3])
    swapper = k.add_thread("swapper", 0)
    probe = Context(k.kvm_riscv_aia_init(swapper), swapper)
    swapper.cpu = 1
    probe.finish()
    assert k.globals.kvm_riscv_aia_nr_hgei == 3
    assert [hart.hgeie for hart in k.hart] == [0, 0]


# the order of enable and of the initcall

PROBE = [
    "start | hart0.hgeie = 2",
    "step | hgei0.nr_hgei = 2",
    "step | hart0.hgeie = 0",
    "step",
    "step | hgei0.nr_hgei = 1",
]
RESET_BITMAP = ["step", "step | hgei0.free_bitmap = 3", "step | hgei0.free_bitmap = 2"]
SGEIE = ["step | hart0.sgeie = 1", "sgei hart0"]
ONCE_UNLOCKED = ["step", *RESET_BITMAP, "step | hgei0.free_bitmap_initialized = 1"]
ONCE_LOCKED = [
    "step | hgei0.nr_hgei = 1",
    "lock hgei0.lock",
    "step",
    "step | hgei0.free_bitmap = 2",
    "step | hgei0.free_bitmap_initialized = 1",
    "unlock hgei0.lock",
]
ENABLE = {
    V6_12: ["start", *SGEIE],
    V2: [*PROBE, *RESET_BITMAP, "init hgei0.lock", *SGEIE],
    BITMAP_RESET: [*PROBE, *RESET_BITMAP, *SGEIE],
    LOCK_INIT: [*PROBE, *ONCE_UNLOCKED, "init hgei0.lock", *SGEIE],
    V5: [*PROBE, *ONCE_LOCKED, *SGEIE],
}


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_enable_step_by_step(variant: str) -> None:
    memory = Memory()
    k = kernels.unbooted(variant, [1, 1], memory)
    swapper = k.add_thread("swapper", 0)
    run_alone(k.kvm_riscv_aia_init(swapper), swapper)
    assert kernels.story(memory, k.kvm_riscv_aia_enable(swapper), swapper) == ENABLE[variant]


AGAIN = {
    V6_12: ENABLE[V6_12],
    V2: ENABLE[V2],
    BITMAP_RESET: ENABLE[BITMAP_RESET],
    LOCK_INIT: [*PROBE, "step", "init hgei0.lock", *SGEIE],
    V5: [
        *PROBE,
        "step | hgei0.nr_hgei = 1",
        "lock hgei0.lock",
        "unlock hgei0.lock",
        *SGEIE,
    ],
}


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_enabling_again_resets_only_what_the_variant_says(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1, 1])
    alloc(k, "a")
    path = k.kvm_riscv_aia_enable(k.threads[0])
    assert kernels.story(memory, path, k.threads[0]) == AGAIN[variant]
    lost = variant in (V2, BITMAP_RESET)
    assert lines_of(k) == (0b10 if lost else 0, [0, 1])


def test_percpu_v2_empties_the_bitmap_of_a_hart_that_comes_back_without_lines() -> None:
    k = kernels.booted(V2, [2])
    k.hart[0].geilen = 0
    run_alone(k.kvm_riscv_aia_enable(k.threads[0]), k.threads[0])
    assert (k.hgei[0].nr_hgei, k.hgei[0].free_bitmap) == (0, 0)


PROBE_FOR_ALL = ["start | hart0.hgeie = 2", "step"]
PROBED = "step | hart0.hgeie = 0 | globals.kvm_riscv_aia_nr_hgei = 1"
ALL_SET_UP = [f"init hgei{cpu}.lock | hgei{cpu}.free_bitmap = 2" for cpu in (0, 1)]
ALL_EMPTY = [
    f"init hgei{cpu}.lock | hgei{cpu}.free_bitmap = 0 | hgei{cpu}.free_bitmap_initialized = 0"
    for cpu in (0, 1)
]
INIT = {
    V6_12: [*PROBE_FOR_ALL, PROBED, *ALL_SET_UP],
    V2: [*PROBE_FOR_ALL, PROBED, "step"],
    V5: ["start", "step | globals.kvm_riscv_aia_nr_hgei = 1", *ALL_EMPTY],
}


@pytest.mark.parametrize("variant", INIT)
def test_the_initcall_step_by_step(variant: str) -> None:
    memory = Memory()
    k = kernels.unbooted(variant, [1, 1], memory)
    swapper = k.add_thread("swapper", 0)
    assert kernels.story(memory, k.kvm_riscv_aia_init(swapper), swapper) == INIT[variant]
