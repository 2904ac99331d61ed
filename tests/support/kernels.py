"""Booted kernels for tests, and a way to drive one or two paths by hand, operation by operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from hgeisim.drivers.boot_scenario import beyond_kernel
from hgeisim.drivers.run_to_end import boot, run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AUTO, Vcpu, Vm
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, Path
from hgeisim.machine.shared import Memory
from hgeisim.machine.task import Runner
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.load import load_scenario

T = TypeVar("T")

V6_12, V6_16, V6_18, V7_0 = "v6.12", "v6.16", "v6.18", "v7.0"
V7_1, V7_2, V7_3 = "v7.1", "v7.2", "v7.3"
V2, V3, V4, V5 = (f"v6.12+percpu-v{number}" for number in (2, 3, 4, 5))
BITMAP_RESET, LOCK_INIT = "v6.12+percpu-v2-bitmap-reset", "v6.12+percpu-v2-lock-init"
CLAMP, MIN = "v6.12+percpu-v2+review-clamp", "v6.12+percpu-v2+review-min"
STABLE = "v6.12+stable"
UP_TO_V7_0 = (V6_12, V6_16, V6_18, V7_0)
FROM_V7_2 = (V7_2, V7_3)
BASES = (*UP_TO_V7_0, *FROM_V7_2)
PROVED = (V6_12, V6_18, V2, V7_3)
"""The kernels of proofs in all scenarios: the first, one in the middle, the first patch of the
series, the newest.  What each kernel shows in each scenario is in baselines.toml."""
ALL_VARIANTS = (*BASES, V2, BITMAP_RESET, LOCK_INIT, V3, V4, V5, "v7.0+percpu-v5")


def fits(name: str, variant: str) -> bool:
    """Whether a shipped scenario asks a kernel for nothing that it does not have."""
    return not any(beyond_kernel(load_scenario(name), find_variant(variant)))


def proved_in(names: Iterable[str]) -> list[tuple[str, str]]:
    """The kernels of proofs, each with those of these scenarios that are for it."""
    return [(variant, name) for name in names for variant in PROVED if fits(name, variant)]


Harts = Sequence[int | HartSpec]
"""HARTs by their number of lines (as many guest files), or as specified."""


def machine(harts: Harts, guest_index_bits: int = 6) -> Topology:
    """A topology with these HARTs."""
    specs = (HartSpec(hart) if isinstance(hart, int) else hart for hart in harts)
    return Topology(tuple(specs), guest_index_bits, "test")


def unbooted(
    variant: str, harts: Harts, memory: Memory | None = None, realtime: bool = False
) -> Module:
    """A kernel before its first instruction."""
    return find_variant(variant)(machine(harts), memory, realtime)


def booted(variant: str, harts: Harts, memory: Memory | None = None, init_hart: int = 0) -> Module:
    """A kernel with the module loaded on `init_hart` and every CPU enabled."""
    k = unbooted(variant, harts, memory)
    boot(k, k.add_thread("swapper", init_hart))
    return k


def tracked(variant: str, harts: Harts) -> tuple[Module, Memory]:
    """A booted kernel in tracked memory."""
    memory = Memory()
    return booted(variant, harts, memory), memory


def result(path: Path[T], who: Runner) -> T:
    """Run a path with nobody else around and return what the C function returns."""
    kept: list[T] = []

    def keep() -> Path[None]:
        value = yield from path
        kept.append(value)

    run_alone(keep(), who)
    return kept[0]


def add_vcpu(k: Module, name: str, cpu: int, mode: int = AUTO, vm: Vm | None = None) -> Vcpu:
    """A new vCPU without a VS-file, in a VM of its own unless one is given."""
    return k.add_vcpu(name, cpu, vm or k.add_vm(f"{name}.vm", mode))


def entering(k: Module, vcpu: Vcpu) -> Path[int]:
    """imsic_update as the run loop calls it: preemption off."""
    yield PREEMPT_DISABLE
    entered = yield from k.kvm_riscv_vcpu_aia_imsic_update(vcpu.thread, vcpu)
    yield PREEMPT_ENABLE
    return entered


def enter(k: Module, vcpu: Vcpu, cpu: int | None = None) -> int:
    """Move a vCPU's thread to a HART (None: stay) and let it get its VS-file there."""
    if cpu is not None:
        vcpu.thread.cpu = cpu
    return result(entering(k, vcpu), vcpu.thread)


