"""Variants: their names, and that each patch overrides exactly what it says."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

import pytest

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.aia_device import AiaDevice
from hgeisim.kernel.aia_imsic import Imsic, ImsicDevice
from hgeisim.kernel.cpu import Cpuhp
from hgeisim.kernel.cpu_idle import CpuIdle
from hgeisim.kernel.interrupts import Interrupts
from hgeisim.kernel.kvm_main import Block
from hgeisim.kernel.main import Module
from hgeisim.kernel.mmu import Mmu
from hgeisim.kernel.request import Request
from hgeisim.kernel.sched import Sched
from hgeisim.kernel.state import Kernel
from hgeisim.kernel.structs import IN_GUEST_MODE
from hgeisim.kernel.suspend import Suspend
from hgeisim.kernel.variants import BASES, OWN, PATCHES, find_variant, made_of, variant_problem
from hgeisim.kernel.variants.bugs import BUGS
from hgeisim.kernel.variants.cpu_pm import CpuPm
from hgeisim.kernel.variants.exit_order import ExitOrder
from hgeisim.kernel.variants.former_clear import FormerClear
from hgeisim.kernel.variants.former_skip import FormerSkip
from hgeisim.kernel.variants.gstage import Gstage
from hgeisim.kernel.variants.irqs_pending_lock import IrqsPendingLock
from hgeisim.kernel.variants.mmu_rwlock import MmuRwlock
from hgeisim.kernel.variants.mrif_64 import Mrif64
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.kernel.variants.percpu_v2_bitmap_reset import PercpuV2BitmapReset
from hgeisim.kernel.variants.percpu_v2_lock_init import PercpuV2LockInit
from hgeisim.kernel.variants.percpu_v3 import PercpuV3
from hgeisim.kernel.variants.percpu_v4 import PercpuV4
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.variants.review_clamp import ReviewClamp
from hgeisim.kernel.variants.review_min import ReviewMin
from hgeisim.kernel.variants.rw_attr_mutex import RwAttrMutex
from hgeisim.kernel.variants.stable import Stable
from hgeisim.kernel.variants.v6_12 import V6_12
from hgeisim.kernel.variants.v6_16 import V6_16
from hgeisim.kernel.variants.v6_18 import V6_18
from hgeisim.kernel.variants.v7_0 import V7_0
from hgeisim.kernel.variants.v7_1 import V7_1
from hgeisim.kernel.variants.v7_2 import V7_2
from hgeisim.kernel.variants.v7_3 import V7_3
from hgeisim.kernel.vcpu import VcpuRun
from hgeisim.kernel.vmid import Vmids
from hgeisim.machine.shared import Fixed, Memory
from tests.support import kernels

KNOWN_BASES = f"known: {', '.join(BASES)}"
KNOWN_PATCHES = f"known: {', '.join((*PATCHES, *BUGS))}"


@pytest.mark.parametrize("name", kernels.ALL_VARIANTS)
def test_known_variants(name: str) -> None:
    assert variant_problem(name) is None
    found = find_variant(name)
    assert (found.name, found.__name__) == (name, name)
    assert issubclass(found, Module)


@pytest.mark.parametrize("name", BASES)
def test_every_base_is_a_variant_of_its_own_name(name: str) -> None:
    assert find_variant(name).name == BASES[name].name == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("V6.12", f"'V6.12' is not a base; {KNOWN_BASES}; did you mean 'v6.12'?"),
        ("", f"'' is not a base; {KNOWN_BASES}"),
        ("v6.12+", f"'' is not a patch; {KNOWN_PATCHES}"),
        ("v6.12+nonsense", f"'nonsense' is not a patch; {KNOWN_PATCHES}"),
        (
            "v6.12+percpu-v6",
            f"'percpu-v6' is not a patch; {KNOWN_PATCHES}; did you mean 'percpu-v5'?",
        ),
        ("percpu-v2", f"'percpu-v2' is not a base; {KNOWN_BASES}"),
        ("nothing+nonsense", f"'nothing' is not a base; {KNOWN_BASES}"),
    ],
)
def test_unknown_variants(name: str, problem: str) -> None:
    assert variant_problem(name) == problem
    with pytest.raises(ValueError, match="is not a "):
        find_variant(name)


def test_versions_of_one_series_cannot_be_combined() -> None:
    assert variant_problem("v6.12+percpu-v2+percpu-v5") is not None
    with pytest.raises(ValueError, match="percpu"):
        find_variant("v6.12+percpu-v5+percpu-v2")


@pytest.mark.parametrize("name", ["v6.12+review-clamp", "v7.0+percpu-v5+review-min"])
def test_what_the_review_wanted_goes_on_top_of_percpu_v2(name: str) -> None:
    assert "go on top of percpu-v2" in (variant_problem(name) or "")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("v7.2+percpu-v5", "v7.2 has percpu-v5 already: leave it out"),
        ("v7.3+former-skip", "v7.3 has former-skip already: leave it out"),
        ("v6.16+exit-order", "v6.16 has exit-order already: leave it out"),
        ("v6.12+stable+exit-order", "stable has exit-order already: leave it out"),
        ("v7.2+percpu-v2", "v7.2 has percpu-v5: percpu-v2 goes on an older base, such as v7.0"),
        ("v7.2+review-min", "v7.2 has percpu-v5: review-min goes on an older base, such as v7.0"),
        ("v7.0+stable", "stable is the stable tree of v6.12: v6.12+stable, not v7.0+stable"),
    ],
)
def test_a_patch_that_is_there_already(name: str, problem: str) -> None:
    assert variant_problem(name) == problem


def test_a_variant_is_made_of_what_its_base_and_patches_bring_along() -> None:
    assert made_of("v7.0") == ["v7.0", "exit-order"]
    more = {"v7.3", "cpu-pm", "former-clear", "mrif-64"}
    assert set(made_of("v7.3")) - set(made_of("v7.2")) == more
    assert set(made_of("v7.2")) == {
        *("v7.2", "exit-order", "former-skip", "irqs-pending-lock"),
        *("mmu-rwlock", "percpu-v5", "rw-attr-mutex"),
    }
    stable = ["exit-order", "irqs-pending-lock", "rw-attr-mutex", "stable", "v6.12"]
    assert sorted(made_of("v6.12+stable")) == stable


def test_a_patch_applies_once() -> None:
    assert variant_problem("v6.12+percpu-v2+percpu-v2") == "a patch applies only once"


LAYERS = (
    *(Module, Suspend, CpuIdle, Cpuhp, Block, VcpuRun, AiaDevice, ImsicDevice, Imsic),
    *(Aia, Interrupts, Vmids, Mmu, Request, Sched, Kernel, Fixed),
)
ORDER: dict[str, list[type[Kernel]]] = {
    "v6.12": [V6_12],
    "v6.16": [V6_16, ExitOrder, V6_12],
    "v6.18": [V6_18, Gstage, V6_16, ExitOrder, V6_12],
    "v7.0": [V7_0, V6_18, Gstage, V6_16, ExitOrder, V6_12],
    "v7.1": [V7_1, FormerSkip, V7_0, V6_18, Gstage, V6_16, ExitOrder, V6_12],
    "v7.2": [
        *(V7_2, RwAttrMutex, IrqsPendingLock),
        *(PercpuV5, PercpuV4, PercpuV3, PercpuV2, MmuRwlock),
        *(V7_1, FormerSkip, V7_0, V6_18, Gstage, V6_16, ExitOrder, V6_12),
    ],
    "v7.3": [
        *(V7_3, Mrif64, CpuPm, FormerClear, V7_2, RwAttrMutex, IrqsPendingLock),
        *(PercpuV5, PercpuV4, PercpuV3, PercpuV2, MmuRwlock),
        *(V7_1, FormerSkip, V7_0, V6_18, Gstage, V6_16, ExitOrder, V6_12),
    ],
    "v6.12+stable": [Stable, RwAttrMutex, ExitOrder, IrqsPendingLock, V6_12],
    "v6.12+percpu-v2": [PercpuV2, V6_12],
    "v6.12+percpu-v2-bitmap-reset": [PercpuV2BitmapReset, PercpuV2, V6_12],
    "v6.12+percpu-v2-lock-init": [PercpuV2LockInit, PercpuV2, V6_12],
    "v6.12+percpu-v3": [PercpuV3, PercpuV2, V6_12],
    "v6.12+percpu-v4": [PercpuV4, PercpuV3, PercpuV2, V6_12],
    "v6.12+percpu-v5": [PercpuV5, PercpuV4, PercpuV3, PercpuV2, V6_12],
    "v6.16+percpu-v5": [PercpuV5, PercpuV4, PercpuV3, PercpuV2, V6_16, ExitOrder, V6_12],
    "v6.12+percpu-v2+review-clamp": [ReviewClamp, PercpuV2, V6_12],
    "v6.12+percpu-v2+review-clamp+review-min": [ReviewMin, ReviewClamp, PercpuV2, V6_12],
}


@pytest.mark.parametrize("name", ORDER)
def test_the_patch_is_asked_before_the_base(name: str) -> None:
    order = find_variant(name).__mro__[1:-1]
    assert order == (*ORDER[name], *LAYERS)


OVERRIDES: dict[type[Kernel], set[str]] = {
    V6_12: set(),
    V6_16: {
        *("kvm_arch_vcpu_blocking", "kvm_arch_vcpu_unblocking", "kvm_riscv_vcpu_aia_put"),
        "kvm_riscv_vcpu_aia_imsic_put",
        *("kvm_riscv_vcpu_aia_has_interrupts", "request_sgei", "kick_after_store"),
        "disarm_new_line",
        "lock_all_vcpus",
    },
    V6_18: {"kvm_riscv_vcpu_aia_has_interrupts"},
    V7_0: {"guest_files_max"},
    V7_1: set(),
    V7_2: set(),
    V7_3: set(),
    CpuPm: {
        *("riscv_kvm_init", "riscv_kvm_exit", "cpu_pm_register_notifier", "set_arch_enabled"),
        *("kvm_cpu_pm_enter", "kvm_cpu_pm_exit", "is_pm_event_for_kvm"),
        *("kvm_riscv_aia_pm_enter", "kvm_riscv_aia_pm_exit"),
    },
    ExitOrder: {"riscv_kvm_exit"},
    FormerClear: {"reset_guest_registers"},
    FormerSkip: {
        *("add_vcpu", "load_registers", "registers_to_be_written", "write_registers"),
        "kvm_riscv_vcpu_trap_redirect",
        *("preempt_others", "kvm_sched_out"),
        *("resume", "kvm_arch_vcpu_put", "put_and_loaded", "kvm_riscv_vcpu_enter_exit"),
        *("reset_vcpu_context", "reset_guest_registers", "kvm_riscv_vcpu_set_reg_csr"),
    },
    IrqsPendingLock: {
        *("add_vcpu", "kvm_riscv_vcpu_set_interrupt", "kvm_riscv_vcpu_unset_interrupt"),
        *("kvm_riscv_vcpu_flush_interrupts", "kvm_riscv_vcpu_sync_interrupts"),
        *("any_pending", "reset_vcpu_context"),
    },
    Mrif64: {"imsic_mrif_atomic_rmw"},
    MmuRwlock: {
        *("add_vm", "kvm_riscv_mmu_ioremap", "kvm_riscv_mmu_iounmap"),
        *("kvm_riscv_mmu_free_pgd", "kvm_riscv_mmu_map"),
    },
    RwAttrMutex: {"rw_vcpu_attr"},
    Stable: set(),
    PercpuV2: {
        *("nr_hgei", "aia_hgei_init", "kvm_riscv_aia_enable"),
        *("set_hgei_up", "probe_nr_hgei", "set_free_bitmap"),
    },
    PercpuV2BitmapReset: {"set_hgei_up"},
    PercpuV2LockInit: {"set_free_bitmap"},
    PercpuV3: {
        *("kvm_riscv_aia_init", "set_hgei_up"),
        *("bound_nr_hgei", "lower_nr_hgei"),
    },
    PercpuV4: {"request_sgei", "set_hgei_up", "set_free_bitmap"},
    PercpuV5: {"aia_hgei_init", "set_hgei_up", "lower_nr_hgei"},
    ReviewClamp: {"probe_nr_hgei"},
    ReviewMin: {"probe_nr_hgei"},
}


@pytest.mark.parametrize("patch", OVERRIDES)
def test_a_patch_overrides_only_what_it_says(patch: type[Kernel]) -> None:
    functions = {name for name, value in vars(patch).items() if isinstance(value, FunctionType)}
    assert functions == OVERRIDES[patch]
    new_names = {
        "kvm_riscv_vcpu_aia_imsic_put",
        "set_hgei_up",
        "probe_nr_hgei",
        "bound_nr_hgei",
        "set_free_bitmap",
        "lower_nr_hgei",
        *("registers_to_be_written", "write_registers", "preempt_others", "resume"),
        *("cpu_pm_register_notifier", "is_pm_event_for_kvm"),
        *("kvm_riscv_aia_pm_enter", "kvm_riscv_aia_pm_exit"),
    }
    assert all(hasattr(Module, name) for name in functions - new_names)


def test_every_base_and_patch_is_looked_at() -> None:
    assert {*BASES.values(), *PATCHES.values()} == {*OVERRIDES}


@pytest.mark.parametrize("name", [*ORDER, "v7.0+percpu-v5"])
def test_who_initialises_a_lock_again_says_so(name: str) -> None:
    """The checks and the search rely on locks that are steady."""
    again = "+percpu-v" in name and "bitmap-reset" not in name and "percpu-v5" not in name
    kernel = find_variant(name)(kernels.machine([1]))
    assert (kernel.locks_are_steady, kernel.hgei[0].lock.steady) == (not again, not again)
    assert kernel.rq[0].lock.steady


class Probe(Aia):
    """A user's own patch."""


