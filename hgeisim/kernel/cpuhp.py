"""kernel/cpu.c of v6.12: taking a CPU offline and online again (2.19)."""

from __future__ import annotations

from hgeisim.kernel.kvm import Kvm
from hgeisim.kernel.state import Thread
from hgeisim.machine.ops import STOP_MACHINE, Path, PushOff, Spend

EBUSY = 16
CPUHP_STATE = Spend("cpuhp_state")


class Cpuhp(Kvm):
    """The steps of CPU hotplug that the AIA code can notice, in their order.

    One thread stands for the initiator and for cpuhp/<cpu>, so it also runs while its CPU is down.
    """

    def cpu_down(k, current: Thread, cpu: int) -> Path[int]:
        """cpu_down, v6.12: tasks leave, CPUHP_AP_KVM_ONLINE is torn down, the CPU stops.

        One CPU at a time (F4); the last one stays: -EBUSY.
        """
        assert current.cpu == cpu, "cpuhp runs on its CPU (F4)"
        yield k.cpu_hotplug_lock.lock
        ret = -EBUSY if k.is_last_cpu(cpu) else 0
        if k.hart[cpu].online and not ret:
            yield CPUHP_STATE
            k.hart[cpu].active = 0
            yield PushOff(cpu)
            yield from k.kvm_offline_cpu(current)
            yield STOP_MACHINE
            k.hart[cpu].online = 0
        yield k.cpu_hotplug_lock.unlock
        return ret

    def cpu_up(k, current: Thread, cpu: int) -> Path[int]:
        """cpu_up, v6.12: the CPU is online, KVM is enabled on it, then it takes tasks again."""
        assert current.cpu == cpu, "cpuhp runs on its CPU (F4)"
        yield k.cpu_hotplug_lock.lock
        if not k.hart[cpu].online:
            yield CPUHP_STATE
            k.hart[cpu].online = 1
            yield from k.kvm_online_cpu(current)
            yield CPUHP_STATE
            k.hart[cpu].active = 1
        yield k.cpu_hotplug_lock.unlock
        return 0

    def is_last_cpu(k, cpu: int) -> bool:
        """Tell whether every other CPU is offline."""
        return not any(hart.online for hart in k.hart if hart.id != cpu)
