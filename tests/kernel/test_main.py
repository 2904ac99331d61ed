"""main.c and kvm_main.c: when CPUs are enabled, what a VM is refused, and how it all ends."""

from __future__ import annotations

import pytest

from hgeisim.drivers.run_to_end import boot, run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AUTO, EINVAL, EMUL, HWACCEL, Thread
from hgeisim.machine.shared import Memory
from tests.support import kernels
from tests.support.kernels import (
    ALL_VARIANTS,
    BASES,
    V2,
    V5,
    V6_12,
    V6_16,
    owner_on,
    registers,
    vsfile,
)
from tests.support.steps import Context, in_order, story


def unloaded(
    variant: str, harts: kernels.Harts, at_load: bool = True
) -> tuple[Module, Memory, Thread]:
    """A kernel without KVM, and the thread that is to load it."""
    memory = Memory()
    k = kernels.unbooted(variant, harts, memory)
    k.enable_virt_at_load = at_load
    return k, memory, k.add_thread("modprobe", 0)


def enabled(k: Module) -> list[int]:
    """On which CPUs virtualization is enabled."""
    return [cpu.virtualization_enabled for cpu in k.per_cpu]


# loading


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_at_load_all_cpus_are_enabled_one_at_a_time(variant: str) -> None:
    """Fact F4, of v6.12 and later: each in its own kernel thread."""
    k, memory, modprobe = unloaded(variant, [1, 1, 1])
    told = story(memory, k.riscv_kvm_init(modprobe), modprobe)
    order = ["globals.kvm_riscv_aia_available = 1", "mutex_lock kvm_usage_lock"]
    order += ["globals.kvm_usage_count = 1", "down_read cpu_hotplug_lock"]
    order += ["mutex_lock cpuhp_state_mutex"]
    for cpu in range(3):
        order += [f"cpuhp/{cpu} goes on", f"hart{cpu}.hvictl = 1", f"hart{cpu}.sgeie = 1"]
        order += [f"hart{cpu}.hvien = 1", f"cpu{cpu}.virtualization_enabled = 1"]
    order += ["cpuhp/0 goes on", "mutex_unlock cpuhp_state_mutex", "up_read cpu_hotplug_lock"]
    assert in_order(told, *order, "mutex_unlock kvm_usage_lock") == []
    assert (enabled(k), modprobe.cpu) == ([1, 1, 1], 0)


def test_the_locks_of_enabling_are_held_all_the_while() -> None:
    k, _, modprobe = unloaded(V6_12, [1, 1])
    path = Context(k.riscv_kvm_init(modprobe), modprobe).before("cpuhp/1 goes on")
    held = k.kvm_usage_lock.owner, k.cpu_hotplug_lock.readers, k.cpuhp_state_mutex.owner
    assert held == (modprobe.id, 1, modprobe.id)
    path.finish()
    held = k.kvm_usage_lock.owner, k.cpu_hotplug_lock.readers, k.cpuhp_state_mutex.owner
    assert held == (0, 0, 0)


def test_a_cpu_that_is_offline_is_enabled_when_it_comes_online() -> None:
    k, _, modprobe = unloaded(V5, [2, 2])
    k.hart[1].online = k.hart[1].active = 0
    boot(k, modprobe)
    assert (enabled(k), k.hgei[1].free_bitmap) == ([1, 0], 0)
    cpuhp = k.add_thread("cpuhp/1", 1)
    run_alone(k.cpu_up(cpuhp, 1), cpuhp)
    assert (enabled(k), k.hgei[1].free_bitmap) == ([1, 1], 0b110)


@pytest.mark.parametrize("variant", [V6_12, V2, V5])
def test_at_the_first_vm(variant: str) -> None:
    k, _, modprobe = unloaded(variant, [1, 1], at_load=False)
    boot(k, modprobe)
    assert (enabled(k), k.globals.kvm_usage_count) == ([0, 0], 0)
    vms = [k.add_vm(name) for name in ("first", "second")]
    for vm in vms:
        run_alone(k.kvm_create_vm(modprobe, vm), modprobe)
    assert (enabled(k), k.globals.kvm_usage_count) == ([1, 1], 2)
    for count, vm in enumerate(vms):
        run_alone(k.kvm_destroy_vm(modprobe, vm), modprobe)
        assert enabled(k) == [1 - count] * 2
    assert k.globals.kvm_usage_count == 0


def test_without_a_user_hotplug_neither_enables_nor_disables() -> None:
    k, memory, modprobe = unloaded(V5, [1, 1], at_load=False)
    boot(k, modprobe)
    cpuhp = k.add_thread("cpuhp/1", 1)
    told = story(memory, k.cpu_down(cpuhp, 1), cpuhp) + story(memory, k.cpu_up(cpuhp, 1), cpuhp)
    assert not [line for line in told if "hvictl" in line or "sgeie" in line]
    assert enabled(k) == [0, 0]


# VMs


@pytest.mark.parametrize("variant", ALL_VARIANTS)
@pytest.mark.parametrize(("lines", "kept"), [(0, False), (1, True)])
@pytest.mark.parametrize("mode", [AUTO, HWACCEL])
def test_auto_and_hwaccel_are_refused_without_a_line(
    variant: str, lines: int, kept: bool, mode: int
) -> None:
    """The count that is asked is the global one, with every variant."""
    k = kernels.booted(variant, [lines])
    vm = k.add_vm("vm", mode)
    assert kernels.result(k.aia_config(vm), k.threads[0]) == (0 if kept else -EINVAL)
    run_alone(k.kvm_create_vm(k.threads[0], vm), k.threads[0])
    assert vm.aia_mode == (mode if kept else EMUL)