def test_a_users_own_patch_goes_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN, "probe.py:Probe", Probe)
    order = find_variant("v6.18+percpu-v5+probe.py:Probe").__mro__
    assert order[1:4] == (Probe, PercpuV5, PercpuV4)


class Further(Probe):
    """A patch on it."""


def test_a_patch_comes_after_the_one_that_it_derives_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN, "probe.py:Probe", Probe)
    monkeypatch.setitem(OWN, "probe.py:Further", Further)
    assert variant_problem("v7.0+probe.py:Probe+probe.py:Further") is None
    wrong = variant_problem("v7.0+probe.py:Further+probe.py:Probe")
    assert wrong == "stacks patches in an order that their classes do not allow"


def test_a_variant_is_one_class_each_time() -> None:
    assert find_variant("v7.0+percpu-v5") is find_variant("v7.0+percpu-v5")


def test_the_state_has_no_paths_of_its_own() -> None:
    k = Kernel(kernels.machine([1]))
    thread = k.add_thread("t", 0)
    calls: list[Callable[[], object]] = [
        lambda: k.imsic_vsfile_local_read(thread, thread),
        lambda: k.imsic_vsfile_local_rw(thread, thread),
        lambda: k.ack_flush(thread, thread),
        lambda: k.kvm_disable_virtualization_cpu(thread, thread),
        lambda: k.irqfd_wakeup(thread, thread),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError):
            call()


