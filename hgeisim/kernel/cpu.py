"""kernel/cpu.c and virt/kvm/kvm_main.c of v6.12: CPUs and virtualization, on and off (2.19)."""

from __future__ import annotations

from hgeisim.kernel.kvm_main import Block
from hgeisim.kernel.structs import EBUSY, Caller, Thread
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path, Spend
from hgeisim.machine.schedule import STOP_MACHINE, PushOff
from hgeisim.machine.task import Runner

CPUHP_STATE = Spend("cpuhp_state")


class Cpuhp(Block):
    """The steps of CPU hotplug that the AIA code can notice, in their order.

    One thread stands for the initiator and for cpuhp/<cpu>, which never run at the same time; so it
    also runs while its CPU is down.
    """

    def cpu_down(k, current: Thread, cpu: int) -> Path[int]:
        """cpu_down, v6.12: tasks leave, CPUHP_AP_KVM_ONLINE is torn down, the CPU stops.

        Most of the time of going down lies between the first two: when KVM looks for lines to take
        away, whoever was pushed off has been elsewhere for long, with its line.

        One CPU at a time (F4); the last one stays: -EBUSY.
        """
        k.must_be_on(current, cpu)
        yield k.cpu_hotplug_lock.down_write
        ret = -EBUSY if k.is_last_cpu(cpu) else 0
        if k.hart[cpu].online and not ret:
            k.hart[cpu].active = 0
            yield PushOff(cpu)
            yield CPUHP_STATE
            yield from k.kvm_offline_cpu(current)
            yield k.sparse_irq_lock.lock
            yield STOP_MACHINE
            k.hart[cpu].online = 0
            yield k.sparse_irq_lock.unlock
        yield k.cpu_hotplug_lock.up_write
        return ret

    def cpu_up(k, current: Thread, cpu: int) -> Path[int]:
        """cpu_up, v6.12: the CPU is online, KVM is enabled on it, then it takes tasks again."""
        k.must_be_on(current, cpu)
        yield k.cpu_hotplug_lock.down_write
        if not k.hart[cpu].online:
            yield CPUHP_STATE
            k.hart[cpu].online = 1
            k.flush_all_vms(cpu)
            yield from k.kvm_online_cpu(current)
            yield CPUHP_STATE
            k.hart[cpu].active = 1
        yield k.cpu_hotplug_lock.up_write
        return 0

    @part_of("cpu_down")
    def is_last_cpu(k, cpu: int) -> bool:
        """Whether every other CPU is offline."""
        return not any(hart.online for hart in k.hart if hart.id != cpu)

    def kvm_online_cpu(k, current: Thread) -> Path[None]:
        """kvm_online_cpu, v6.12: the cpuhp callback of CPUHP_AP_KVM_ONLINE, on its CPU.

        It is installed while anybody uses virtualization.
        """
        yield STEP
        if k.globals.cpuhp_kvm_online:
            yield from k.kvm_enable_virtualization_cpu(current)

    def kvm_offline_cpu(k, current: Thread) -> Path[None]:
        """kvm_offline_cpu, v6.12: the same way back."""
        yield STEP
        if k.globals.cpuhp_kvm_online:
            yield from k.kvm_disable_virtualization_cpu(current, current)

    def kvm_enable_virtualization_cpu(k, current: Runner) -> Path[None]:
        """kvm_enable_virtualization_cpu, v6.12, on this CPU, once."""
        yield STEP
        if k.per_cpu[current.cpu].virtualization_enabled:
            return
        yield from k.kvm_riscv_aia_enable(current)
        yield from k.set_arch_enabled(current, 1)
        yield STEP
        k.per_cpu[current.cpu].virtualization_enabled = 1

    def kvm_disable_virtualization_cpu(k, current: Caller, sender: Caller) -> Path[None]:
        """kvm_disable_virtualization_cpu, v6.12, on this CPU; an IPI when the host shuts down."""
        yield STEP
        if not k.per_cpu[current.cpu].virtualization_enabled:
            return
        yield from k.kvm_riscv_aia_disable(current)
        yield from k.reset_guest_registers(current)
        yield from k.set_arch_enabled(current, 0)
        yield STEP
        k.per_cpu[current.cpu].virtualization_enabled = 0

    @part_of("kvm_disable_virtualization_cpu")
    def reset_guest_registers(k, current: Caller) -> Path[None]:
        """kvm_arch_disable_virtualization_cpu, v6.12 (2.19), after AIA: VSIE, HVIP, HEDELEG and
        HIDELEG, which the next load writes again."""
        yield from ()

    @part_of("kvm_enable_virtualization_cpu", "kvm_disable_virtualization_cpu")
    def set_arch_enabled(k, current: Caller | Runner, enabled: int) -> Path[None]:
        """The end of kvm_arch_enable_virtualization_cpu and of its opposite, v6.12 (2.19): RISC-V
        keeps no flag of its own."""
        yield from ()

    def kvm_enable_virtualization(k, current: Thread) -> Path[None]:
        """kvm_enable_virtualization, v6.12: at module load or with the first VM."""
        yield k.kvm_usage_lock.lock
        first = not k.globals.kvm_usage_count
        k.globals.kvm_usage_count += 1
        if first:
            yield from k.cpuhp_setup_state(current)
        yield k.kvm_usage_lock.unlock

    def kvm_disable_virtualization(k, current: Thread) -> Path[None]:
        """kvm_disable_virtualization, v6.12: at module exit or with the last VM."""
        yield k.kvm_usage_lock.lock
        k.globals.kvm_usage_count -= 1
        if not k.globals.kvm_usage_count:
            yield from k.cpuhp_remove_state(current)
        yield k.kvm_usage_lock.unlock

    def cpuhp_setup_state(k, current: Thread) -> Path[None]:
        """cpuhp_setup_state, v6.12, of CPUHP_AP_KVM_ONLINE: kvm_online_cpu on each CPU."""
        yield from k.on_each_cpu_in_turn(current, 1)

    def cpuhp_remove_state(k, current: Thread) -> Path[None]:
        """cpuhp_remove_state, v6.12: kvm_offline_cpu on each CPU."""
        yield from k.on_each_cpu_in_turn(current, 0)

    @part_of("cpuhp_setup_state", "cpuhp_remove_state")
    def on_each_cpu_in_turn(k, current: Thread, enable: int) -> Path[None]:
        """cpuhp_setup_state and cpuhp_remove_state, v6.12: the callback runs on one CPU after the
        other, each time in the kernel thread of that CPU (F4)."""
        yield k.cpu_hotplug_lock.down_read
        yield k.cpuhp_state_mutex.lock
        k.globals.cpuhp_kvm_online = enable
        home = current.cpu
        cpu = 0
        while cpu < len(k.hart):
            if k.hart[cpu].online:
                yield k.cpuhp_thread[cpu]
                if enable:
                    yield from k.kvm_enable_virtualization_cpu(current)
                else:
                    yield from k.kvm_disable_virtualization_cpu(current, current)
            cpu += 1
            yield STEP
        yield k.cpuhp_thread[home]
        yield k.cpuhp_state_mutex.unlock
        yield k.cpu_hotplug_lock.up_read
