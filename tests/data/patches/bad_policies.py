"""Policies of handing out lines with which vCPUs keep each other from their guests."""

from hgeisim.patch import READ_ONCE, STEP, Field, PercpuV5, structs

REQ_LEAVE = 1 << 3


class AlwaysEmptier(PercpuV5):
    """Before each entry a vCPU goes where more lines are free: each move makes the HART that it has
    left the better one."""

    class Vcpu(structs.Vcpu):
        """`line_cpu` is the CPU to go to plus 1."""

        line_cpu: Field

    def kvm_riscv_vcpu_aia_imsic_update(k, current, vcpu):
        ret = yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu)
        cpu = 0
        while cpu < len(k.hgei):
            yield STEP
            theirs = READ_ONCE(k.hgei[cpu].free_bitmap).bit_count()
            yield STEP
            if theirs > READ_ONCE(k.hgei[current.cpu].free_bitmap).bit_count():
                vcpu.line_cpu = cpu + 1
                vcpu.requests |= REQ_LEAVE
            cpu += 1
        return ret

    def kvm_riscv_check_vcpu_requests(k, current, vcpu):
        yield from super().kvm_riscv_check_vcpu_requests(current, vcpu)
        yield STEP
        cpu = vcpu.line_cpu - 1
        if cpu >= 0:
            vcpu.line_cpu = 0
            yield from k.move_to(current, cpu)


class StealAndYield(PercpuV5):
    """A vCPU takes a line from any other one, awake or not, and lets that one go first, which takes
    it back."""

    class Vcpu(structs.Vcpu):
        """`robbed` is the id of the vCPU that it has just taken a line from."""

        robbed: Field

    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        if ret <= 0:
            yield STEP
            victim = k.hgei[cpu].owners[1]
            yield from k.kvm_riscv_vcpu_aia_imsic_release(owner.thread, k.vcpu(victim))
            ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
            owner.robbed = victim
            owner.requests |= REQ_LEAVE
        return ret

    def kvm_riscv_check_vcpu_requests(k, current, vcpu):
        yield from super().kvm_riscv_check_vcpu_requests(current, vcpu)
        yield STEP
        while vcpu.robbed and READ_ONCE(k.vcpu(vcpu.robbed).vsfile_cpu) < 0:
            yield from k.schedule(current)
            yield STEP
        vcpu.robbed = 0


class PingPong(PercpuV5):
    """A vCPU without a line goes to the next HART, and never falls back to its SW-file."""

    class Vcpu(structs.Vcpu):
        """`leaves` is 1 while it has to go."""

        leaves: Field

    def imsic_without_vsfile(k, current, vcpu, old_cpu):
        yield STEP
        vcpu.leaves = 1
        vcpu.requests |= REQ_LEAVE
        return 1

    def kvm_riscv_check_vcpu_requests(k, current, vcpu):
        yield from super().kvm_riscv_check_vcpu_requests(current, vcpu)
        yield STEP
        if vcpu.leaves:
            vcpu.leaves = 0
            yield from k.move_to(current, (current.cpu + 1) % len(k.hgei))
