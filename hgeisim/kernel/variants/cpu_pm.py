"""df81f80c35bc: KVM saves what a CPU loses with its power in idle, and restores it (v7.3)."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel import structs
from hgeisim.kernel.structs import Caller, Thread
from hgeisim.kernel.variants.exit_order import ExitOrder
from hgeisim.kernel.variants.former_clear import FormerClear
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.shared import Field
from hgeisim.machine.task import Runner


class CpuPm(FormerClear, ExitOrder):
    """A CPU PM notifier, from before kvm_init until after kvm_exit (fixes bug PM-0)."""

    powers_down = True

    class Globals(structs.Globals):
        """kvm_cpu_pm_nb: 1 while the notifier is registered."""

        kvm_cpu_pm_nb: Field

    class PerCpu(structs.PerCpu):
        """kvm_riscv_virtualization_enabled: the flag of the architecture, which outlasts neither
        end of being enabled."""

        kvm_riscv_virtualization_enabled: Field

    class HgeiControl(structs.HgeiControl):
        """saved_hgeie: HGEIE as it was before the CPU became idle."""

        saved_hgeie: Field

    def riscv_kvm_init(k, current: Thread) -> Path[None]:
        """riscv_kvm_init, v7.3 (2.1): the notifier is registered before any CPU is enabled."""
        yield from k.kvm_riscv_aia_init(current)
        yield from k.cpu_pm_register_notifier(1)
        if k.enable_virt_at_load:
            yield from k.kvm_enable_virtualization(current)

    def riscv_kvm_exit(k, current: Thread) -> Path[None]:
        """riscv_kvm_exit, v7.3 (2.1x): kvm_exit, the notifier, AIA."""
        if k.enable_virt_at_load:
            yield from k.kvm_disable_virtualization(current)
        yield from k.cpu_pm_register_notifier(0)
        yield from k.kvm_riscv_aia_exit(current)

    def cpu_pm_register_notifier(k, registered: int) -> Path[None]:
        """cpu_pm_register_notifier, v7.3, or its opposite (0), which waits for nobody."""
        here: Any = k.globals
        yield k.cpu_pm_notifier_lock.lock_irqsave
        here.kvm_cpu_pm_nb = registered
        yield k.cpu_pm_notifier_lock.unlock_irqrestore

    def set_arch_enabled(k, current: Caller | Runner, enabled: int) -> Path[None]:
        """kvm_arch_enable_virtualization_cpu and its opposite, v7.3 (2.19): their last step."""
        here: Any = k.per_cpu[current.cpu]
        yield STEP
        here.kvm_riscv_virtualization_enabled = enabled

    def kvm_cpu_pm_enter(k, current: Thread) -> Path[None]:
        """KVM's notifier of CPU_PM_ENTER, v7.3 (2.21): 1 is virtualization enabled here, 2-4 AIA, 5
        VSIE, HVIP, HEDELEG, HIDELEG := 0, 6 former := NULL."""
        enabled = yield from k.is_pm_event_for_kvm(current)
        if enabled:
            yield from k.kvm_riscv_aia_pm_enter(current)
            yield from k.reset_guest_registers(current)

    def kvm_cpu_pm_exit(k, current: Thread) -> Path[None]:
        """KVM's notifier of CPU_PM_EXIT, v7.3 (2.21): 1 is virtualization enabled here, 3-6 AIA;
        the registers of step 2 are nobody's since step 5 of the entry."""
        enabled = yield from k.is_pm_event_for_kvm(current)
        if enabled:
            yield from k.kvm_riscv_aia_pm_exit(current)

    @part_of("cpu_pm_enter", "cpu_pm_exit")
    def is_pm_event_for_kvm(k, current: Thread) -> Path[int]:
        """Whether the notifier is registered, and finds its CPU enabled (2.21 step 1)."""
        chain: Any = k.globals
        here: Any = k.per_cpu[current.cpu]
        yield STEP
        if not chain.kvm_cpu_pm_nb:
            return 0
        yield STEP
        return int(here.kvm_riscv_virtualization_enabled)

    def kvm_riscv_aia_pm_enter(k, current: Thread) -> Path[None]:
        """kvm_riscv_aia_pm_enter, v7.3 (2.21 steps 2-4): HGEIE and hie.SGEIE stay, no lock."""
        hart = current.hart
        hgctrl: Any = k.hgei[current.cpu]
        yield STEP
        hart.hvien = 0
        yield STEP
        hart.hvictl = 0
        yield STEP
        hgctrl.saved_hgeie = hart.hgeie

    def kvm_riscv_aia_pm_exit(k, current: Thread) -> Path[None]:
        """kvm_riscv_aia_pm_exit, v7.3 (2.21 steps 3-6): no lock, and no line is looked at."""
        hart = current.hart
        hgctrl: Any = k.hgei[current.cpu]
        yield STEP
        hart.write_hgeie(hgctrl.saved_hgeie)
        yield STEP
        hart.hvictl = 1
        yield STEP
        hart.sgeie = 1
        yield k.sgei[hart.id]
        yield STEP
        hart.hvien = 1
