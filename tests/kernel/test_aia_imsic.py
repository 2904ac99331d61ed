"""aia_imsic.c: how a VS-file is taken away, and how an MSI finds its way."""

from __future__ import annotations

import pytest

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import IRQ_VS_EXT, Vcpu
from hgeisim.machine.interrupt_file import topei
from hgeisim.machine.ops import Path
from tests.support import kernels
from tests.support.kernels import (
    BASES,
    STABLE,
    V6_12,
    V6_16,
    asleep,
    is_awake,
    msi,
    owner_on,
    registers,
    vsfile,
)
from tests.support.steps import Context, story
from tests.support.stories import external, unmapped

GUEST_EIE = 0b1111110


def inject(k: Module, a: Vcpu, iid: int = 1) -> Context[None]:
    """An MSI from the boot thread, to be driven by hand."""
    return Context(k.kvm_riscv_vcpu_aia_imsic_inject(k.threads[0], a, iid), k.threads[0])


# release

DETACH = [
    "start",
    "write_lock a.vsfile_lock | a.vsfile_cpu = -1 | a.vsfile_hgei = -1",
    "write_unlock a.vsfile_lock",
]
READ = [
    "step | other.data.hgei = 1",
    "preempt_disable",
    "step",
    "IPI imsic_vsfile_local_read | hart0.vgein = 0 | other.data.mrif.eidelivery = 1"
    " | other.data.mrif.eithreshold = 0 | other.data.mrif.eip = 8 | other.data.mrif.eie = 126"
    " | hart0.eidelivery[1] = 0 | hart0.eithreshold[1] = 0 | hart0.eip[1] = 0"
    " | hart0.eie[1] = 0 | hart0.hgeip = 0",
    "preempt_enable",
    "step | other.data.hgei = 0",
]
MERGE = [
    "step | a.swfile.eidelivery = 1 | a.swfile.eithreshold = 0",
    "step | a.swfile.eip = 8",
    "step | a.swfile.eie = 126 | other.data.mrif.eidelivery = 0 | other.data.mrif.eithreshold = 0"
    " | other.data.mrif.eip = 0 | other.data.mrif.eie = 0",
]
FREE = [
    "lock hgei0.lock",
    "step",
    "step | hgei0.free_bitmap = 2",
    "step | hgei0.owners[1] = 0",
    "unlock hgei0.lock",
]
KICK = ["step", "preempt_disable", "step", "preempt_enable"]
"""Of a vCPU outside of its guest, which ignores it."""


def something_to_deliver(variant: str) -> list[str]:
    """Steps of extirq_update with an interrupt in the SW-file; the kick is inside of its lock, and
    not of irqs_pending_lock."""
    lock = "lock a.swfile_extirq_lock"
    return [lock, *external(variant, pending=True), *KICK, f"un{lock}"]


@pytest.mark.parametrize("variant", [*BASES, STABLE, "v7.0+percpu-v5"])
def test_release_by_another_cpu_step_by_step(variant: str) -> None:
    """Detached, unmapped and fenced, read by IPI, merged, and only then freed."""
    k, memory = kernels.tracked(variant, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a, 3)
    other = k.add_thread("other", 1)
    assert story(memory, k.kvm_riscv_vcpu_aia_imsic_release(other, a), other) == [
        *[*DETACH, *unmapped(variant), *READ, *MERGE],
        *[*something_to_deliver(variant), *FREE],
    ]
    assert registers(k, a) == (1, 0, 0b1000, GUEST_EIE)


def test_release_is_for_vcpus_with_a_vsfile_only() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = owner_on(k, "a", 0)
    path = k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], a)
    assert story(memory, path, k.threads[0]) == DETACH


def test_what_came_to_the_sw_file_during_a_release_is_merged_with_it() -> None:
    k = kernels.booted(V6_12, [1, 1], init_hart=1)
    a = owner_on(k, "a", 0)
    msi(k, a, 3)
    release = Context(k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], a), k.threads[0])
    release.before("IPI imsic_vsfile_local_read")
    msi(k, a, 5)
    assert not a.irqs_pending, "eidelivery of the SW-file is not there yet"
    release.finish()
    assert registers(k, a) == (1, 0, 0b101000, GUEST_EIE)
    assert a.irqs_pending == IRQ_VS_EXT


def test_a_release_with_something_pending_kicks_the_vcpu() -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    asleep(a)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], a), k.threads[0])
    assert (a.swfile.eip, is_awake(a)) == (0b10, True)


@pytest.mark.parametrize("spoil", ["eidelivery", "eithreshold"])
def test_a_release_without_anything_to_deliver_does_not(spoil: str) -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    msi(k, a, 3)
    getattr(k.hart[0], spoil)[1] = {"eidelivery": 0, "eithreshold": 3}[spoil]
    asleep(a)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], a), k.threads[0])
    assert (a.swfile.eip, is_awake(a), a.irqs_pending) == (0b1000, False, 0)


