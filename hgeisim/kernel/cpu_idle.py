"""kernel/sched/idle.c and kernel/cpu_pm.c of v6.12: a CPU that is idle, and loses power (2.21)."""

from __future__ import annotations

from hgeisim.kernel.cpu import Cpuhp
from hgeisim.kernel.structs import Thread
from hgeisim.machine.idle import GO_IDLE, POWER_DOWN
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import LOCAL_IRQ_ENABLE, Path


class CpuIdle(Cpuhp):
    """The idle task of a CPU, in idle states that retain no registers (SBI HSM suspend).

    It is never a vCPU's thread: that was put before the idle task runs.
    """

    def do_idle(k, current: Thread) -> Path[None]:
        """do_idle, v6.12: once, into such a state and back.

        Interrupts, IPIs too, are taken at its end; until then nobody else gets the CPU.
        """
        yield GO_IDLE
        yield from k.cpu_pm_enter(current)
        yield POWER_DOWN
        yield from k.cpu_pm_exit(current)
        yield LOCAL_IRQ_ENABLE

    def cpu_pm_enter(k, current: Thread) -> Path[None]:
        """cpu_pm_enter, v6.12: the chain of notifiers, under its lock."""
        yield k.cpu_pm_notifier_lock.lock_irqsave
        yield from k.kvm_cpu_pm_enter(current)
        yield k.cpu_pm_notifier_lock.unlock_irqrestore

    def cpu_pm_exit(k, current: Thread) -> Path[None]:
        """cpu_pm_exit, v6.12: the chain the other way, as an RCU reader; CPUs in parallel."""
        yield from k.kvm_cpu_pm_exit(current)

    @part_of("cpu_pm_enter")
    def kvm_cpu_pm_enter(k, current: Thread) -> Path[None]:
        """KVM's notifier of CPU_PM_ENTER, v6.12: it has none (bug PM-0)."""
        yield from ()

    @part_of("cpu_pm_exit")
    def kvm_cpu_pm_exit(k, current: Thread) -> Path[None]:
        """KVM's notifier of CPU_PM_EXIT, v6.12: it has none."""
        yield from ()
