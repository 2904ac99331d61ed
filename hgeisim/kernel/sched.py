"""kernel/sched/core.c of v6.12, as far as KVM meets it: sleep, wake-up, preemption (2.18)."""

from __future__ import annotations

from hgeisim.kernel.state import Kernel
from hgeisim.kernel.structs import Thread
from hgeisim.machine.balance import IRQS, PREEMPTION, hands_over
from hgeisim.machine.kernel_name import in_c, outside
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, STEP, Path
from hgeisim.machine.schedule import TASK_RUNNING
from hgeisim.machine.task import Runner


class Sched(Kernel):
    """schedule() and try_to_wake_up(), with their locks."""

    def try_to_wake_up(k, p: Thread) -> Path[int]:
        """try_to_wake_up, v6.12 (2.18): returns 1 if `p` slept, or was about to.

        A HART that is just switching `p` out is waited for with interrupts off; the kernel may
        instead leave `p` on a list for that HART and send it an IPI (TTWU_QUEUE).
        """
        yield p.pi_lock.lock_irqsave
        woken = 0
        if p.state != TASK_RUNNING:
            yield STEP
            if p.on_rq:
                woken = yield from k.ttwu_runnable(p)
            if not woken:
                yield p.wait_off_cpu
                yield p.select_rq
                cpu = p.cpu
                yield k.rq[cpu].lock.lock
                yield p.activate
                yield k.rq[cpu].lock.unlock
                woken = 1
        yield p.pi_lock.unlock_irqrestore
        return woken

    def ttwu_runnable(k, p: Thread) -> Path[int]:
        """ttwu_runnable, v6.12: `p` is still on a run queue, and stays there."""
        cpu = yield from k.task_rq_lock(p)
        woken = 0
        if p.on_rq:
            p.state = TASK_RUNNING
            woken = 1
        yield k.rq[cpu].lock.unlock
        return woken

    @in_c("__task_rq_lock")
    @hands_over("rq->__lock", PREEMPTION)
    def task_rq_lock(k, p: Thread) -> Path[int]:
        """__task_rq_lock, v6.12: lock the run queue that `p` is on; returns its CPU."""
        while True:
            yield STEP
            cpu = p.cpu
            yield k.rq[cpu].lock.lock
            if p.cpu == cpu:
                return cpu
            yield k.rq[cpu].lock.unlock

    def schedule(k, current: Thread) -> Path[None]:
        """__schedule, v6.12, of a task that may want to sleep: when its state says so."""
        yield PREEMPT_DISABLE
        rq = k.rq[current.cpu]
        yield rq.lock.lock_irqsave
        if current.state != TASK_RUNNING:
            yield STEP
            current.on_rq = 0
        yield from k.switch_to_others(current)

    def preempt_schedule(k, current: Thread) -> Path[None]:
        """__schedule, v6.12, of a task that is preempted: it stays runnable, whatever its state."""
        yield PREEMPT_DISABLE
        rq = k.rq[current.cpu]
        yield rq.lock.lock_irqsave
        yield from k.switch_to_others(current)

    @in_c("context_switch")
    @hands_over("rq->__lock", IRQS, PREEMPTION)
    def switch_to_others(k, current: Thread) -> Path[None]:
        """context_switch, v6.12: between the two notifiers the HART is somebody else's.

        The next task drops the lock of the run queue, for the one that it took over from.
        """
        rq = k.rq[current.cpu]
        yield from k.kvm_sched_out(current)
        yield STEP
        current.on_cpu = 0
        yield rq.lock.unlock_irqrestore
        yield PREEMPT_ENABLE
        yield current.schedule
        yield PREEMPT_DISABLE
        yield from k.kvm_sched_in(current)
        yield PREEMPT_ENABLE

    @outside("balancer")
    def move_to(k, current: Thread, cpu: int) -> Path[None]:
        """The running task is moved to a CPU: by sched_setaffinity, or by the load balancer."""
        yield STEP
        current.allowed = cpu + 1
        yield from k.preempt_schedule(current)
        yield STEP
        current.allowed = 0

    def scheduler_ipi(k, current: Runner) -> Path[None]:
        """scheduler_ipi, v6.12: arriving is all that matters."""
        yield STEP

    def kvm_sched_out(k, current: Thread) -> Path[None]:
        """The preempt notifier of KVM, if it is registered."""
        raise NotImplementedError

    def kvm_sched_in(k, current: Thread) -> Path[None]:
        """The same when the task runs again."""
        raise NotImplementedError