def test_on_its_own_cpu_a_release_reads_the_file_without_an_ipi() -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a, 3)
    path = k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], a)
    told = [line.split(" | ")[0] for line in story(memory, path, k.threads[0])]
    sweep = told.index("sweep VS-file")
    assert told[sweep - 2 : sweep + 3] == [
        "preempt_disable",
        "local_irq_disable",
        "sweep VS-file",
        "local_irq_enable",
        "preempt_enable",
    ]
    assert registers(k, a) == (1, 0, 0b1000, GUEST_EIE)


# inject


@pytest.mark.parametrize("variant", BASES)
def test_an_msi_to_a_vsfile_is_a_store_under_vsfile_lock(variant: str) -> None:
    """Up to v6.15 with a kick."""
    k, memory = kernels.tracked(variant, [1])
    a = owner_on(k, "a", 0)
    kick = KICK if variant == V6_12 else []
    path = k.kvm_riscv_vcpu_aia_imsic_inject(k.threads[0], a, 2)
    assert story(memory, path, k.threads[0]) == [
        "start",
        "read_lock a.vsfile_lock | hart0.eip[1] = 4 | hart0.hgeip = 2",
        "sgei hart0",
        *kick,
        "read_unlock a.vsfile_lock",
    ]


@pytest.mark.parametrize("variant", [*BASES, STABLE])
def test_an_msi_to_a_sw_file_is_made_pending_under_both_locks(variant: str) -> None:
    k, memory = kernels.tracked(variant, [0])
    a = owner_on(k, "a", 0)
    path = k.kvm_riscv_vcpu_aia_imsic_inject(k.threads[0], a, 2)
    assert story(memory, path, k.threads[0]) == [
        "start",
        "read_lock a.vsfile_lock | a.swfile.eip = 4",
        *something_to_deliver(variant),
        "read_unlock a.vsfile_lock",
    ]


def test_the_kick_of_an_msi_to_a_sw_file_is_inside_both_locks() -> None:
    """The wake-up takes pi_lock and the run queue's lock there (bugs B-08 and B-09)."""
    k = kernels.booted(V6_16, [0])
    a = asleep(owner_on(k, "a", 0))
    kick = inject(k, a).before("lock rq0.lock")
    assert (a.vsfile_lock.readers_inside, a.swfile_extirq_lock.inside) == (1, 1)
    assert a.thread.pi_lock.inside == 1
    kick.finish()
    assert is_awake(a)


@pytest.mark.parametrize(("variant", "awake"), [(V6_12, True), (V6_16, False), ("v7.0", False)])
def test_up_to_v6_15_an_injected_msi_kicks_the_owner_of_a_vsfile(variant: str, awake: bool) -> None:
    k = kernels.booted(variant, [1])
    a = asleep(owner_on(k, "a", 0))
    msi(k, a)
    assert is_awake(a) is awake


def test_an_msi_into_the_vsfile_lets_sgei_look() -> None:
    k = kernels.booted(V6_12, [2])
    a = owner_on(k, "a", 0)
    store = inject(k, a).before("sgei hart0")
    assert k.hart[0].hgeip == 0b10
    store.finish()
    assert not k.hart[0].sgei_pending()
    k.hart[0].hgeie = 0b10
    assert k.hart[0].sgei_pending()


def test_an_injection_waits_for_a_switch_of_the_vsfile() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    a.vsfile_lock.write_lock_irqsave.begin(a.thread)
    a.vsfile_lock.write_lock_irqsave.end(a.thread)
    waiting = inject(k, a)
    assert not waiting.step()
    a.vsfile_lock.write_unlock_irqrestore.end(a.thread)
    waiting.finish()
    assert registers(k, a)[2] == 0b10


def test_two_identities_of_one_vcpu_stay_apart() -> None:
    k = kernels.booted(V6_12, [1])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    for vcpu in (a, b):
        for iid in (1, 5, 5):
            msi(k, vcpu, iid)
        assert registers(k, vcpu)[2] == 0b100010


# extirq_update

FILES = [
    ((1, 0, 0b1000, 0b1000), IRQ_VS_EXT),
    ((1, 4, 0b1000, 0b1000), IRQ_VS_EXT),
    ((1, 3, 0b1000, 0b1000), 0),
    ((0, 0, 0b1000, 0b1000), 0),
    ((1, 0, 0b1000, 0b0100), 0),
    ((1, 0, 0, 0b1000), 0),
]


