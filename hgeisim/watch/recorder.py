"""The recorder: fills a timeline while a kernel runs in time."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Caller, HgeiControl, Vcpu
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import InitLock, Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned
from hgeisim.runs.timeline import ALLOC, FAIL, FREE, OFFLINE, ONLINE, RELEASE, SGEI, Timeline


class Recorder:
    """Records the number of taken lines of each HART, and the events of lines."""

    def __init__(self, k: Module, timeline: Timeline) -> None:
        self.k, self.timeline, self.now = k, timeline, k.ktime_get
        self.control: dict[Shared, HgeiControl] = {h.lock: h for h in k.hgei}
        self._vsfiles: dict[Runner, tuple[int, int]] = {}
        for hgctrl in k.hgei:
            self.occupy(hgctrl)

    @done(Release, InitLock)
    def released(self, who: Runner, op: Any, waited_ns: int) -> None:
        """Lines may have been taken, freed or created under a lock."""
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None:
            self.occupy(hgctrl)

    def occupy(self, hgctrl: HgeiControl) -> None:
        """Record the number of taken lines of a HART."""
        provisioned = (2 << self.k.nr_hgei(hgctrl)) - 2
        taken = (provisioned & ~hgctrl.free_bitmap).bit_count()
        self.timeline.occupy(self.now(), hgctrl.cpu, taken)

    @returned("kvm_riscv_aia_alloc_hgei")
    def allocated(self, hgei: int, cpu: int, owner: Vcpu) -> None:
        """A line was taken, or none was free."""
        self._event(ALLOC if hgei > 0 else FAIL, cpu, owner.id, max(hgei, 0))
        self._look(cpu)

    @returned("kvm_riscv_aia_free_hgei")
    def freed(self, ret: None, cpu: int, hgei: int) -> None:
        """A line was given back."""
        self._event(FREE, cpu, 0, hgei)
        self._look(cpu)

    def _look(self, cpu: int) -> None:
        """Record what a patch does without the lock; if it is held, its release will do so."""
        hgctrl = self.k.hgei[cpu]
        if not hgctrl.lock.inside:
            self.occupy(hgctrl)

    @returned("hgei_interrupt")
    def handled(self, ret: None, current: Runner) -> None:
        """An SGEI was handled."""
        self._event(SGEI, current.cpu)

    @entered("kvm_riscv_vcpu_aia_imsic_release")
    def releasing(self, current: Caller, vcpu: Vcpu) -> None:
        """A vCPU is about to lose its VS-file, if it has one."""
        self._vsfiles[current] = vcpu.vsfile_cpu, vcpu.vsfile_hgei

    @returned("kvm_riscv_vcpu_aia_imsic_release")
    def lost(self, ret: None, current: Caller, vcpu: Vcpu) -> None:
        """The vCPU has lost its VS-file."""
        cpu, hgei = self._vsfiles.pop(current)
        if cpu >= 0:
            self._event(RELEASE, cpu, vcpu.id, hgei)

    @entered("kvm_disable_virtualization_cpu")
    def offline(self, current: Caller, sender: Caller) -> None:
        """A HART has no HGEI from now on."""
        self._event(OFFLINE, current.cpu)

    @returned("kvm_enable_virtualization_cpu")
    def online(self, ret: None, current: Runner) -> None:
        """A HART has HGEI again."""
        self._event(ONLINE, current.cpu)

    def _event(self, kind: int, hart: int, vcpu: int = 0, line: int = 0) -> None:
        self.timeline.event(self.now(), kind, hart, vcpu, line)
