"""The thread of a vCPU in its monitor, and what that does when KVM has no VS-file for it."""

from __future__ import annotations

from hgeisim.drivers.timed.workload.host import Host, Process
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.vcpu import FAIL_ENTRY
from hgeisim.machine.ops import Path
from hgeisim.machine.schedule import TASK_INTERRUPTIBLE
from hgeisim.scenario.schema import Vm


def vcpu_thread(host: Host, vcpu: Vcpu, plan: Vm) -> Path[None]:
    """KVM_RUN again and again; `fail_entry` is what follows KVM_EXIT_FAIL_ENTRY: "retry" lets
    others run and asks again, "move" goes to the next HART first; before either, `fail_wait`."""
    if plan.fail_entry == "retry" and not plan.fail_wait:
        return host.k.vcpu_thread(vcpu.thread, vcpu)
    return _thread(host, vcpu, plan)


def _thread(host: Host, vcpu: Vcpu, plan: Vm) -> Path[None]:
    """After a move (sched_setaffinity to the next HART, round the end) it may run anywhere."""
    current = vcpu.thread
    while not vcpu.stop:
        reason = yield from host.k.kvm_arch_vcpu_ioctl_run(current, vcpu)
        if reason != FAIL_ENTRY:
            continue
        if plan.fail_wait:
            yield from _sleep(host, current, plan.fail_wait)
        if plan.fail_entry == "move":
            host.driver.scheduler.move(current, host.hart_from(current.cpu + 1, current.cpus_mask))
        if plan.fail_entry == "move" or not plan.fail_wait:
            yield from host.k.schedule(current)


def _sleep(host: Host, current: Thread, time_ns: int) -> Path[None]:
    """nanosleep: an alarm of the HART on which it begins wakes the thread."""
    host.env.process(_alarm(host, current, current.cpu, time_ns))
    current.state = TASK_INTERRUPTIBLE
    yield from host.k.schedule(current)


def _alarm(host: Host, who: Thread, cpu: int, time_ns: int) -> Process:
    yield host.env.timeout(time_ns)
    alive = host.hart_from(cpu, host.all_harts)
    host.driver.interrupt(alive, lambda _: _wake(host, who))


def _wake(host: Host, who: Thread) -> Path[None]:
    yield from host.k.try_to_wake_up(who)
