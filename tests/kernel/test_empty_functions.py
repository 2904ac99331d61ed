"""A function that does nothing, in place of one of the kernel, is noticed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from hgeisim.checks.catalogue import is_note
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.variants import BASES, PATCHES, find_variant, variant_problem
from hgeisim.library.own_patch import execute
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from tests.support.small_scenarios import SMALL

DATA = Path(__file__).parents[1] / "data/scenarios"
"""Scenarios by name, as small as what they are to show."""


class Notice(NamedTuple):
    """A finding that the base does not show, in a search if the scenario has tasks, else in a
    run."""

    finding: str
    scenario: str
    base: str = "v7.0"
    settings: tuple[str, ...] = ()


PERCPU = "v7.0+percpu-v5"
FULL = ("exhaustion-auto", "v7.0", ("run.quiet=1ms", "run.until=6ms"))
KEPT = ("exhaustion-auto", "v7.0", ("kernel.preemption=none", *FULL[2]))
STORM = ("hotplug-storm", "v7.0", ("run.quiet=200us", "run.until=8ms"))
CHURN = ("vm-churn", "v7.0", ("run.until=10ms",))
IPIS = ("sgei-storm", "v7.0", ("run.quiet=500us", "run.until=4ms"))
BIG = ("big-little", PERCPU, ("run.until=3ms",))
ENDLESS = "endless:kvm_arch_vcpu_ioctl_run", "vmid-rollover", "v7.0+F-8-fixed"
NOTICED = {
    "aia_config": Notice("mode-unusable:hwaccel", "lineless"),
    "aia_find_hgei": Notice("lost-wakeup:vcpu", "msi-to-sleeper", "v6.12"),
    "any_pending": Notice("lost-wakeup:vcpu", "on-swfile"),
    "aia_hgei_init": Notice("bitmap-owner:all-lines", *FULL),
    "bound_nr_hgei": Notice("no-such-file:hgei", "pageless", PERCPU),
    "cpuhp_remove_state": Notice("irq-freed-enabled:sgei", "module-exit"),
    "cpuhp_setup_state": Notice("exception:must_be_enabled", *FULL),
    "cpu_pm_enter": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "cpu_pm_exit": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "cpu_pm_register_notifier": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "disable_sgei": Notice("irq-freed-enabled:sgei", "module-exit"),
    "enable_sgei": Notice("unserved:vcpu", *FULL),
    "guest_mode": Notice("entry-refused:auto", *FULL),
    "guest_traps": Notice("unserved:vcpu", *STORM),
    "hgei_interrupt": Notice("unserved:vcpu", *FULL),
    "imsic_page_write": Notice("sent-lost:vcpu", "one-vm"),
    "imsic_mrif_atomic_rmw": Notice("set-up-lost:vcpu", "on-swfile"),
    "imsic_swfile_extirq_update": Notice("level:swfile", *FULL),
    "imsic_swfile_read": Notice("set-up-lost:vcpu", *STORM),
    "imsic_swfile_update": Notice("set-up-lost:vcpu", *STORM),
    "imsic_vsfile_local_clear": Notice("stray:vcpu", "reused-line"),
    "imsic_vsfile_local_read": Notice("set-up-lost:vcpu", "reused-line"),
    "imsic_vsfile_local_update": Notice("set-up-lost:vcpu", "reused-line"),
    "imsic_vsfile_local_rw": Notice("misread:attribute", "saved"),
    "imsic_vsfile_read": Notice("set-up-lost:vcpu", "one-vm"),
    "imsic_without_vsfile": Notice("entry-refused:auto", "reused-line"),
    "irqfd_wakeup": Notice("sent-lost:vcpu", "reused-line"),
    "kvm_arch_vcpu_blocking": Notice("lost-wakeup:vcpu", "msi-to-sleeper", "v6.12"),
    "kvm_arch_vcpu_ioctl_run": Notice("unserved:vcpu", *FULL),
    "kvm_arch_vcpu_load": Notice("unreachable:vcpu", "reused-line"),
    "kvm_arch_vcpu_put": Notice("lost-wakeup:vcpu", "one-vm"),
    "kvm_arch_vcpu_unblocking": Notice("armed:free-line", "destroyed", "v6.12"),
    "is_pm_event_for_kvm": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "kvm_cpu_pm_enter": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "kvm_cpu_pm_exit": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "kvm_create_vm": Notice("exception:must_be_enabled", *CHURN),
    "kvm_destroy_vm": Notice("left-behind:vcpu", "destroyed"),
    "kvm_disable_virtualization": Notice("irq-freed-enabled:sgei", "module-exit"),
    "kvm_disable_virtualization_cpu": Notice("irq-freed-enabled:sgei", "module-exit"),
    "kvm_enable_virtualization": Notice("exception:must_be_enabled", *FULL),
    "kvm_enable_virtualization_cpu": Notice("exception:must_be_enabled", *FULL),
    "kvm_make_vcpus_request_mask": Notice("fence-lost:vcpu", "one-vm"),
    "kvm_offline_cpu": Notice("now-on-offline:vsfile", *STORM),
    "kvm_online_cpu": Notice("exception:must_be_enabled", *STORM),
    "kvm_riscv_aia_alloc_hgei": Notice("line-refused:hgei", *FULL),
    "kvm_riscv_aia_disable": Notice("irq-freed-enabled:sgei", "module-exit"),
    "kvm_riscv_aia_enable": Notice("unserved:vcpu", *FULL),
    "kvm_riscv_aia_exit": Notice("left-behind:sgei", "module-exit"),
    "kvm_riscv_aia_free_hgei": Notice("dead-owner:taken-line", *CHURN),
    "kvm_riscv_aia_imsic_rw_attr": Notice("misread:attribute", "saved"),
    "kvm_riscv_aia_init": Notice("mode-refused:aia", *FULL),
    "kvm_riscv_aia_wakeon_hgei": Notice("lost-wakeup:vcpu", "msi-to-sleeper", "v6.12"),
    "kvm_riscv_aia_pm_enter": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "kvm_riscv_aia_pm_exit": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "kvm_riscv_check_vcpu_requests": Notice("unserved:vcpu", *FULL),
    "kvm_riscv_hfence_gvma_vmid_gpa": Notice("stale-translation:vcpu", "store-moved"),
    "kvm_riscv_hfence_process": Notice("fence-lost:vcpu", "reused-line"),
    "kvm_riscv_vcpu_set_reg_csr": Notice("foreign-registers:vcpu", "set-register", "v7.3"),
    "make_xfence_request": Notice("stale-translation:vcpu", "store-moved"),
    "kvm_riscv_mmu_free_pgd": Notice("left-behind:pgd", "monitor-exits"),
    "kvm_mmu_notifier_release": Notice("left-behind:pgd", "monitor-exits"),
    "read_pgd": Notice("stale-pte:vcpu", "reused-line"),
    "kvm_riscv_mmu_iounmap": Notice("stale-pte:vcpu", "reused-line"),
    "kvm_riscv_vcpu_aia_has_interrupts": Notice("lost-wakeup:vcpu", "moved-sleeper"),
    "kvm_riscv_vcpu_aia_imsic_cleanup": Notice("left-behind:vcpu", "reused-line"),
    "kvm_riscv_vcpu_aia_imsic_inject": Notice("sent-lost:vcpu", *FULL),
    "kvm_riscv_vcpu_aia_imsic_put": Notice("lost-wakeup:vcpu", "reused-line"),
    "kvm_riscv_vcpu_aia_imsic_release": Notice("now-on-offline:vsfile", *STORM),
    "kvm_riscv_vcpu_aia_imsic_reset": Notice("reset-kept:vcpu", "reset-pending"),
    "kvm_riscv_vcpu_aia_imsic_rmw_eie": Notice("set-up-lost:vcpu", "high-identity", "v7.3"),
    "kvm_riscv_vcpu_aia_imsic_rmw_setup": Notice("set-up-lost:vcpu", "on-swfile"),
    "kvm_riscv_vcpu_aia_imsic_rmw_topei": Notice("endless:kvm_arch_vcpu_ioctl_run", "on-swfile"),
    "kvm_riscv_vcpu_aia_imsic_update": Notice("entry-refused:auto", "reused-line"),
    "kvm_riscv_vcpu_aia_put": Notice("lost-wakeup:vcpu", "reused-line"),
    "kvm_riscv_vcpu_enter_exit": Notice("entry-refused:auto", "reused-line"),
    "kvm_riscv_vcpu_flush_interrupts": Notice("unserved:vcpu", *FULL),
    "kvm_riscv_vcpu_mmio_store": Notice("sent-lost:vcpu", *IPIS),
    "kvm_riscv_vcpu_set_interrupt": Notice("lost-wakeup:vcpu", *FULL),
    "kvm_riscv_vcpu_sync_interrupts": Notice("stray:software", "lost-ipi"),
    "kvm_riscv_vcpu_timer_next_event": Notice("unserved:vcpu", "ticks"),
    "kvm_riscv_vcpu_unset_interrupt": Notice("endless:kvm_arch_vcpu_ioctl_run", "on-swfile"),
    "kvm_sbi_ext_ipi_handler": Notice("lost-wakeup:software", "lost-ipi", "v7.3"),
    "kvm_sched_in": Notice("unreachable:vcpu", "reused-line"),
    "kvm_sched_out": Notice("lost-wakeup:vcpu", "one-vm"),
    "kvm_shutdown": Notice("left-behind:virtualization", "reboot"),
    "kvm_vcpu_check_block": Notice("unserved:vcpu", *FULL),
    "kvm_vcpu_ioctl_begin": Notice("exception:kvm_arch_vcpu_ioctl_run", *FULL),
    "kvm_vcpu_ioctl_end": Notice("left-behind:vcpu->mutex", *CHURN),
    "kvm_vcpu_kick": Notice("lost-wakeup:vcpu", "one-vm"),
    "lower_nr_hgei": Notice("mode-unusable:hwaccel", "lineless", PERCPU),
    "memset_swfile": Notice("reset-kept:vcpu", "reset-swfile"),
    "on_each_cpu_in_turn": Notice("exception:must_be_enabled", *FULL),
    "on_each_cpu_mask": Notice("set-up-lost:vcpu", "reused-line"),
    "preempt_schedule": Notice("endless:preempt_schedule", *STORM),
    "probe_nr_hgei": Notice("mode-refused:aia", *BIG),
    "registers_to_be_written": Notice("foreign-registers:vcpu", "contend", "v7.2"),
    "request_sgei": Notice("deaf:vcpu", "reused-line"),
    "riscv_kvm_exit": Notice("left-behind:sgei", "module-exit"),
    "riscv_kvm_init": Notice("mode-refused:aia", *FULL),
    "rw_swfile": Notice("misread:attribute", "high-identity", "v7.3"),
    "rw_vcpu_attr": Notice("misread:attribute", "saved"),
    "schedule": Notice("unserved:vcpu", *KEPT),
    "set_arch_enabled": Notice("lost-wakeup:vcpu", "idle-power", "v7.3"),
    "set_free_bitmap": Notice("bitmap-owner:all-lines", *BIG),
    "set_hgei_up": Notice("line-refused:hart", *BIG),
    "switch_to_others": Notice("unbalanced:schedule", *FULL),
    "take_line_away": Notice("now-on-offline:vsfile", *STORM),
    "task_rq_lock": Notice("unbalanced:ttwu_runnable", "moved-sleeper"),
    "try_to_wake_up": Notice("lost-wakeup:vcpu", "reused-line"),
    "ttwu_runnable": Notice("lost-wakeup:vcpu", "moved-sleeper"),
    "vcpu_enter_guest": Notice("entry-refused:auto", "reused-line"),
    "kvm_resume": Notice("exception:must_be_enabled", "suspend", "v7.0"),
    "kvm_riscv_gstage_update_hgatp": Notice("foreign-vmid:vcpu", *ENDLESS[1:]),
    "kvm_riscv_gstage_vmid_update": Notice(*ENDLESS),
    "kvm_suspend": Notice("register:hvictl", "suspend", "v7.0"),
    "load_registers": Notice("foreign-registers:vcpu", "contend", "v7.2"),
    "local_hfence_gvma_all": Notice("foreign-vmid:vcpu", *ENDLESS[1:]),
    "signal_all": Notice("deadlock:freezetasks", "suspend", "v7.0"),
    "syscore_resume": Notice("exception:must_be_enabled", "suspend", "v7.0"),
    "syscore_suspend": Notice("register:hvictl", "suspend", "v7.0"),
    "thaw_secondary_cpus": Notice("exception:must_be_enabled", "suspend", "v7.0"),
    "vcpu_load": Notice("unreachable:vcpu", "reused-line"),
    "vcpu_put": Notice("left-behind:vcpu->cpu", "destroyed"),
    "vcpu_thread": Notice("unserved:vcpu", *FULL),
}

LOCKS = (
    "It takes locks and gives them back; it leaves nothing behind that anybody reads. Lock order "
    "knows fewer locks then, and complains of none."
)
ARRIVES = "It does nothing but arrive: the interrupt makes a guest exit, the function adds nothing."
VERB = "It is what a script or the host does, not KVM: without it the scenario is another one, and "
WFI = "WFI may end at any time: the guest looks again, gets its interrupts, and takes HART time."
UNSEEN = {
    "reset_guest_registers": "The HART keeps the registers, which is what a load may rely on.",
    "reset_vcpu_context": "A guest goes on as before its reset, and a load writes what memory "
    "has: the values of a reset are not modelled.",
    "ack_flush": ARRIVES,
    "scheduler_ipi": ARRIVES,
    "aia_init": "It takes and gives back locks and waits for readers; it leaves nothing behind "
    "that anybody reads. Lock order knows fewer dependencies then, and complains of none.",
    "aia_create": LOCKS,
    "kvm_vm_ioctl_create_vcpu": LOCKS,
    "lock_all_vcpus": LOCKS,
    "unlock_vcpus": "The machine is not set up: whoever wants one of these locks next waits for "
    "ever, and that is an error before the search.",
    "kvm_riscv_vcpu_trap_redirect": "What it writes is not modelled, only whose registers it is "
    "written to.",
    "enter_state": VERB + "vacuous: the host is not suspended.",
    "suspend_enter": VERB + "vacuous: user space rests, and nothing goes down meanwhile.",
    "freeze_secondary_cpus": VERB + "smaller: one CPU is suspended, and comes back.",
    "first_user_of_a_version": VERB + "vacuous: no VMID is taken back.",
    "cpu_down": VERB + "vacuous: no HART goes offline, so no line is taken away.",
    "cpu_up": VERB + "poorer: HARTs that went offline stay so, and nothing needs them.",
    "move_to": VERB + "vacuous: the vCPU stays where it is, and its file too.",
    "do_idle": VERB + "vacuous: no HART loses its power.",
    "disarm_new_line": "A line that is armed while its vCPU runs costs an SGEI and a kick too "
    "many; so does one that is armed when its sleeper is woken otherwise, in every kernel.",
    "guest_store": "It is what a guest does, not KVM: without it nothing is stored or lost.",
    "halt_poll": "Polling only saves time: without it the vCPU blocks, as with halt_poll_ns=0.",
    "kick_after_store": "SGEI wakes the sleeper as well: later kernels have it empty.",
    "kvm_riscv_mmu_ioremap": "The page traps, and KVM injects: slower, and nothing is lost. "
    "Shipped kernels leave a page unmapped, too, when a CPU that goes away unmaps it after the "
    "vCPU has mapped its new file, so a check would accuse them.",
    "kvm_riscv_mmu_map": "The page is written later: nothing says when, and RAM is not modelled.",
    "kvm_vcpu_ioctl_set_one_reg": "Nothing reads a register back: which values there are is not "
    "modelled, only where the newest are.",
    "gstage_set_pte": "The page traps for ever, as with an empty kvm_riscv_mmu_ioremap.",
    "kvm_riscv_vcpu_hrtimer_expired": "The books are about MSIs; a guest's timer would need its "
    "own: when it was set, when it expired, when the guest has seen VS_TIMER.",
    "kvm_riscv_vcpu_wfi": WFI,
    "kvm_vcpu_halt": WFI,
    "kvm_vcpu_block": WFI,
}


STATES = 60_000
SEEDS = 3
"""Runs that the base gets."""
FAST = (
    *("aia_config", "cpu_pm_enter", "kvm_cpu_pm_exit", "set_arch_enabled"),
    *("kvm_arch_vcpu_unblocking", "kvm_destroy_vm", "kvm_riscv_aia_exit"),
    *("kvm_riscv_aia_wakeon_hgei", "lower_nr_hgei", "riscv_kvm_exit", "vcpu_put"),
)
"""Those whose test is quick."""
SLOW = (
    *("kvm_arch_vcpu_load", "kvm_riscv_aia_alloc_hgei", "kvm_riscv_hfence_process"),
    *("kvm_riscv_vcpu_flush_interrupts", "request_sgei", "hgei_interrupt", "preempt_schedule"),
)
"""Some of the others; `make proof` has them all."""


def paths_of(variant: str) -> Iterator[str]:
    """The functions of a kernel that are paths."""
    found = inspect.getmembers(find_variant(variant), inspect.isgeneratorfunction)
    return (name for name, _ in found if not name.startswith("_"))


def functions() -> set[str]:
    """Those of all kernels."""
    variants = [*BASES, *(f"{base}+{patch}" for base in BASES for patch in PATCHES)]
    known = (each for each in variants if variant_problem(each) is None)
    return {name for variant in known for name in paths_of(variant)}


def text_of(name: str, base: str) -> str:
    """A patch with one function that does nothing, and returns 0."""
    parameters = inspect.signature(getattr(find_variant(base), name)).parameters.values()
    header = ", ".join(str(each.replace(annotation=each.empty)) for each in parameters)
    body = "yield from ()\n        return 0\n"
    lines = "from hgeisim.kernel.main import Module\n\n\nclass Empty(Module):\n"
    return f"{lines}    def {name}({header}):\n        {body}"


def loaded(folder: Path, notice: Notice, variant: str, seed: int = 1) -> Scenario:
    name = notice.scenario
    if name in SMALL:
        (folder / f"{name}.toml").write_text(SMALL[name])
        name = str(folder / f"{name}.toml")
    elif (DATA / f"{name}.toml").exists():
        name = str(DATA / f"{name}.toml")
    said = {"variant": variant, "seed": seed}
    return load_scenario(name, said, variant_problem, notice.settings)


def found_in(scenario: Scenario, wanted: str = "") -> set[str]:
    """The findings of a search, up to what is wanted, or a run."""
    if scenario.task:
        verdict = exhaustive(space_of(scenario), STATES, enough=lambda each: each == wanted)
        return set(verdict.counterexamples)
    simulation = simulate(scenario, record="occupancy")
    simulation.run(scenario.run.until)
    return set(simulation.findings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@cache
def of_the_base(folder: Path, notice: Notice) -> frozenset[str]:
    seeds = range(1, SEEDS + 1)
    scenarios = [loaded(folder, notice, notice.base, seed) for seed in seeds]
    if scenarios[0].task:
        del scenarios[1:]
    return frozenset().union(*map(found_in, scenarios))


def assert_noticed(folder: Path, name: str) -> None:
    notice = NOTICED[name]
    patch = folder / f"{name}.py"
    patch.write_text(text_of(name, notice.base))
    variant = f"{notice.base}+{patch}:Empty"
    execute(variant)
    assert not is_note(notice.finding)
    assert notice.finding in found_in(loaded(folder, notice, variant), notice.finding)
    assert notice.finding not in of_the_base(folder, notice._replace(finding=""))


@pytest.mark.parametrize("name", FAST)
def test_an_empty_function_is_noticed(folder: Path, name: str) -> None:
    assert_noticed(folder, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_an_empty_function_is_noticed_that_takes_longer(folder: Path, name: str) -> None:
    assert_noticed(folder, name)


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(set(NOTICED) - {*FAST, *SLOW}))
def test_every_empty_function_is_noticed(folder: Path, name: str) -> None:
    assert_noticed(folder, name)


def test_every_function_is_noticed_or_has_a_reason() -> None:
    assert sorted(functions() - set(NOTICED) - set(UNSEEN)) == []
    assert sorted({*NOTICED, *UNSEEN} - functions()) == []
    assert sorted(set(NOTICED) & set(UNSEEN)) == []