@pytest.mark.parametrize(("file", "pending"), FILES)
@pytest.mark.parametrize("before", [0, IRQ_VS_EXT])
def test_extirq_update_sets_and_unsets(
    file: tuple[int, int, int, int], pending: int, before: int
) -> None:
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    a.swfile.eidelivery, a.swfile.eithreshold, a.swfile.eip, a.swfile.eie = file
    a.irqs_pending, a.irqs_pending_mask = before, 0
    run_alone(k.imsic_swfile_extirq_update(k.threads[0], a), k.threads[0])
    assert (a.irqs_pending, a.irqs_pending_mask) == (pending, IRQ_VS_EXT)
    assert bool(pending) == bool(file[0] and topei(file[2], file[3], file[1]))


def test_two_updates_of_one_vcpu_exclude_each_other() -> None:
    """Bug B-01, fixed before v6.12: computing and setting is one section."""
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    a.swfile.eip = 0b10
    claim = k.kvm_riscv_vcpu_aia_imsic_rmw_topei(a.thread, a)
    guest = Context(claim, a.thread).after("lock a.swfile_extirq_lock")
    sender = inject(k, a, 2).before("lock a.swfile_extirq_lock")
    assert not sender.step()
    guest.finish()
    assert not a.irqs_pending
    sender.finish()
    assert a.irqs_pending == IRQ_VS_EXT


def test_pending_and_its_mask_are_two_stores() -> None:
    """Bug B-04, open up to v7.0: whoever looks in between sees only one of them."""
    k = kernels.booted("v7.0", [0])
    a = owner_on(k, "a", 0)
    a.irqs_pending_mask = 0
    path = Context(k.kvm_riscv_vcpu_set_interrupt(k.threads[0], a), k.threads[0])
    path.step()
    assert (a.irqs_pending, a.irqs_pending_mask) == (IRQ_VS_EXT, 0)
    run_alone(k.kvm_riscv_vcpu_flush_interrupts(a), a.thread)
    assert a.hvip == 0
    path.finish()
    run_alone(k.kvm_riscv_vcpu_flush_interrupts(a), a.thread)
    assert (a.hvip, a.irqs_pending_mask) == (IRQ_VS_EXT, 0)


def test_flush_takes_only_what_changed_to_hvip() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = owner_on(k, "a", 0)
    a.irqs_pending_mask, a.irqs_pending = 0, IRQ_VS_EXT
    flush = k.kvm_riscv_vcpu_flush_interrupts
    assert story(memory, flush(a), a.thread) == ["start", "step"]
    a.irqs_pending_mask, a.hvip = IRQ_VS_EXT, 1 << 2
    expected = ["start", "step | a.irqs_pending_mask = 0", "step | a.hvip = 1028"]
    assert story(memory, flush(a), a.thread) == expected


# what others store


def test_a_store_to_the_page_goes_where_it_is_mapped() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    told = story(memory, k.imsic_page_write(k.threads[0], a, 3), k.threads[0])
    stored = "step | hart0.eip[1] = 8 | hart0.hgeip = 2"
    assert told == ["start", stored, "sgei hart0"]
    told = story(memory, k.imsic_page_write(k.threads[0], b, 3), k.threads[0])
    assert told[:3] == ["start", "step", "read_lock b.vsfile_lock | b.swfile.eip = 8"]


def test_a_device_of_the_host_injects_from_a_hardirq() -> None:
    k = kernels.booted(V6_12, [0, 1])
    a = asleep(owner_on(k, "a", 0))
    sender = k.add_thread("device", 1)
    sender.data.vcpu, sender.data.value, sender.ipi_mask = a.id, 4, 0b10
    path = Context(one(k), sender)
    path.finish()
    assert (a.swfile.eip, is_awake(a)) == (0b10000, True)


def one(k: Module) -> Path[None]:
    """The interrupt of the device."""
    yield k.irqfd


def test_in_a_hardirq_an_injection_does_not_queue_behind_a_waiting_writer() -> None:
    k = kernels.booted(V6_12, [0, 0, 0])
    a = owner_on(k, "a", 0)
    reader, writer = k.add_thread("reader", 1), k.add_thread("writer", 2)
    Context(k.kvm_riscv_vcpu_aia_imsic_inject(reader, a, 1), reader).after(
        "read_lock a.vsfile_lock"
    )
    release = Context(k.kvm_riscv_vcpu_aia_imsic_release(writer, a), writer)
    assert not release.step()
    assert a.vsfile_lock.waiting
    assert not inject(k, a).step()
    hardirq = k.hardirq("hardirq", 1, 0)
    assert Context(k.kvm_riscv_vcpu_aia_imsic_inject(hardirq, a, 2), hardirq).step()
    assert vsfile(a) == (-1, -1)
