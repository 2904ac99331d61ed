"""1323a5cfe52c: registers are not written again for the vCPU that was on this CPU last (v7.1)."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel import structs
from hgeisim.kernel.main import Module
from hgeisim.kernel.state import no_step
from hgeisim.kernel.structs import Caller, Thread, Vm
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.guest_registers import GuestRegisters, guest_registers
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.shared import Field


class FormerSkip(Module):
    """A vCPU that was loaded last here, was left last here, and whose registers nobody has changed
    in memory, is loaded without writing them: the HART still has them.

    Disabling virtualization takes them away, and forgets nothing (bug FV-1).
    """

    keeps_registers = True

    class PerCpu(structs.PerCpu):
        """kvm_former_vcpu: the id of the vCPU that was loaded last on this CPU, 0 for none."""

        kvm_former_vcpu: Field

    class Vcpu(structs.Vcpu):
        """`csr_dirty` is 1 once its registers were changed in memory."""

        csr_dirty: Field
        registers: GuestRegisters

    def add_vcpu(k, name: str, cpu: int, vm: Vm) -> structs.Vcpu:
        """Make a vCPU whose registers are in memory."""
        vcpu: Any = super().add_vcpu(name, cpu, vm)
        vcpu.registers = guest_registers(k.memory, name, vcpu.id)
        vcpu.enter_guest = EnterGuest(vcpu.id, vcpu.registers)
        made: structs.Vcpu = vcpu
        return made

    def load_registers(k, current: Thread, vcpu: Any) -> Path[None]:
        """kvm_arch_vcpu_load, v7.1 (2.10): 1-2 is anything to be written, 3 not dirty any more, 4-6
        write all registers."""
        must_write = yield from k.registers_to_be_written(current, vcpu)
        if must_write:
            yield STEP
            vcpu.csr_dirty = 0
            yield STEP
            k.write_registers(vcpu, current.cpu)
            yield from super().load_registers(current, vcpu)

    @part_of("kvm_arch_vcpu_load")
    def registers_to_be_written(k, current: Thread, vcpu: Any) -> Path[int]:
        """Whether another vCPU was loaded here last, or this one was changed or ran elsewhere."""
        here = k.per_cpu[current.cpu]
        yield STEP
        if here.kvm_former_vcpu != vcpu.id:  # type: ignore[attr-defined]
            here.kvm_former_vcpu = vcpu.id  # type: ignore[attr-defined]
            return 1
        yield STEP
        return int(vcpu.last_exit_cpu != current.cpu or vcpu.csr_dirty)

    @part_of("kvm_arch_vcpu_load")
    def write_registers(k, vcpu: Any, cpu: int) -> None:
        """Write all registers of a CPU."""
        if k.memory is not None:
            k.preempt_others(vcpu, cpu)
        vcpu.registers.write(k.hart[cpu])

    @no_step
    def preempt_others(k, vcpu: Any, cpu: int) -> None:
        """A search lets the threads on a CPU take turns without their preempt notifiers: a vCPU
        that is loaded there as well was preempted, and put, before."""
        for other in k.vcpus[1:]:
            loaded: Any = other
            if loaded is not vcpu and loaded.cpu == cpu:
                loaded.registers.preempt(k.hart[cpu])

    @no_step
    def resume(k, vcpu: Any, cpu: int) -> None:
        """A vCPU that was preempted in this way was loaded again before it went on."""
        if vcpu.registers.preempted:
            here: Any = k.per_cpu[cpu]
            vcpu.registers.preempted = 0
            if here.kvm_former_vcpu != vcpu.id or vcpu.last_exit_cpu != cpu or vcpu.csr_dirty:
                here.kvm_former_vcpu, vcpu.csr_dirty = vcpu.id, 0
                k.write_registers(vcpu, cpu)

    def kvm_arch_vcpu_put(k, current: Thread, vcpu: Any) -> Path[None]:
        """kvm_arch_vcpu_put, v7.1 (2.10): all registers are saved, whoever's they are."""
        k.resume(vcpu, current.cpu)
        yield from super().kvm_arch_vcpu_put(current, vcpu)
        yield STEP
        vcpu.registers.save(current.hart)

    def kvm_sched_out(k, current: Thread) -> Path[None]:
        """kvm_sched_out, v7.1 (2.10).

        A search may preempt a thread between its switch and kvm_sched_in: it has been put already.
        """
        vcpu = k.vcpu_of.get(current)
        if vcpu is None or vcpu.cpu >= 0:
            yield from super().kvm_sched_out(current)

    def put_and_loaded(k, vcpu: Any, cpu: int) -> None:
        """It is put on its CPU now, and loaded on the other before it goes on."""
        vcpu.registers.preempt(k.hart[vcpu.cpu])
        super().put_and_loaded(vcpu, cpu)

    def kvm_riscv_vcpu_enter_exit(k, current: Thread, vcpu: Any) -> Path[int]:
        """kvm_riscv_vcpu_enter_exit, v7.1 (2.16 steps 13 and 13a)."""
        k.resume(vcpu, current.cpu)
        reason = yield from super().kvm_riscv_vcpu_enter_exit(current, vcpu)
        yield STEP
        vcpu.last_exit_cpu = vcpu.cpu
        return reason

    def kvm_riscv_vcpu_trap_redirect(k, current: Thread, vcpu: Any) -> Path[None]:
        """kvm_riscv_vcpu_trap_redirect, v7.1 (2.16 step 20): these belong to the guest, as long as
        it is loaded here."""
        yield from super().kvm_riscv_vcpu_trap_redirect(current, vcpu)
        k.resume(vcpu, current.cpu)
        vcpu.registers.use(current.hart)

    def kvm_riscv_vcpu_set_reg_csr(k, vcpu: Any) -> Path[None]:
        """kvm_riscv_vcpu_set_reg_csr, v7.1 (2.10)."""
        yield from super().kvm_riscv_vcpu_set_reg_csr(vcpu)
        vcpu.csr_dirty = 1

    def reset_vcpu_context(k, vcpu: Any) -> Path[None]:
        """kvm_riscv_reset_vcpu, v7.1: its registers are new ones, wherever it ran before."""
        yield STEP
        vcpu.registers.renew()
        yield from super().reset_vcpu_context(vcpu)

    def reset_guest_registers(k, current: Caller) -> Path[None]:
        """kvm_arch_disable_virtualization_cpu, v7.1 (2.19): VSIE, HVIP, HEDELEG, HIDELEG := 0."""
        yield STEP
        current.hart.registers_of = 0