def test_emul_is_never_refused() -> None:
    k = kernels.booted(V6_12, [0])
    assert kernels.result(k.aia_config(k.add_vm("vm", EMUL)), k.threads[0]) == 0


@pytest.mark.parametrize(("init_hart", "mode"), [(0, AUTO), (1, EMUL)])
def test_with_percpu_v2_the_hart_of_the_initcall_decides_for_all(init_hart: int, mode: int) -> None:
    """Hazard V2-9: HART 0 has lines, and whether a VM may use them is chance."""
    k = kernels.booted(V2, [3, 0], init_hart=init_hart)
    vm = k.add_vm("vm", AUTO)
    run_alone(k.kvm_create_vm(k.threads[0], vm), k.threads[0])
    assert (k.hgei[0].nr_hgei, vm.aia_mode) == (3, mode)


def test_a_vm_ends_with_all_its_vcpus() -> None:
    k = kernels.booted(V6_12, [2, 2])
    vm = k.add_vm("vm")
    run_alone(k.kvm_create_vm(k.threads[0], vm), k.threads[0])
    vcpus = [owner_on(k, name, cpu, vm=vm) for cpu, name in enumerate("ab")]
    run_alone(k.kvm_destroy_vm(k.threads[0], vm), k.threads[0])
    assert [vcpu.freed for vcpu in vcpus] == [1, 1]
    assert [hgctrl.free_bitmap for hgctrl in k.hgei] == [0b110, 0b110]
    assert (enabled(k), k.globals.kvm_usage_count) == ([1, 1], 1)


# unloading


AIA_GOES = ["globals.hgei_parent_irq = 0"]
CPUS_ARE_DISABLED = [
    *("globals.kvm_usage_count = 0", "globals.cpuhp_kvm_online = 0", "cpu0.sgei_irq_enabled = 0"),
    *("hart0.hvictl = 0", "cpu0.virtualization_enabled = 0", "cpu1.sgei_irq_enabled = 0"),
    "cpu1.virtualization_enabled = 0",
]


@pytest.mark.parametrize("variant", [*BASES, "v7.0+percpu-v5"])
def test_at_exit_the_cpus_are_disabled_before_aia_goes(variant: str) -> None:
    """Bug B-17, up to v6.14, the other way round: every CPU still has the interrupt enabled."""
    k, memory = kernels.tracked(variant, [1, 1])
    told = story(memory, k.riscv_kvm_exit(k.threads[0]), k.threads[0])
    sound, buggy = CPUS_ARE_DISABLED + AIA_GOES, AIA_GOES + CPUS_ARE_DISABLED
    assert in_order(told, *(buggy if variant == V6_12 else sound)) == []
    assert [hart.sgeie for hart in k.hart] == [0, 0]


def test_a_module_can_be_loaded_again() -> None:
    k = kernels.booted(V6_16, [1, 1])
    modprobe = k.threads[0]
    run_alone(k.riscv_kvm_exit(modprobe), modprobe)
    assert enabled(k) == [0, 0]
    boot(k, modprobe)
    assert (enabled(k), k.hgei[1].free_bitmap) == ([1, 1], 0b10)
    assert [cpu.sgei_irq_enabled for cpu in k.per_cpu] == [1, 1]


# the end of the host


@pytest.mark.parametrize("variant", [*BASES, V2, V5])
def test_shutdown_disables_every_cpu_and_releases_every_vcpu(variant: str) -> None:
    k = kernels.booted(variant, [2, 2])
    vcpus = [owner_on(k, name, cpu) for name, cpu in (("a", 0), ("b", 1), ("c", 1))]
    kernels.msi(k, vcpus[2], 3)
    run_alone(k.kvm_shutdown(k.threads[0]), k.threads[0])
    assert enabled(k) == [0, 0]
    assert [vsfile(vcpu) for vcpu in vcpus] == [(-1, -1)] * 3
    assert registers(k, vcpus[2])[2] == 0b1000
    assert [hart.sgeie for hart in k.hart] == [0, 0]


def test_shutdown_disables_the_other_cpus_in_a_hardirq() -> None:
    """So aia_disable, which takes mmu_lock and waits for IPIs, runs with interrupts off."""
    k = kernels.booted(V6_12, [1, 1, 1])
    path = Context(k.kvm_shutdown(k.threads[0]), k.threads[0])
    path.before("IPI kvm_disable_virtualization_cpu")
    assert path.at is not None
    assert k.hart[0].irq_off == 0
    path.at.begin(k.threads[0])
    assert k.threads[0].ipi_wait == 0b110
    assert enabled(k)[1:] == [1, 1]


def test_on_its_own_cpu_shutdown_disables_with_interrupts_off() -> None:
    k = kernels.booted(V6_12, [1, 1])
    path = Context(k.kvm_shutdown(k.threads[0]), k.threads[0]).before("lock irq_desc.lock")
    assert k.hart[0].irq_off == 1
    path.finish()
    assert k.hart[0].irq_off == 0


def test_shutdown_leaves_offline_cpus_alone() -> None:
    k = kernels.booted(V6_12, [1, 1])
    k.hart[1].online = 0
    run_alone(k.kvm_shutdown(k.threads[0]), k.threads[0])
    assert enabled(k) == [0, 1]


def test_after_shutdown_a_vcpu_that_goes_on_is_given_a_line_all_the_same() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    run_alone(k.kvm_shutdown(k.threads[0]), k.threads[0])
    assert k.globals.kvm_rebooting == 1
    assert kernels.enter(k, a, 1) == 1
    assert vsfile(a) == (1, 1)
