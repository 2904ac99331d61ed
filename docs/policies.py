"""Policies of handing out HGEI lines, each a patch: `--variant v7.3+docs/policies.py:Rotate`.

A shipped kernel gives a vCPU a line of the HART that it is on, or none: AUTO then goes on with its
SW-file, HWACCEL fails the entry, and a vCPU that sleeps keeps its line.  docs/studies.md compares
them.
"""

from hgeisim.patch import (
    READ_ONCE,
    STEP,
    Block,
    Caller,
    Field,
    Path,
    RawSpinlock,
    Thread,
    Vcpu,
    Vm,
    bit,
    part_of,
    spinlock,
    structs,
)

REQ_FIND_LINE = 1 << 3
"""KVM_REQ_FIND_LINE: the vCPU goes to the CPU that line_cpu names."""


class Fail(Block):
    """Without a line the entry fails, in AUTO as in HWACCEL: the monitor decides what comes next.

    The guest waits, instead of running slowly.
    """

    def imsic_without_vsfile(k, current: Thread, vcpu: Vcpu, old_cpu: int) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_update without a free line: KVM_EXIT_FAIL_ENTRY."""
        yield from ()
        return 0


class Rotate(Block):
    """Without a line a vCPU goes to the next HART that has a free one; if none has, as before.

    Going there sleeps, and preemption is off where a line is asked for.  So the vCPU makes itself a
    request, which keeps it out of its guest, and goes where requests are handled.
    """

    class Vcpu(structs.Vcpu):
        """`line_cpu` is the CPU to go to plus 1, 0 for none; only its own thread uses it."""

        line_cpu: Field

    def imsic_without_vsfile(k, current: Thread, vcpu: Vcpu, old_cpu: int) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_update without a free line: its old one is kept meanwhile."""
        cpu = yield from k.cpu_with_line(current)
        if cpu < 0:
            return (yield from super().imsic_without_vsfile(current, vcpu, old_cpu))
        yield STEP
        vcpu.line_cpu = cpu + 1
        vcpu.requests |= REQ_FIND_LINE
        return 1

    def kvm_riscv_check_vcpu_requests(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_check_vcpu_requests with KVM_REQ_FIND_LINE: as set_cpus_allowed_ptr does, and
        all CPUs are allowed again after that."""
        yield from super().kvm_riscv_check_vcpu_requests(current, vcpu)
        yield STEP
        cpu = vcpu.line_cpu - 1
        if cpu >= 0:
            vcpu.line_cpu = 0
            yield from k.move_to(current, cpu)

    @part_of("kvm_riscv_vcpu_aia_imsic_update")
    def cpu_with_line(k, current: Thread) -> Path[int]:
        """The next CPU, wrapping around, on which the thread may run and that has a free line, or
        -1.  No lock is held: somebody else may get there first."""
        i = 1
        while i < len(k.hgei):
            cpu = (current.cpu + i) % len(k.hgei)
            free = yield from k.free_lines(current, cpu)
            if free:
                return cpu
            i += 1
        return -1

    @part_of("kvm_riscv_vcpu_aia_imsic_update")
    def free_lines(k, current: Thread, cpu: int) -> Path[int]:
        """How many free lines a CPU has for a thread: none if it may not run there."""
        yield STEP
        if not k.hart[cpu].active or not current.cpus_mask >> cpu & 1:
            return 0
        yield STEP
        return READ_ONCE(k.hgei[cpu].free_bitmap).bit_count()


class LeastUsed(Rotate):
    """Without a line a vCPU goes to the HART with most free ones; if none has any, as before."""

    def cpu_with_line(k, current: Thread) -> Path[int]:
        """The CPU with most free lines, the next one of equals, or -1."""
        found, most = -1, 0
        i = 1
        while i < len(k.hgei):
            cpu = (current.cpu + i) % len(k.hgei)
            free = yield from k.free_lines(current, cpu)
            if free > most:
                found, most = cpu, free
            i += 1
        return found


class PinnedAdmission(LeastUsed):
    """A vCPU goes where most lines are free, and stays: it is bound to the HART of its line until
    that is taken from it.  The load balancer no longer moves it."""

    def kvm_riscv_vcpu_aia_imsic_update(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_update: the thread may run only where its line is."""
        ret = yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu)
        yield STEP
        if READ_ONCE(vcpu.vsfile_cpu) == current.cpu:
            yield STEP
            current.allowed = current.cpu + 1
        return ret

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_release: without its line it may run anywhere."""
        yield from super().kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        yield STEP
        vcpu.thread.allowed = 0


class StealFromSleeper(Block):
    """Without a free line a vCPU takes that of the sleeper of its VM that has slept longest.

    Of its own VM, because that keeps the sleeper's memory: a VM ends after all of its vCPUs have
    left KVM_RUN.  The lock keeps the sleeper from waking up while its interrupt file moves.  It
    is taken with preemption off, and spinlock_t sleeps on PREEMPT_RT: not for that.
    """

    class Vcpu(structs.Vcpu):
        """`asleep` is 1 while its line may be taken, `asleep_since` when it last went to sleep, in
        ns; sleep_lock guards both, outside of vsfile_lock and mmu_lock."""

        asleep: Field
        asleep_since: Field
        sleep_lock: RawSpinlock

    def add_vcpu(k, name: str, cpu: int, vm: Vm) -> Vcpu:
        """kvm_arch_vcpu_create with spin_lock_init."""
        vcpu = super().add_vcpu(name, cpu, vm)
        lock = f"{name}.sleep_lock"
        vcpu.sleep_lock = spinlock(k.memory, lock, "imsic->sleep_lock", k.realtime)
        return vcpu

    def kvm_arch_vcpu_blocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_blocking: from now on its line may be taken."""
        yield from super().kvm_arch_vcpu_blocking(current, vcpu)
        yield vcpu.sleep_lock.lock
        vcpu.asleep, vcpu.asleep_since = 1, k.ktime_get()
        yield vcpu.sleep_lock.unlock

    def kvm_arch_vcpu_unblocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_unblocking: not any more; a theft under way is waited for."""
        yield vcpu.sleep_lock.lock
        vcpu.asleep = 0
        yield vcpu.sleep_lock.unlock
        yield from super().kvm_arch_vcpu_unblocking(current, vcpu)

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """kvm_riscv_aia_alloc_hgei, in the thread of `owner`: once more after a theft."""
        ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        if ret <= 0:
            sleeper = yield from k.longest_sleeper(cpu, owner)
            if sleeper:
                yield from k.take_from_sleeper(owner.thread, k.vcpu(sleeper))
                ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        return ret

    @part_of("kvm_riscv_aia_alloc_hgei")
    def longest_sleeper(k, cpu: int, owner: Vcpu) -> Path[int]:
        """The id of the vCPU to take a line from, 0 if none sleeps."""
        found, since = 0, 0
        hgctrl = k.hgei[cpu]
        yield hgctrl.lock.lock_irqsave
        i = 1
        while i <= k.nr_hgei(hgctrl):
            yield STEP
            holder = hgctrl.owners[i]
            if holder and k.vcpu(holder).vm is owner.vm:
                yield STEP
                asleep = READ_ONCE(k.vcpu(holder).asleep)
                yield STEP
                since_then = READ_ONCE(k.vcpu(holder).asleep_since)
                if asleep and (not found or since_then < since):
                    found, since = holder, since_then
            i += 1
        yield hgctrl.lock.unlock_irqrestore
        return found

    @part_of("kvm_riscv_aia_alloc_hgei")
    def take_from_sleeper(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """Release the VS-file of a vCPU if it still sleeps with one of this CPU, whose HGEIE cannot
        change meanwhile: preemption is off.  An MSI in it wakes the vCPU up."""
        yield vcpu.sleep_lock.lock
        if vcpu.asleep and READ_ONCE(vcpu.vsfile_cpu) == current.cpu:
            yield STEP
            current.hart.hgeie &= ~bit(READ_ONCE(vcpu.vsfile_hgei))
            yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        yield vcpu.sleep_lock.unlock


class ReleaseOnBlock(Block):
    """A vCPU gives its line back before it sleeps, and asks for one when it enters its guest again.

    Meanwhile it looks at its SW-file: MSIs for it trap, and wake it by a kick.
    """

    def kvm_arch_vcpu_blocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_blocking, before the vCPU becomes the waiter."""
        yield from super().kvm_arch_vcpu_blocking(current, vcpu)
        yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
