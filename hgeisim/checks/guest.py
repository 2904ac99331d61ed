"""Guests: each runs only on a line that its vCPU owns and its HART has.

A VM gets the AIA mode that its monitor asks for if, and only if, HARTs have lines for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.check import (
    OfHarts,
    OfVcpus,
    OfVms,
    OperationCheck,
    ReturnCheck,
    Unwatched,
    vcpus,
)
from hgeisim.checks.finding import LINELESS, Cause, Finding, Moment
from hgeisim.checks.ownership import beyond, lines_of, name_of
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AIA_MODES, AUTO, EMUL, HWACCEL, Thread, Vcpu, Vm
from hgeisim.kernel.vcpu import FAIL_ENTRY
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.hart import Hart
from hgeisim.machine.shared import addresses


class HostAlive(OfHarts):
    """The host takes no illegal-instruction exception; a real one would panic.

    Source: AIA specification, vsireg: an access in HS-mode traps where VGEIN names no guest file.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """Whether a HART has trapped."""
        for hart in k.hart:
            yield from addresses(hart, "trapped")

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report a HART that has trapped."""
        if hart.trapped:
            text = f"HART {hart.id} accessed a VS-file that it does not have: host panic"
            yield Finding("illegal-instruction", "vsireg", text)


class OwnVsFile(OfHarts):
    """Registers of a VS-file are read and written only for the vCPU that owns its line.

    Source: AIA specification, vsireg: hstatus.VGEIN selects the file; owners[] (aia.c) the owner.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """VGEIN while the host uses it, the vCPU for which it does, and the owners."""
        for hart, hgctrl in zip(k.hart, k.hgei, strict=True):
            yield from addresses(hart, "vgein", "vsfile_of")
            yield from addresses(hgctrl, "owners")

    def valid(self, k: Module, hart: Hart) -> bool:
        """The host has set VGEIN."""
        return bool(hart.vsfile_of)

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report a HART whose VGEIN names a file of another vCPU than it is set for."""
        owner = k.hgei[hart.id].owners[hart.vgein] if hart.vgein < k.slots else 0
        if owner != hart.vsfile_of:
            text = f"HART {hart.id} accesses line {hart.vgein} for {name_of(k, hart.vsfile_of)}; "
            yield Finding("foreign-vsfile", "hgei", f"{text}it belongs to {name_of(k, owner)}")


class GuestLine(OfHarts):
    """A HART that executes with hstatus.VGEIN = h executes the guest of the owner of its line h.

    Source: privileged architecture, hstatus.VGEIN; owners[] (aia.c).
    """

    def watches(self, k: Module) -> Iterator[int]:
        """The guests that run, their VGEIN, and the owners."""
        for hart, hgctrl in zip(k.hart, k.hgei, strict=True):
            yield from addresses(hart, "guest")
            yield from addresses(hgctrl, "owners")
        for vcpu in vcpus(k):
            yield from addresses(vcpu, "vgein")

    def valid(self, k: Module, hart: Hart) -> bool:
        """A guest runs, on a VS-file."""
        return bool(hart.guest and k.vcpu(hart.guest).vgein)

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report a HART on which a guest uses a line that is not its own."""
        vcpu, cpu = k.vcpu(hart.guest), hart.id
        owner = k.hgei[cpu].owners[vcpu.vgein]
        if owner != vcpu.id:
            text = f"{vcpu.name} runs on HART {cpu} line {vcpu.vgein} of {name_of(k, owner)}"
            yield Finding("guest-line", "hgei", text)
        yield from beyond(k, cpu, vcpu.vgein, f"{vcpu.name} runs on line")


