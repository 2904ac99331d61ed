"""A fixed list of actions for one thread: how a scenario writes down a race."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import NamedTuple

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import EIDELIVERY, EIE, REQ_VCPU_RESET, Thread, Vcpu
from hgeisim.kernel.vcpu import GUEST_EIE, enabled_by
from hgeisim.machine.hart import bit
from hgeisim.machine.idle import PAUSE
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.shared import Fixed

IID = 1
"""The identity of the MSIs that devices send."""


def identity_of(vcpu: Vcpu) -> int:
    """The identity that scripts send a vCPU: its own, or to another vCPU another one, as far as
    there are any that guests enable."""
    return vcpu.identity or (vcpu.id - 1) % GUEST_EIE.bit_count() + 1


LAST = ("leave", "exit_mm")
"""The verbs that leave KVM_RUN for good."""


class Command(NamedTuple):
    """A verb, the HART and the vCPU it is about: 0 and None where it is about none."""

    verb: str
    cpu: int
    vcpu: Vcpu | None


class Script(Fixed):
    """Executes commands one after the other in one thread; a verb is a method of this class.

    All that a vCPU's own thread does here happens within KVM_RUN, which "exit" leaves and calls
    again, and "leave" leaves at the end.

    `own` is the vCPU whose thread it is, if it is one; `pauses`: it says when it is outside of the
    kernel.
    """

    def __init__(
        self, k: Module, thread: Thread, commands: Sequence[Command], pauses: bool = False
    ) -> None:
        self.k, self.thread, self.commands = k, thread, tuple(commands)
        self.own, self.pauses = k.vcpu_of.get(thread), pauses

    def path(self) -> Path[None]:
        """The path of the whole script."""
        yield from self.begin()
        i = 0
        while i < len(self.commands):
            if self.pauses:
                yield PAUSE
            yield from self.turn(i)
            i += 1
        yield from self.leave_kernel()

    def begin(self) -> Path[None]:
        """A vCPU whose VM is created while others run calls KVM_RUN when it is there."""
        if self.own is not None and self.own.vm.creation.awaited:
            yield self.own.vm.creation.wait
            yield from self.k.kvm_vcpu_ioctl_begin(self.thread, self.own)

    def turn(self, i: int) -> Path[None]:
        """Command `i`; what is about a vCPU of another waits until its VM is there."""
        verb, _, vcpu = self.commands[i]
        if self.k.freezer.tasks and verb != "suspend":
            yield from self.try_to_freeze()
        if vcpu is not None and vcpu is not self.own and verb != "create":
            if vcpu.vm.creation.awaited:
                yield vcpu.vm.creation.wait
        yield from self.command(i)

    def leave_kernel(self) -> Path[None]:
        """Where the host is suspended, a task that has ended is not in the way."""
        verb, _, _ = self.commands[-1]
        if self.k.freezer.tasks and verb != "suspend":
            if self.own is not None and verb not in LAST:
                yield from self.try_to_freeze()
                yield from self.k.kvm_vcpu_ioctl_end(self.thread, self.own)
            yield self.k.freezer.leave

    def try_to_freeze(self) -> Path[None]:
        """A task comes to rest if it is asked to.  A vCPU's thread leaves KVM_RUN for that, and its
        guest goes on when it is thawed."""
        yield STEP
        freezing = self.k.freezer.freezing
        if not freezing:
            return
        if self.own is not None:
            yield from self.k.kvm_vcpu_ioctl_end(self.thread, self.own)
        yield self.k.freezer.leave
        yield self.k.freezer.rest
        if self.own is not None:
            yield from self.k.kvm_vcpu_ioctl_begin(self.thread, self.own)
            yield from self.k.vcpu_enter_guest(self.thread, self.own)

    def command(self, i: int) -> Path[object]:
        """The path of command `i`; raises `AttributeError` for a verb that does not exist."""
        verb, cpu, vcpu = self.commands[i]
        path: Path[object] = getattr(self, verb)(vcpu, cpu)
        return path

    # Verbs of a vCPU's own thread

    def migrate(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """The thread goes to another HART."""
        return self.k.move_to(self.thread, cpu)

    def run(self, vcpu: Vcpu, cpu: int) -> Path[int]:
        """The guest is entered."""
        return self.k.vcpu_enter_guest(self.thread, vcpu)

    def store(self, vcpu: Vcpu, cpu: int) -> Path[int]:
        """The guest is entered, and stores to the IMSIC page of another vCPU of its VM."""
        own = self.k.vcpu_of[self.thread]
        yield STEP
        own.to_store = vcpu.id
        return (yield from self.k.vcpu_enter_guest(self.thread, own))

    def write(self, vcpu: Vcpu, cpu: int) -> Path[int]:
        """The guest is entered, and writes to a page that the dirty log keeps read-only."""
        yield STEP
        vcpu.to_write = 1
        return (yield from self.k.vcpu_enter_guest(self.thread, vcpu))

    def trap(self, vcpu: Vcpu, cpu: int) -> Path[int]:
        """The guest is entered, and takes a trap that KVM redirects to it."""
        yield STEP
        vcpu.traps = 1
        return (yield from self.k.vcpu_enter_guest(self.thread, vcpu))

    def mask(self, vcpu: Vcpu, cpu: int) -> Path[int]:
        """The guest is entered, and disables the identity that scripts send it."""
        yield STEP
        vcpu.masks = bit(identity_of(vcpu))
        return (yield from self.k.vcpu_enter_guest(self.thread, vcpu))

    def block(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """The guest has executed WFI."""
        return self.k.kvm_riscv_vcpu_wfi(self.thread, vcpu)

    def exit(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """KVM_RUN returns to the monitor, which calls it again."""
        yield from self.k.kvm_vcpu_ioctl_end(self.thread, vcpu)
        if self.pauses:
            yield PAUSE
        yield from self.k.kvm_vcpu_ioctl_begin(self.thread, vcpu)

    def leave(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """KVM_RUN returns to the monitor for good."""
        return self.k.kvm_vcpu_ioctl_end(self.thread, vcpu)

    def exit_mm(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """The monitor exits: its memory goes away, and the file of the VM is still open."""
        yield from self.k.kvm_vcpu_ioctl_end(self.thread, vcpu)
        for each in vcpu.vm.vcpus:
            each.ledger.end()
        yield from self.k.kvm_mmu_notifier_release(self.thread, vcpu.vm)

    # Verbs of a task on a HART

    def create(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """A monitor makes the VM of a vCPU, all its vCPUs and their AIA device, and starts them."""
        vm, i = vcpu.vm, 0
        yield from self.k.kvm_create_vm(self.thread, vm)
        while i < len(vm.vcpus):
            yield from self.k.kvm_vm_ioctl_create_vcpu(self.thread, vm.vcpus[i])
            i += 1
        yield from self.k.aia_create(self.thread, vm)
        yield from self.k.aia_init(self.thread, vm)
        yield vm.creation.complete

    def destroy(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """A vCPU is destroyed."""
        vcpu.ledger.end()
        yield from self.k.kvm_riscv_vcpu_aia_imsic_cleanup(self.thread, vcpu)

    def offline(self, vcpu: None, cpu: int) -> Path[int]:
        """A HART goes offline."""
        return self.k.cpu_down(self.thread, cpu)

    def online(self, vcpu: None, cpu: int) -> Path[int]:
        """A HART comes online."""
        return self.k.cpu_up(self.thread, cpu)

    def power_down(self, vcpu: None, cpu: int) -> Path[None]:
        """A HART that is idle loses its power, and comes back."""
        return self.k.do_idle(self.thread)

    def msi(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """A guest on this HART stores to the IMSIC page of a vCPU."""
        vcpu.ledger.send(identity_of(vcpu))
        yield from self.k.imsic_page_write(self.thread, vcpu, identity_of(vcpu))
        vcpu.ledger.arrive()

    def sbi_ipi(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """A guest on this HART calls SBI to send an IPI to a vCPU."""
        yield STEP
        vcpu.ledger.soft_begins()
        yield from self.k.kvm_sbi_ext_ipi_handler(self.thread, vcpu)
        vcpu.ledger.soft_ends()

    def irqfd(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """A device's interrupt arrives at this HART, for a vCPU."""
        yield STEP
        data, iid = self.thread.data, identity_of(vcpu)
        vcpu.ledger.send(iid)
        data.vcpu, data.value, self.thread.ipi_mask = vcpu.id, iid, 1 << self.thread.cpu
        yield self.k.irqfd
        vcpu.ledger.arrive()

    def move(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """sched_setaffinity of a vCPU's thread by another: the driver moves it where it may."""
        yield STEP
        vcpu.thread.wanted = cpu + 1

    def reset(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """A vCPU is to be reset before it enters its guest again."""
        yield STEP
        vcpu.requests |= REQ_VCPU_RESET
        yield from self.k.kvm_vcpu_kick(self.thread, vcpu)

    def rw_attr(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """An ioctl reads eidelivery of a vCPU's interrupt file."""
        return self.ioctl(vcpu, EIDELIVERY)

    def get_eie(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """An ioctl reads eie: user space saves the vCPU."""
        return self.ioctl(vcpu, EIE)

    def set_eie(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """An ioctl writes eie, as the guest has it: user space restores the vCPU."""
        return self.ioctl(vcpu, EIE, enabled_by(vcpu))

    def set_reg(self, vcpu: Vcpu, cpu: int) -> Path[None]:
        """An ioctl writes a CSR of a vCPU (SET_ONE_REG): user space restores it, or debugs it."""
        return self.k.kvm_vcpu_ioctl_set_one_reg(self.thread, vcpu)

    def ioctl(self, vcpu: Vcpu, isel: int, value: int = 0) -> Path[None]:
        """An ioctl reads a register, or writes a value into it."""
        data = self.thread.data
        data.isel, data.write, data.value = isel, int(value > 0), value
        return self.k.kvm_riscv_aia_imsic_rw_attr(self.thread, vcpu)

    def vmid_rollover(self, vcpu: None, cpu: int) -> Path[None]:
        """Other VMs have used up the VMIDs, so all are taken back."""
        return self.k.kvm_riscv_gstage_vmid_update(self.thread, None)

    def unload(self, vcpu: None, cpu: int) -> Path[None]:
        """KVM is unloaded."""
        return self.k.riscv_kvm_exit(self.thread)

    def load(self, vcpu: None, cpu: int) -> Path[None]:
        """KVM is loaded."""
        return self.k.riscv_kvm_init(self.thread)

    def suspend(self, vcpu: None, cpu: int) -> Path[None]:
        """The host is suspended to RAM, by a task on its boot HART, and resumes."""
        return self.k.enter_state(self.thread)

    def shutdown(self, vcpu: None, cpu: int) -> Path[None]:
        """The host is shut down."""
        return self.k.kvm_shutdown(self.thread)


SCRIPTED = frozenset(name for name, _ in inspect.getmembers(Script, inspect.isgeneratorfunction))
"""The generators of this module: they stand around kernel functions and are none themselves."""
