"""Events of the kernel's own tracepoints: sched, cpuhp, ipi, csd, lock, and marks of user space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from hgeisim.trace.kvm_event import Cpu, Meaning, Number


@dataclass(frozen=True, slots=True)
class Switch(Meaning):
    """sched_switch: the CPU goes on with another thread; `state` is that of the previous one."""

    pid: Annotated[Number, "prev_pid"]
    state: Annotated[str, "prev_state"]
    next_comm: str
    next_pid: Number


@dataclass(frozen=True, slots=True)
class Waking(Meaning):
    """sched_waking: the wake-up of a thread begins."""

    pid: Number


@dataclass(frozen=True, slots=True)
class Wakeup(Meaning):
    """sched_wakeup, sched_wakeup_new: the thread may run now, on `cpu`."""

    pid: Number
    cpu: Annotated[Cpu, "target_cpu"]


@dataclass(frozen=True, slots=True)
class MoveTask(Meaning):
    """sched_migrate_task: a thread moves to another run queue."""

    pid: Number
    from_cpu: Annotated[Cpu, "orig_cpu"]
    to_cpu: Annotated[Cpu, "dest_cpu"]


@dataclass(frozen=True, slots=True)
class HotplugStep(Meaning):
    """cpuhp_enter: the callback `function` of a hotplug step begins for `cpu`."""

    cpu: Cpu
    target: Number
    step: Number
    function: Annotated[str, "()"]


@dataclass(frozen=True, slots=True)
class HotplugStepReturn(Meaning):
    """cpuhp_exit: the callback of a hotplug step returns."""

    cpu: Cpu
    state: Number
    step: Number
    result: Annotated[Number, "ret"]


@dataclass(frozen=True, slots=True)
class IpiSend(Meaning):
    """ipi_send_cpu: `callback` is to run on `cpu`."""

    cpu: Cpu
    callsite: str
    callback: str


@dataclass(frozen=True, slots=True)
class IpiSendMany(Meaning):
    """ipi_send_cpumask: `callback` is to run on the CPUs of a mask (`0,2-3`)."""

    cpumask: str
    callsite: str
    callback: str


@dataclass(frozen=True, slots=True)
class IpiRaise(Meaning):
    """ipi_raise: an IPI is raised for a mask of CPUs, in hexadecimal."""

    target_mask: str
    reason: Annotated[str, "()"]


@dataclass(frozen=True, slots=True)
class IpiEntry(Meaning):
    """ipi_entry: the handler of an IPI begins."""

    reason: Annotated[str, "()"]


@dataclass(frozen=True, slots=True)
class IpiExit(Meaning):
    """ipi_exit: the handler of an IPI ends."""

    reason: Annotated[str, "()"]


@dataclass(frozen=True, slots=True)
class CallQueued(Meaning):
    """csd_queue_cpu: `function` is queued to run on `cpu`; `call` identifies the call."""

    cpu: Cpu
    function: Annotated[str, "func"]
    call: Annotated[str, "csd"]


@dataclass(frozen=True, slots=True)
class CallEntry(Meaning):
    """csd_function_entry: a queued function begins, on the CPU of the event."""

    PATTERN = r"func=(?P<func>[^\s,]+),? csd=(?P<csd>\S+)"

    function: Annotated[str, "func"]
    call: Annotated[str, "csd"]


@dataclass(frozen=True, slots=True)
class CallExit(Meaning):
    """csd_function_exit: a queued function ends."""

    PATTERN = r"func=(?P<func>[^\s,]+),? csd=(?P<csd>\S+)"

    function: Annotated[str, "func"]
    call: Annotated[str, "csd"]


@dataclass(frozen=True, slots=True)
class LockAcquire(Meaning):
    """lock_acquire, before any wait; `how` is "", "try ", "read " or "try read "."""

    PATTERN = r"(?P<lock>\S+) (?P<how>(?:try )?(?:read )?)(?P<name>.*)"

    lock: str
    how: str
    name: str


@dataclass(frozen=True, slots=True)
class LockRelease(Meaning):
    """lock_release: a lock is dropped."""

    PATTERN = r"(?P<lock>\S+) (?P<name>.*)"

    lock: str
    name: str


@dataclass(frozen=True, slots=True)
class LockContended(Meaning):
    """lock_contended: the lock is held by another context."""

    PATTERN = r"(?P<lock>\S+) (?P<name>.*)"

    lock: str
    name: str


@dataclass(frozen=True, slots=True)
class Mark(Meaning):
    """A text that user space wrote to trace_marker."""

    PATTERN = r"(?P<text>.*)"

    text: str