class GuestFile(OfHarts):
    """The guest of a vCPU that has a VS-file runs on that file: its interrupts go there.

    Source: imsic_update (aia_imsic.c), which sets hstatus.VGEIN before each entry.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """The guests that run, their VGEIN, and where their VS-files are."""
        for hart in k.hart:
            yield from addresses(hart, "guest")
        for vcpu in vcpus(k):
            yield from addresses(vcpu, "vgein", "vsfile_cpu", "vsfile_hgei")

    def valid(self, k: Module, hart: Hart) -> bool:
        """A guest runs."""
        return bool(hart.guest)

    def suspects(self, k: Module, hart: Hart) -> bool:
        """Whether it looks at another file than its vCPU's, if that has one."""
        vcpu = k.vcpu(hart.guest)
        return vcpu.vsfile_cpu >= 0 and (
            vcpu.vsfile_hgei != vcpu.vgein or vcpu.vsfile_cpu != hart.id
        )

    def wrong(self, k: Module, hart: Hart) -> Iterator[Finding]:
        """Report a guest that looks elsewhere."""
        if self.suspects(k, hart):
            vcpu = k.vcpu(hart.guest)
            text = f"{vcpu.name} runs on HART {hart.id} with VGEIN = {vcpu.vgein}; its VS-file is "
            text = f"{text}HART {vcpu.vsfile_cpu} line {vcpu.vsfile_hgei}"
            yield Finding("guest-file", "vcpu", text)