def running(k: Module, vcpu: Vcpu) -> Path[int]:
    """KVM_RUN up to the guest's WFI, or until the guest is not entered."""
    yield from k.kvm_vcpu_ioctl_begin(vcpu.thread, vcpu)
    reason = yield from k.vcpu_enter_guest(vcpu.thread, vcpu)
    yield from k.kvm_vcpu_ioctl_end(vcpu.thread, vcpu)
    return reason


def run(k: Module, vcpu: Vcpu, cpu: int | None = None) -> int:
    """Let a vCPU run until its guest waits: it sets its interrupt file up and serves what is there.

    Returns why it stopped.
    """
    if cpu is not None:
        vcpu.thread.cpu = cpu
    return result(running(k, vcpu), vcpu.thread)


def owner_on(k: Module, name: str, cpu: int, mode: int = AUTO, vm: Vm | None = None) -> Vcpu:
    """A new vCPU that has been in its guest on a HART, and is back in the monitor."""
    vcpu = add_vcpu(k, name, cpu, mode, vm)
    run(k, vcpu)
    return vcpu


def vsfile(vcpu: Vcpu) -> tuple[int, int]:
    """The (HART, line) of a vCPU."""
    return vcpu.vsfile_cpu, vcpu.vsfile_hgei


def registers(k: Module, vcpu: Vcpu) -> tuple[int, int, int, int]:
    """Eidelivery, eithreshold, eip and eie of a vCPU, wherever they are."""
    cpu, hgei = vsfile(vcpu)
    if cpu < 0:
        file = vcpu.swfile
        return file.eidelivery, file.eithreshold, file.eip, file.eie
    hart = k.hart[cpu]
    return hart.eidelivery[hgei], hart.eithreshold[hgei], hart.eip[hgei], hart.eie[hgei]


def msi(k: Module, vcpu: Vcpu, iid: int = 1) -> None:
    """Send an MSI from the outside."""
    run_alone(k.kvm_riscv_vcpu_aia_imsic_inject(k.threads[0], vcpu, iid), k.threads[0])


def pend(k: Module, cpu: int, *lines: int) -> None:
    """Let an interrupt be pending and enabled in guest files of a HART."""
    hart = k.hart[cpu]
    for line in lines:
        hart.eip[line] = hart.eie[line] = bit(1)
        hart.eidelivery[line] = 1
        hart.update_hgeip(line)


def pending(k: Module) -> tuple[list[int], list[int]]:
    """The interrupts that the HARTs' guest files deliver, and eip of the vCPUs' SW-files."""
    return [hart.hgeip for hart in k.hart], [v.swfile.eip for v in k.vcpus if v is not None]


def owners(k: Module, cpu: int) -> list[int]:
    """The owners[] of a CPU."""
    slots = k.hgei[cpu].owners
    return [slots[line] for line in range(len(slots))]


def asleep(vcpu: Vcpu) -> Vcpu:
    """Let a vCPU's thread sleep in kvm_vcpu_block."""
    vcpu.wait.waiter = vcpu.thread.state = 1
    vcpu.thread.on_rq = vcpu.thread.on_cpu = 0
    return vcpu


def is_awake(vcpu: Vcpu) -> bool:
    """Whether a vCPU's thread is runnable."""
    return vcpu.thread.on_rq == 1 and vcpu.thread.state == 0


def online_again(k: Module, cpu: int) -> None:
    """Take a HART offline and online again, with nobody else around."""
    cpuhp = k.add_thread(f"cpuhp/{cpu}", cpu)
    run_alone(k.cpu_down(cpuhp, cpu), cpuhp)
    run_alone(k.cpu_up(cpuhp, cpu), cpuhp)