def test_what_a_layer_expects_of_the_next_is_there_in_the_end() -> None:
    """Methods that a layer only declares are overridden by a later one."""
    declared = [
        (Sched, "kvm_sched_out"),
        (Sched, "kvm_sched_in"),
        (Aia, "kvm_riscv_vcpu_aia_imsic_release"),
        *((Kernel, name) for name in ("imsic_vsfile_local_read", "imsic_vsfile_local_rw")),
        *((Kernel, name) for name in ("ack_flush", "irqfd_wakeup")),
        (Kernel, "kvm_disable_virtualization_cpu"),
    ]
    for layer, name in declared:
        assert getattr(Module, name) is not getattr(layer, name), name


def test_threads_and_vcpus_count_from_one() -> None:
    k = Kernel(kernels.machine([1, 1]))
    vm = k.add_vm("vm")
    first, vcpu = k.add_thread("t", 1), k.add_vcpu("a", 0, vm)
    assert (first.id, vcpu.thread.id, vcpu.id) == (1, 2, 1)
    assert (k.vcpu(1), k.vcpu_of[vcpu.thread], vm.vcpus) == (vcpu, vcpu, [vcpu])
    with pytest.raises(AssertionError, match="NULL"):
        k.vcpu(0)


def test_a_new_vcpu_is_nowhere() -> None:
    k = Kernel(kernels.machine([1]), Memory())
    a = k.add_vcpu("a", 0, k.add_vm("vm"))
    assert (a.cpu, a.vsfile_cpu, a.vsfile_hgei, a.pte_cpu, a.pte_hgei) == (-1,) * 5
    assert (a.mode, a.requests, a.loaded, a.booted, a.freed) == (0,) * 5
    assert a.mode != IN_GUEST_MODE


@pytest.mark.parametrize("realtime", [False, True])
def test_which_locks_sleep_on_preempt_rt(realtime: bool) -> None:
    """spinlock_t and rwlock_t do, raw_spinlock_t does not."""
    k = Kernel(kernels.machine([1]), realtime=realtime)
    a = k.add_vcpu("a", 0, k.add_vm("vm"))
    sleeping = (a.vsfile_lock, a.hfence_lock, a.vm.mmu_lock)
    raw = (k.hgei[0].lock, k.rq[0].lock, k.sgei_desc_lock, a.thread.pi_lock, a.swfile_extirq_lock)
    assert [lock.sleeping for lock in sleeping] == [realtime] * 3
    assert [lock.sleeping for lock in raw] == [False] * 5
