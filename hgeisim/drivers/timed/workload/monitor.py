"""The thread of a vCPU in its monitor, and what that does when KVM has no VS-file for it."""

from __future__ import annotations

from hgeisim.drivers.timed.workload.host import Host
from hgeisim.kernel.structs import Vcpu
from hgeisim.kernel.vcpu import FAIL_ENTRY
from hgeisim.machine.ops import Path


def vcpu_thread(host: Host, vcpu: Vcpu, fail_entry: str) -> Path[None]:
    """KVM_RUN again and again; `fail_entry` is what follows KVM_EXIT_FAIL_ENTRY: "retry" lets
    others run and asks again, "move" goes to the next HART first."""
    if fail_entry == "retry":
        return host.k.vcpu_thread(vcpu.thread, vcpu)
    return _moving(host, vcpu)


def _moving(host: Host, vcpu: Vcpu) -> Path[None]:
    """sched_setaffinity to the next HART, round the end; afterwards it may run anywhere again."""
    current = vcpu.thread
    while not vcpu.stop:
        reason = yield from host.k.kvm_arch_vcpu_ioctl_run(current, vcpu)
        if reason == FAIL_ENTRY:
            host.driver.scheduler.move(current, host.hart_from(current.cpu + 1, current.cpus_mask))
            yield from host.k.schedule(current)