class GuestReachable(OperationCheck):
    """While a guest runs, vcpu->cpu is its CPU, and its preempt notifier is registered.

    Source: vcpu_load and kvm_sched_in (kvm_main.c); kvm_vcpu_kick sends its IPI to vcpu->cpu.
    """

    about = (EnterGuest,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Report a guest that kicks and fences miss."""
        if isinstance(moment.op, EnterGuest):
            vcpu, cpu = k.vcpu(moment.op.vcpu), moment.who.cpu
            if vcpu.cpu != cpu or not vcpu.loaded:
                text = f"the guest of {vcpu.name} is entered on CPU {cpu}; its vcpu->cpu is "
                yield Finding("unreachable", "vcpu", f"{text}{vcpu.cpu}, loaded: {vcpu.loaded}")


class OwnRegisters(OperationCheck):
    """A guest is entered with the newest values of its own registers, until the host goes
    down.

    Source: kvm_arch_vcpu_load (vcpu.c) writes them unless the HART has them; kvm_arch_vcpu_put
    saves them.
    """

    about = (EnterGuest,)

    def applies(self, k: Module) -> bool:
        """Whether a load may write none of them."""
        return k.keeps_registers

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Report a guest that runs with what another has left, or with nothing."""
        if isinstance(moment.op, EnterGuest) and not k.globals.kvm_rebooting:
            vcpu, hart = k.vcpu(moment.op.vcpu), moment.who.hart
            if hart.registers_of != vcpu.id:
                text = f"the guest of {vcpu.name} is entered on CPU {hart.id}, which has the "
                left = name_of(k, hart.registers_of)
                yield Finding("foreign-registers", "vcpu", f"{text}VS registers of {left}")


class RedirectedHere(ReturnCheck):
    """A handler that writes registers of the guest writes those of a HART that has the newest,
    until the host goes down.

    Source: kvm_riscv_vcpu_trap_redirect (vcpu_exit.c), preemptible, of a vCPU that is loaded.
    """

    about = "kvm_riscv_vcpu_trap_redirect"

    def wrong(self, k: Module, ret: None, current: Thread, vcpu: Any) -> Iterator[Finding]:
        """Report that it has written those of another."""
        hart, up = current.hart, not k.globals.kvm_rebooting
        if k.keeps_registers and up and not vcpu.registers.are_on(hart):
            text = f"a trap is redirected to the guest of {vcpu.name} on CPU {hart.id}, which has "
            left = name_of(k, hart.registers_of)
            yield Finding("foreign-registers", "vcpu", f"{text}the VS registers of {left}")


class OwnVmid(OperationCheck):
    """A guest is entered with a VMID that stands for no other VM on its HART: it was given out
    after the HART was flushed last, and not before.

    Source: kvm_riscv_gstage_vmid_update (vmid.c); privileged architecture, hgatp.VMID.
    """

    about = (EnterGuest,)

    def applies(self, k: Module) -> bool:
        """Whether VMIDs are ever given out again."""
        return k.vmids_run_out

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Report an old VMID, which may be another VM's, or what was cached under a new one."""
        if isinstance(moment.op, EnterGuest):
            vcpu, cpu = k.vcpu(moment.op.vcpu), moment.who.cpu
            flushed = vcpu.vm.vmid.flushed[cpu]
            if vcpu.hgatp_version != flushed:
                text = f"the guest of {vcpu.name} is entered on CPU {cpu} with a VMID of version "
                text = f"{text}{vcpu.hgatp_version}; the CPU was flushed for version {flushed}"
                yield Finding("foreign-vmid", "vcpu", text)


class EntryGranted(ReturnCheck):
    """A vCPU of an AUTO VM always gets into its guest: without a line it has its SW-file.

    Source: imsic_update (aia_imsic.c), which refuses an entry in mode HWACCEL only.
    """

    about = "vcpu_enter_guest"

    def wrong(self, k: Module, ret: int, current: Thread, vcpu: Vcpu) -> Iterator[Finding]:
        """Report KVM_EXIT_FAIL_ENTRY, which is for HWACCEL."""
        if ret == FAIL_ENTRY and vcpu.vm.aia_mode == AUTO:
            text = f"{vcpu.name} is refused its guest on HART {current.cpu}, in mode auto"
            yield Finding("entry-refused", "auto", text)


class LineGranted(OfVcpus):
    """A vCPU that enters its guest gets a line of its HART if one is free.

    Source: kvm_riscv_aia_alloc_hgei (aia.c), which looks under the lock of the lines, so that it
    finds a line that is free all the time.
    """

    def valid(self, k: Module, vcpu: Vcpu) -> bool:
        """Its VM may use lines, and kvm_shutdown takes none away."""
        return vcpu.vm.aia_mode != EMUL and not k.globals.kvm_rebooting

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU that has none on its HART."""
        cpu = vcpu.thread.cpu
        if vcpu.vsfile_cpu != cpu:
            mode = AIA_MODES[vcpu.vm.aia_mode]
            text = f"{vcpu.name}, in mode {mode}, gets no line of HART {cpu}, though one is free"
            yield Finding("line-refused", "hgei", text)


class OfNewVms(Unwatched[Vm], OfVms):
    """A check of VMs that are created while others run; a search asks it of those alone, since what
    a VM gets before it begins does not depend on the interleaving."""

    def subjects(self, k: Module) -> Iterator[Vm]:
        """Those VMs."""
        return (vm for vm in k.vms if vm.creation.awaited)


class ModeGranted(OfNewVms):
    """No VM was refused HGEI lines that the machine has (hazards V2-9, V5-1).

    Source: aia_config (aia_device.c): HWACCEL and AUTO are there on hosts with guest files.
    """

    def wrong(self, k: Module, vm: Vm) -> Iterator[Finding]:
        """Report a VM that runs in another mode than it asked for."""
        lines = [lines_of(k, cpu) for cpu in range(len(k.hart))]
        total, cause = sum(lines), Cause(frozenset() if all(lines) else frozenset([LINELESS]))
        if total and vm.aia_mode != vm.asked_mode:
            asked, got = AIA_MODES[vm.asked_mode], AIA_MODES[vm.aia_mode]
            text = f"{vm.name} asked for {asked} and is in {got}; the HARTs have {total} lines"
            yield Finding("mode-refused", "aia", text, cause)


class ModeUsable(OfNewVms):
    """No VM was granted HWACCEL where no HART has a line: none of its vCPUs could run.

    Source: aia_config (aia_device.c): HWACCEL and AUTO are refused on hosts without guest files.
    """

    def wrong(self, k: Module, vm: Vm) -> Iterator[Finding]:
        """Report a VM that can never run."""
        if vm.aia_mode == HWACCEL and not any(lines_of(k, cpu) for cpu in range(len(k.hart))):
            text = f"{vm.name} is in mode hwaccel, and no HART has a line"
            yield Finding("mode-unusable", "hwaccel", text)
