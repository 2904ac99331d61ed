"""kernel/power/suspend.c and kernel/cpu.c of v6.12: the host is suspended to RAM, and resumes."""

from __future__ import annotations

from hgeisim.kernel.cpu_idle import CpuIdle
from hgeisim.kernel.structs import Thread
from hgeisim.machine.idle import POWER_DOWN
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE, STEP, Path


class Suspend(CpuIdle):
    """Every CPU but one goes offline by hotplug; that one turns virtualization off with interrupts
    off (syscore), loses its power, and comes back the same way."""

    def enter_state(k, current: Thread) -> Path[None]:
        """enter_state, v6.12: user space rests meanwhile."""
        yield k.freezer.ask
        yield from k.signal_all(current, 1)
        yield k.freezer.freeze
        yield from k.suspend_enter(current)
        yield from k.signal_all(current, 0)
        yield k.freezer.thaw

    @part_of("enter_state")
    def signal_all(k, current: Thread, stop: int) -> Path[None]:
        """freeze_processes, v6.12: a fake signal makes the threads of vCPUs leave KVM_RUN; when
        they are thawed there is none."""
        i = 1
        while i < len(k.vcpus):
            vcpu = k.vcpu(i)
            yield STEP
            vcpu.stop = stop
            if stop:
                yield from k.kvm_vcpu_kick(current, vcpu)
            i += 1

    def suspend_enter(k, current: Thread) -> Path[None]:
        """suspend_enter, v6.12, on the boot CPU."""
        home = current.cpu
        frozen_cpus = yield from k.freeze_secondary_cpus(current)
        yield k.cpuhp_thread[home]
        yield LOCAL_IRQ_DISABLE
        yield from k.syscore_suspend(current)
        yield POWER_DOWN
        yield from k.syscore_resume(current)
        yield LOCAL_IRQ_ENABLE
        yield from k.thaw_secondary_cpus(current, frozen_cpus)
        yield k.cpuhp_thread[home]

    def freeze_secondary_cpus(k, current: Thread) -> Path[int]:
        """freeze_secondary_cpus, v6.12: all but the boot CPU go offline in turn; returns which."""
        home, frozen_cpus, cpu = current.cpu, 0, 0
        while cpu < len(k.hart):
            if cpu != home and k.hart[cpu].online:
                yield k.cpuhp_thread[cpu]
                yield from k.cpu_down(current, cpu)
                frozen_cpus |= 1 << cpu
            cpu += 1
            yield STEP
        return frozen_cpus

    def thaw_secondary_cpus(k, current: Thread, frozen_cpus: int) -> Path[None]:
        """thaw_secondary_cpus, v6.12: those come online again."""
        cpu = 0
        while cpu < len(k.hart):
            if frozen_cpus >> cpu & 1:
                yield k.cpuhp_thread[cpu]
                yield from k.cpu_up(current, cpu)
            cpu += 1
            yield STEP

    def syscore_suspend(k, current: Thread) -> Path[None]:
        """syscore_suspend, v6.12 (2.21): whoever was registered last comes first, so KVM, then the
        CPU PM notifiers."""
        if k.globals.kvm_usage_count:
            yield from k.kvm_suspend(current)
        yield from k.cpu_pm_enter(current)

    def syscore_resume(k, current: Thread) -> Path[None]:
        """syscore_resume, v6.12 (2.21): the other way round."""
        yield from k.cpu_pm_exit(current)
        yield STEP
        if k.globals.kvm_usage_count:
            yield from k.kvm_resume(current)

    def kvm_suspend(k, current: Thread) -> Path[None]:
        """kvm_suspend (kvm_main.c), v6.12: interrupts are off."""
        yield from k.kvm_disable_virtualization_cpu(current, current)

    def kvm_resume(k, current: Thread) -> Path[None]:
        """kvm_resume (kvm_main.c), v6.12: interrupts are off."""
        yield from k.kvm_enable_virtualization_cpu(current)
