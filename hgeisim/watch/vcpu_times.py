"""The table of vCPUs: the time that each spent in the guest, in the host, blocked, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AIA_MODES, Thread, Vcpu
from hgeisim.kernel.vcpu import FAIL_ENTRY
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.schedule import TASK_RUNNING, Activate
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned
from hgeisim.runs.tables import (
    BLOCKED,
    FAILED,
    HOST,
    IDLE,
    STATE_NAMES,
    SWFILE,
    VCPUS,
    VSFILE,
    Records,
)

IDLE_STATES = (BLOCKED, FAILED)
"""States in which a vCPU has no use for a line: its guest waits, or is not let in."""


@dataclass
class VcpuTime:
    """A vCPU's life from `born_ns` to `gone_ns` (None: it is alive), split into `ns` by state.

    `now` is its state since `since_ns`; that time is not part of `ns` yet.  `idle_since_ns` is when
    an idle state began.
    """

    vcpu: Vcpu
    born_ns: int
    since_ns: int
    gone_ns: int | None = None
    now: int = HOST
    idle_since_ns: int = 0
    ns: list[int] = field(default_factory=lambda: [0] * len(STATE_NAMES))

    def become(self, state: int, now_ns: int) -> None:
        """Enter a state."""
        self.ns[self.now] += now_ns - self.since_ns
        self.now, self.since_ns = state, now_ns

    def end(self, now_ns: int) -> None:
        """Its memory is freed."""
        self.become(HOST, now_ns)
        self.gone_ns = now_ns

    def until(self, end_ns: int) -> list[int]:
        """The times of its whole life, up to the end of the run."""
        times = list(self.ns)
        if self.gone_ns is None:
            times[self.now] += end_ns - self.since_ns
        return times


class VcpuTimes:
    """Follows the state of each vCPU.

    A wait for an interrupt ends where somebody wakes the vCPU up: from then on it waits for a HART,
    until it has one, or has looked in vain and sleeps again.
    """

    def __init__(self, k: Module) -> None:
        self.k, self.now = k, k.ktime_get
        self.times: dict[int, VcpuTime] = {}
        self.idle: list[tuple[int, str, int, int]] = []
        self._halted: dict[int, None] = {}
        for vcpu in k.vcpus[1:]:
            if vcpu is not None:
                self.born(vcpu)

    @returned("add_vcpu")
    def born(self, vcpu: Vcpu, *how: object) -> None:
        """A vCPU was made."""
        self.times[vcpu.id] = VcpuTime(vcpu, self.now(), self.now())

    @done(EnterGuest)
    def guest_entered(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """A guest starts to run."""
        self._become(op.vcpu, VSFILE if self.k.vcpu(op.vcpu).vgein else SWFILE)

    @returned("kvm_riscv_vcpu_enter_exit")
    def back_in_host(self, ret: int | None, current: Thread, vcpu: Vcpu) -> None:
        """The guest was left."""
        self._become(vcpu.id, HOST)

    @entered("kvm_vcpu_halt")
    def blocks(self, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU waits for an interrupt, polling or asleep."""
        self._halted[vcpu.id] = None
        self._become(vcpu.id, BLOCKED)

    @returned("kvm_vcpu_halt")
    def goes_on(self, ret: None, current: Thread, vcpu: Vcpu) -> None:
        """The wait for an interrupt is over."""
        self._halted.pop(vcpu.id, None)
        self._become(vcpu.id, HOST)

    @done(Activate)
    def woken(self, who: Runner, op: Activate, waited_ns: int) -> None:
        """A task can run: the thread of a vCPU that waited, perhaps."""
        vcpu = self.k.vcpu_of.get(op.task)
        if vcpu is not None and vcpu.id in self._halted:
            self._become(vcpu.id, HOST)

    @entered("schedule")
    def sleeps(self, current: Thread) -> None:
        """A task gives its HART up; in kvm_vcpu_halt because nothing has come yet."""
        vcpu = self.k.vcpu_of.get(current)
        if vcpu is not None and vcpu.id in self._halted and current.state != TASK_RUNNING:
            self._become(vcpu.id, BLOCKED)

    @returned("kvm_riscv_vcpu_aia_imsic_update")
    def updated(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """The entry fails for want of a line."""
        if ret <= FAIL_ENTRY:
            self._become(vcpu.id, FAILED)

    @returned("kvm_riscv_vcpu_aia_imsic_cleanup")
    def gone(self, ret: None, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU was destroyed."""
        self.times[vcpu.id].end(self.now())

    def _become(self, vcpu: int, state: int) -> None:
        time, now_ns = self.times[vcpu], self.now()
        if time.now in IDLE_STATES and state != time.now:
            self.idle.append((vcpu, STATE_NAMES[time.now], time.idle_since_ns, now_ns))
        if state in IDLE_STATES and state != time.now:
            time.idle_since_ns = now_ns
        time.become(state, now_ns)

    def idle_table(self, end_ns: int) -> Records:
        """A row for each span in which a vCPU waited for an interrupt, or for another try after a
        failed entry, in the order in which they ended; then those that have not ended."""
        still = [
            (number, STATE_NAMES[time.now], time.idle_since_ns, end_ns)
            for number, time in self.times.items()
            if time.now in IDLE_STATES
        ]
        rows = [row for row in (*self.idle, *still) if row[3] > row[2]]
        return np.array(rows, IDLE)

    def table(self, end_ns: int) -> Records:
        """A row for each vCPU, with its life up to the end of the run."""
        return np.array([self._row(time, end_ns) for time in self.times.values()], VCPUS)

    def _row(self, time: VcpuTime, end_ns: int) -> tuple[object, ...]:
        vcpu, gone_ns = time.vcpu, time.gone_ns
        lasts_ns, destroyed = (end_ns, 0) if gone_ns is None else (gone_ns, 1)
        vm = vcpu.vm
        modes = AIA_MODES[vm.asked_mode], AIA_MODES[vm.aia_mode]
        return (
            vcpu.id,
            vcpu.name,
            vm.name,
            *modes,
            time.born_ns,
            lasts_ns,
            destroyed,
            *time.until(end_ns),
        )
