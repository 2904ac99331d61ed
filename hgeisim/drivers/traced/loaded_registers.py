"""Loads of a vCPU: all its registers are written (`fload`), or its CPU still has them (v7.1).

The path of the model decides, from the vCPU that was loaded last on the CPU, and from the CPU on
which the guest was left last, which the event names.  Whether user space changed registers in
between (csr_dirty) is in no event, so a load may write more than the model, but not less.
"""

from __future__ import annotations

from typing import Any

from hgeisim.drivers.traced.possible_state import Hypothesis, Inferred, Loading
from hgeisim.drivers.traced.probed_call import outcome
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event

AFTER_LOAD = (
    *(kvm.Load, kvm.Put, kvm.ImsicPut, kvm.Run),
    *(kvm.Update, kvm.Alloc, kvm.Wakeon),
)
"""Events of a vCPU's own thread that no interrupt inside of its load can have."""


def wrong_load(h: Hypothesis, event: Event, load: kvm.Load) -> str:
    """The contradiction in a load, if there is one."""
    if load.cpu != event.record.cpu:
        return f"has cpu={load.cpu}, its thread is on CPU {event.record.cpu}"
    cpus = len(h.booted.k.hart)
    if load.last_exit is not None and load.last_exit >= cpus:
        return f"has last_exit={load.last_exit}, the last CPU is {cpus - 1}"
    return ""


def expect_load(h: Hypothesis, event: Event, load: kvm.Load) -> bool:
    """Let the model decide whether a load writes all registers; False if nothing shows it."""
    must_write = _decided(h, event, load) if "fload" in h.booted.recorded else None
    h.loading[event.thread] = Loading(load.vcpu, must_write)
    return must_write is not None


def _decided(h: Hypothesis, event: Event, load: kvm.Load) -> bool | None:
    k, thread = h.booted.k, h.booted.threads[event.thread]
    if load.last_exit is None:
        return None
    if not k.keeps_registers:
        return True
    h.install()
    kernel: Any = k
    vcpu: Any = h.booted.vcpus[load.vcpu]
    unknown = h.booted.placeholders and not kernel.per_cpu[load.cpu].kvm_former_vcpu
    thread.cpu, vcpu.last_exit_cpu = load.cpu, load.last_exit
    must_write = outcome(kernel.registers_to_be_written(thread, vcpu), thread)
    return None if unknown else bool(must_write)


def written(h: Hypothesis, event: Event, load: kvm.FullLoad) -> str:
    """Take note that a load writes all registers, which the model need not do; the contradiction,
    where it belongs to no load."""
    loading = h.loading.pop(event.thread, None)
    if loading is None:
        return "" if h.booted.placeholders else "no load of this thread is under way"
    if loading.vcpu != load.vcpu:
        return f"is about {load.vcpu}, the load is about {loading.vcpu}"
    if loading.must_write is False:
        text = f"user space has changed registers of {h.booted.vcpus[load.vcpu].name} (csr_dirty)"
        h.inferred.append(Inferred(event.record.line, text))
    return ""


def skipped(h: Hypothesis, event: Event) -> str:
    """The fault if a load is over at an event, and has not written the registers."""
    if not isinstance(event.meaning, AFTER_LOAD):
        return ""
    loading = h.loading.pop(event.thread, None)
    missed = loading is not None and loading.must_write
    return "the load before it wrote no registers, the model writes all" if missed else ""
