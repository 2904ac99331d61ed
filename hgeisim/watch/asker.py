"""The asker: runs the checks of the catalogue while a kernel runs in time.

The watchers here also remember what the checks need: the vCPUs that get no line on a HART with a
free one (`Requests`); the event that made the global count of HGEI lines 0, for the report of a VM
that was refused its mode (`LineCount`); and whether a run had anything to check: the guests that
were entered, and whether any line was handed out (`Guests`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from hgeisim.checks.catalogue import OF_OWN_PATCHES, At, Offer, asked
from hgeisim.checks.check import OperationCheck, vcpus
from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.ownership import lines_of
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HgeiControl, Thread, Vcpu, Vm
from hgeisim.kernel.variants import own_files
from hgeisim.machine.guest import EnterGuest, SweepVsFile
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Done, Watch, done, entered, returned

IN_QUIET = ("unserved", "starves")
"""The kinds of findings of the quiet end of a run, if it has one."""
IN_TIME = Offer(
    (
        *(At.OPERATION, At.CALL, At.RETURN, At.AT_REST, At.ONLINE, At.OFFLINE, At.SWITCHED),
        *(At.MOVED, At.CALM, At.REFUSED, At.ENTERED, At.STILL, At.SWEEP, At.CREATED, At.TWICE),
        At.END,
    ),
    (*OF_OWN_PATCHES, *IN_QUIET, "waits-for-guest"),
)
"""The moments at which a run asks.  `Asker` does so, except at TWICE (the simulation), at MOVED,
CALM and STILL (`Moves`), and at REFUSED (`Requests`)."""


def offer_of(variant: str, quiet: bool = False) -> Offer:
    """The checks of a run of a variant, which may have a quiet end; a user's patch is followed
    access by access."""
    kinds = ("unlocked",) if own_files(variant) else ()
    never = () if quiet else IN_QUIET
    return IN_TIME._replace(kinds=(*IN_TIME.kinds, *kinds), never=never)


Note: TypeAlias = Callable[[Iterable[Finding]], None]


def ask_after_operations(
    k: Module, watch: Watch, note: Note, moment: Callable[[Runner, Any], Moment]
) -> None:
    """Run each check of operations after the operations that it is about."""

    def asking(check: OperationCheck) -> Done:
        return lambda who, op, waited_ns: note(check.wrong(k, moment(who, op)))

    for check in asked(At.OPERATION):
        for kind in check.about if check.applies(k) else ():
            watch.done[kind].append(asking(check))


def ask_about_calls(k: Module, note: Note) -> None:
    """Run each check of calls at the calls or returns that it is about."""

    def asking(check: Any) -> Callable[..., None]:
        return lambda *arguments: note(check.wrong(k, *arguments))

    for moment, table in ((At.CALL, k.watch.entered), (At.RETURN, k.watch.returned)):
        for check in asked(moment):
            table[check.about].append(asking(check))


class Asker:
    """Runs the checks of a HART or a VM when something has happened to it."""

    def __init__(self, k: Module, note: Note, count: LineCount) -> None:
        self.k, self.note, self.count = k, note, count
        self.control: dict[Shared, HgeiControl] = {h.lock: h for h in k.hgei}
        self.trapped: set[int] = set()
        for vm in k.vms:
            self._look_at_mode(vm)

    @done(Release)
    def released(self, who: Runner, op: Any, waited_ns: int) -> None:
        """The lock of a HART's lines is dropped: the lines may be at rest."""
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None:
            for check in AT_REST:
                if check.suspects(self.k, hgctrl):
                    self.note(check.of(self.k, hgctrl))

    @done(EnterGuest)
    def guest_entered(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A guest starts to run on a HART."""
        for check in ENTERED:
            if check.suspects(self.k, who.hart):
                self.note(check.of(self.k, who.hart))

    @done(SweepVsFile)
    def swept(self, who: Runner, op: Any, waited_ns: int) -> None:
        """The host may have trapped; the run then continues as if it had not."""
        if who.hart.trapped and who.cpu not in self.trapped:
            self.trapped.add(who.cpu)
            for check in asked(At.SWEEP):
                self.note(check.state(self.k))

    @returned("kvm_enable_virtualization_cpu")
    def online(self, ret: None, current: Runner) -> None:
        """A HART was enabled: check all of its lines."""
        for check in asked(At.ONLINE):
            self.note(check.wrong(self.k, self.k.hgei[current.cpu]))
        self._look_at_registers(current)

    @returned("kvm_disable_virtualization_cpu")
    def disabled(self, ret: None, current: Runner, sender: Runner) -> None:
        """A HART was disabled."""
        self._look_at_registers(current)

    def _look_at_registers(self, current: Runner) -> None:
        """Check the registers, but only for a task, which has its HART to itself: an IPI interrupts
        code that may be using VGEIN."""
        for check in asked(At.SWITCHED) if current.id else ():
            self.note(check.of(self.k, current.hart))

    @returned("cpu_down")
    def offline(self, ret: int, current: Thread, cpu: int) -> None:
        """A HART has gone offline, unless it was the last one."""
        for check in asked(At.OFFLINE):
            self.note(check.state(self.k))

    @returned("kvm_create_vm")
    def created(self, ret: None, current: Thread, vm: Vm) -> None:
        """A VM has got its AIA mode."""
        self._look_at_mode(vm)

    def _look_at_mode(self, vm: Vm) -> None:
        for check in asked(At.CREATED):
            for finding in check.of(self.k, vm):
                self.note([replace(finding, text=finding.text + self.count.cause())])

    def end(self) -> None:
        """The run is cut."""
        for check in asked(At.END):
            self.note(check.state(self.k))


AT_REST, ENTERED, REFUSED = asked(At.AT_REST), asked(At.ENTERED), asked(At.REFUSED)


class Requests:
    """Tracks the vCPUs that ask for a line of a HART which has had a free one ever since they began
    to ask: alloc_hgei must not refuse them.

    A line that is freed after alloc_hgei has looked does not count.
    """

    def __init__(self, k: Module, note: Note) -> None:
        self.k, self.note = k, note
        self.control: dict[Shared, HgeiControl] = {h.lock: h for h in k.hgei}
        self.asking: dict[int, int] = {}

    @entered("kvm_riscv_vcpu_aia_imsic_update")
    def asks(self, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU enters its guest on a HART on which it has no file, while a line is free."""
        if self.k.hgei[current.cpu].free_bitmap and vcpu.vsfile_cpu != current.cpu:
            self.asking[vcpu.id] = current.cpu

    @done(Release)
    def released(self, who: Runner, op: Any, waited_ns: int) -> None:
        """All lines of a HART may be taken now."""
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None and self.asking and not hgctrl.free_bitmap:
            full = hgctrl.cpu
            self.asking = {ident: cpu for ident, cpu in self.asking.items() if cpu != full}

    @returned("kvm_riscv_aia_alloc_hgei")
    def allocated(self, ret: int, cpu: int, owner: Vcpu) -> None:
        """A vCPU has got a line, which another context may take away again."""
        if ret > 0:
            self.asking.pop(owner.id, None)

    @returned("kvm_riscv_vcpu_aia_imsic_update")
    def answered(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU continues, perhaps without a line."""
        if self.asking.pop(vcpu.id, -1) == current.cpu:
            for check in REFUSED:
                self.note(check.of(self.k, vcpu))


class LineCount:
    """Remembers which CPU left the count of lines at 0, when, and whether it was being enabled or
    ran the initcall.  It has to watch the boot, too."""

    def __init__(self, k: Module) -> None:
        self.k = k
        self._emptied: tuple[int, int, bool] | None = None

    @returned("kvm_riscv_aia_init")
    def counted(self, ret: None, current: Runner) -> None:
        """The initcall has counted the lines."""
        self._look(current.cpu, enabling=False)

    @returned("kvm_riscv_aia_enable")
    def enabled(self, ret: None, current: Runner) -> None:
        """A HART may have lowered the count."""
        self._look(current.cpu, enabling=True)

    def _look(self, cpu: int, enabling: bool) -> None:
        if self.k.globals.kvm_riscv_aia_nr_hgei:
            self._emptied = None
        elif self._emptied is None:
            self._emptied = cpu, self.k.ktime_get(), enabling

    def cause(self) -> str:
        """Name the HART that is to blame, and since when; empty while there are lines."""
        if self._emptied is None:
            return ""
        cpu, now_ns, enabling = self._emptied
        when = f"at {now_ns / 1e6:.3f} ms"
        if enabling:
            return f", and enabling HART {cpu}, which has none, lowered their count to 0 {when}"
        if lines_of(self.k, cpu) == 0:
            return f", and HART {cpu}, which has none, ran the initcall {when}: their count is 0"
        files = [hart.guest_files for hart in self.k.topology.harts]
        weak = files.index(min(files))
        return f", and HART {weak} has no guest file: their count is 0 since the initcall {when}"


class Guests:
    """The ids of the vCPUs whose guests were `entered`, and whether a line was handed out.  Both
    include the boot, in which each [[vcpu]] enters its guest once."""

    def __init__(self, k: Module) -> None:
        self.entered = {vcpu.id for vcpu in vcpus(k) if vcpu.booted}
        self.line_handed_out = any(vcpu.vsfile_hgei > 0 for vcpu in vcpus(k))

    @done(EnterGuest)
    def enters(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A guest is entered."""
        self.entered.add(op.vcpu)

    @returned("kvm_riscv_aia_alloc_hgei")
    def allocated(self, hgei: int, cpu: int, owner: Vcpu) -> None:
        """A vCPU has asked for a line."""
        self.line_handed_out = self.line_handed_out or hgei > 0
