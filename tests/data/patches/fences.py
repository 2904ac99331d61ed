"""Patches that leave a fence out, or a part of it: a guest goes on with an old translation."""

from __future__ import annotations

from hgeisim.patch import (
    EXITING_GUEST_MODE,
    IN_GUEST_MODE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    REQ_HFENCE,
    STEP,
    Mmu,
    Path,
    Request,
    Runner,
    Thread,
    Vcpu,
    Vm,
)


class NoFence(Mmu):
    """A page is mapped elsewhere, and nobody is asked to fence."""

    def kvm_riscv_hfence_gvma_vmid_gpa(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        yield STEP


class OnlyOwnFence(Mmu):
    """Only the vCPU whose page it is fences: it is the one that hardly ever stores there."""

    def kvm_riscv_hfence_gvma_vmid_gpa(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        yield vcpu.hfence_lock.lock
        vcpu.hfence |= 1 << vcpu.id
        yield vcpu.hfence_lock.unlock
        yield STEP
        vcpu.requests |= REQ_HFENCE


class NoWait(Request):
    """The request is made, and no guest is made to exit for it."""

    def kvm_make_vcpus_request_mask(k, current: Runner, vm: Vm, request: int) -> Path[None]:
        yield PREEMPT_DISABLE
        i = 0
        while i < len(vm.vcpus):
            vcpu = vm.vcpus[i]
            yield STEP
            vcpu.requests |= request
            yield STEP
            if vcpu.mode == IN_GUEST_MODE:
                vcpu.mode = EXITING_GUEST_MODE
            i += 1
        yield PREEMPT_ENABLE


class OnlyDequeues(Mmu):
    """The queue is emptied, and the fence is not executed."""

    def kvm_riscv_hfence_process(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        yield vcpu.hfence_lock.lock
        vcpu.hfence = 0
        yield vcpu.hfence_lock.unlock


class NoSanitize(Mmu):
    """A vCPU that comes back to a CPU goes on with what that has cached."""

    def kvm_riscv_gstage_vmid_sanitize(k, current: Runner, vcpu: Vcpu) -> None:
        pass


class UnmapsQuietly(Mmu):
    """A page that traps from now on needs no fence, it thinks."""

    def kvm_riscv_mmu_iounmap(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        yield STEP
        vcpu.pte_cpu = vcpu.pte_hgei = -1
