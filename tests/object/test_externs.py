"""Paths that stand for the C functions that objects call."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hgeisim.kernel.object.csrs import (
    CLEAR,
    READ,
    SET,
    SIE,
    SSTATUS,
    VSIREG,
    access_csr,
    selected,
    set_back,
)
from hgeisim.kernel.object.externs import EXTERNS
from hgeisim.machine.ops import LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE
from hgeisim.machine.spinlock import raw_spinlock
from hgeisim.object.object_code import KernelFault
from tests.object.toy import code

ARRAY, VCPUS = 0x100, (0x10, 0x20, 0x30)


def kernel() -> tuple[Any, int]:
    """A kernel with three vCPUs in one VM, and a word for an index."""
    made = code()

    def vcpu_in(array: int, index: int) -> int:
        assert array == ARRAY
        return VCPUS[index] if index < len(VCPUS) else 0

    k = SimpleNamespace(object=made, structs=SimpleNamespace(vcpu_in=vcpu_in))
    return k, made.allocate(8, "index")


def called(name: str, k: Any, *arguments: int) -> int:
    path = EXTERNS[name](k, None, *arguments)
    try:
        next(path)
    except StopIteration as end:
        return int(end.value)
    raise AssertionError(f"{name} yields an operation")


def test_each_vcpu_is_found_once() -> None:
    k, index = kernel()
    found = [called("xa_find", k, ARRAY, index, -1, 8)]
    while found[-1]:
        found.append(called("xa_find_after", k, ARRAY, index, -1, 8))
    assert found == [*VCPUS, 0]
    assert k.object.shared.load(index, 8) == len(VCPUS) - 1


def test_a_vcpu_is_loaded_by_its_index() -> None:
    k, _ = kernel()
    assert [called("xa_load", k, ARRAY, i) for i in range(4)] == [*VCPUS, 0]


LOCK, IMSIC = 0x1000, 0x2000


def with_lock() -> tuple[Any, Any]:
    """A kernel with a lock and an IMSIC context, and a context on HART 0."""
    vcpu = SimpleNamespace(freed=0, name="v", vm=SimpleNamespace(name="vm"))
    structs = SimpleNamespace(
        locks={LOCK: raw_spinlock(None, "it", "it")},
        vcpu_of_imsic=lambda address: vcpu if address == IMSIC else None,
    )
    hart = SimpleNamespace(irq_off=0, hardirq=0, vgein=1, has_file=lambda hgei: True)
    return SimpleNamespace(structs=structs), SimpleNamespace(hart=hart, cpu=0)


def ran(path: Any, answer: Any = None) -> tuple[list[Any], Any]:
    """The operations of a path that is given one answer, and its result."""
    made = []
    try:
        made.append(next(path))
        while True:
            made.append(path.send(answer))
    except StopIteration as end:
        return made, end.value


def test_flags_are_saved_and_restored() -> None:
    k, current = with_lock()
    lock = k.structs.locks[LOCK]
    ops, flags = ran(EXTERNS["_raw_spin_lock_irqsave"](k, current, LOCK))
    assert (ops, flags) == ([lock.lock_irqsave], SIE)
    assert ran(EXTERNS["_raw_spin_unlock_irqrestore"](k, current, LOCK, flags))[0] == [
        lock.unlock_irqrestore
    ]
    for lost in (0, ~SIE, 1 << 40):
        with pytest.raises(KernelFault, match="which nobody saved"):
            ran(EXTERNS["_raw_spin_unlock_irqrestore"](k, current, LOCK, lost))


def test_interrupts_are_not_turned_on_behind_the_back_of_a_caller() -> None:
    k, current = with_lock()
    current.hart.irq_off = 1
    ran(EXTERNS["_raw_spin_unlock_irq"](k, current, LOCK))
    for state in ({"irq_off": 2}, {"irq_off": 1, "hardirq": 1}):
        vars(current.hart).update(state)
        with pytest.raises(KernelFault, match="which the caller has turned off"):
            ran(EXTERNS["_raw_spin_unlock_irq"](k, current, LOCK))


@pytest.mark.parametrize("got", [True, False])
def test_a_trylock_says_whether_it_has_the_lock(got: bool) -> None:
    k, current = with_lock()
    ops, value = ran(EXTERNS["_raw_spin_trylock"](k, current, LOCK), got)
    assert (ops, value) == ([k.structs.locks[LOCK].trylock], int(got))


def test_memory_is_freed_once() -> None:
    k, current = with_lock()
    ran(EXTERNS["kfree"](k, current, 0))
    ran(EXTERNS["kfree"](k, current, IMSIC))
    with pytest.raises(KernelFault, match="kfree of the IMSIC context of v, which was freed"):
        ran(EXTERNS["kfree"](k, current, IMSIC))
    with pytest.raises(KernelFault, match="kfree of 0x2040, which no kzalloc has returned"):
        ran(EXTERNS["kfree"](k, current, IMSIC + 64))


def csr(k: Any, current: Any, *access: Any) -> tuple[list[Any], Any]:
    return ran(access_csr(k, current, access, ()))


def test_local_irq_save_and_restore() -> None:
    k, current = with_lock()
    assert csr(k, current, SSTATUS, READ, 0) == ([], SIE)
    assert csr(k, current, SSTATUS, CLEAR, SIE) == ([LOCAL_IRQ_DISABLE], SIE)
    current.hart.irq_off = 1
    assert csr(k, current, SSTATUS, READ, 0) == ([], 0)
    assert csr(k, current, SSTATUS, SET, SIE) == ([LOCAL_IRQ_ENABLE], 0)
    with pytest.raises(KernelFault, match="which nobody saved"):
        csr(k, current, SSTATUS, SET, 0)
    with pytest.raises(KernelFault, match="whose CPU is not known"):
        csr(k, None, VSIREG, READ, 0)


def selecting(select: int) -> tuple[Any, Any]:
    k, current = with_lock()
    k.vsiselect = [0]
    k.object = SimpleNamespace(memory=SimpleNamespace(read=lambda cell: select))
    return k, current


@pytest.mark.parametrize("select", [0x33, 0x71, 0x81, 0x100])
def test_a_register_that_no_guest_file_has_traps(select: int) -> None:
    with pytest.raises(KernelFault, match="illegal instruction: VSIREG, with vsiselect"):
        csr(*selecting(select), VSIREG, READ, 0)


def test_vsiselect_is_set_back() -> None:
    assert selected(*selecting(0x70)) == 0x70
    for before in (0, 0x80):
        set_back(*selecting(before), before)
        with pytest.raises(KernelFault, match=f"is left at 0x70, and was {before:#x}"):
            set_back(*selecting(0x70), before)


MAPPED = (0x100, 1 << 12, 4 << 44 | 1 << 24 | 1 << 12, 1 << 12, 1)
"""The kvm, the page, the VS-file, its size and whether it is writable."""


def mapping() -> Any:
    k, _ = with_lock()
    found = SimpleNamespace(name="v")
    k.hart = range(2)
    k.structs.vcpu_of_page = lambda kvm, gpa: found
    k.kvm_riscv_mmu_ioremap = lambda current, vcpu, cpu, hgei: (vcpu.name, cpu, hgei)
    return k


def test_a_vsfile_is_mapped_whole_and_writable() -> None:
    remap: Callable[..., Any] = EXTERNS["kvm_riscv_gstage_ioremap"]
    assert remap(mapping(), None, *MAPPED) == ("v", 1, 1)
    for place, other in ((2, 0x1000), (2, MAPPED[2] + (1 << 24)), (3, 1 << 13), (4, 0)):
        wrong = [*MAPPED]
        wrong[place] = other
        with pytest.raises(KernelFault, match="is mapped"):
            remap(mapping(), None, *wrong)
