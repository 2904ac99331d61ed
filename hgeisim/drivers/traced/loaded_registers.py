"""Loads of a vCPU: all its registers are written (`fload`), or its CPU still has them (v7.1).

The path of the model decides, from the vCPU that was loaded last on the CPU, and from the CPU on
which the guest was left last, which the event names.  Whether user space changed registers in
between (csr_dirty) is in no event, so a load may write more than the model, but not less.
"""

from __future__ import annotations

from typing import Any

from hgeisim.drivers.traced.possible_state import Hypothesis, Inferred
from hgeisim.drivers.traced.probed_call import outcome
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event

AFTER_LOAD = (
    *(kvm.Load, kvm.Put, kvm.ImsicPut, kvm.Run),
    *(kvm.Update, kvm.Alloc, kvm.Wakeon),
)
"""Events of a vCPU's own thread that no interrupt inside of its load can have."""


def expect_load(h: Hypothesis, event: Event, load: kvm.Load) -> bool:
    """Let the model decide whether a load writes all registers; False if nothing shows it."""
    h.loading.pop(event.thread, None)
    if "fload" not in h.booted.recorded or load.last_exit is None:
        return False
    k, thread = h.booted.k, h.booted.threads[event.thread]
    h.install()
    must_write = 1
    if k.keeps_registers:
        kernel: Any = k
        vcpu: Any = h.booted.vcpus[load.vcpu]
        unknown = h.booted.placeholders and not kernel.per_cpu[load.cpu].kvm_former_vcpu
        thread.cpu, vcpu.last_exit_cpu = load.cpu, load.last_exit
        must_write = outcome(kernel.registers_to_be_written(thread, vcpu), thread)
        if unknown:
            return False
    h.loading[event.thread] = must_write
    return True


def written(h: Hypothesis, event: Event, load: kvm.FullLoad) -> None:
    """Note that a load writes all registers, which the model need not do."""
    if not h.loading.pop(event.thread, 1):
        text = f"user space has changed registers of {h.booted.vcpus[load.vcpu].name} (csr_dirty)"
        h.inferred.append(Inferred(event.record.line, text))


def skipped(h: Hypothesis, event: Event) -> str:
    """The fault if a load is over at an event, and has not written the registers."""
    if not isinstance(event.meaning, AFTER_LOAD):
        return ""
    missed = h.loading.pop(event.thread, 0)
    return "the load before it wrote no registers, the model writes all" if missed else ""
