"""The CSRs that objects read and write, as registers of the model's HARTs.

Source: privileged architecture, hypervisor extension; AIA specification, chapters 2 and 3.
"""

from __future__ import annotations

from typing import Any

from hgeisim.machine.guest import SWEEP_VSFILE
from hgeisim.machine.ops import LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE, STEP, Path
from hgeisim.object.object_code import KernelFault

SSTATUS, HSTATUS, HIE, HGEIE, HVIEN, HVICTL, HGEIP = 0x100, 0x600, 0x604, 0x607, 0x608, 0x609, 0xE12
HVIPRIO1, HVIPRIO2, VSISELECT, VSIREG = 0x646, 0x647, 0x250, 0x251
VGEIN_SHIFT, VGEIN_MASK = 12, 0x3F
SIE = 1 << 1
"""sstatus.SIE: interrupts are on."""
READ, WRITE, SWAP, SET, CLEAR = "read", "write", "swap", "set", "clear"
REGISTERS = {0x70: "eidelivery", 0x72: "eithreshold", 0x80: "eip", 0xC0: "eie"}
"""The registers of an interrupt file that the model has, by their number in vsiselect."""
SHARED = (HGEIE, HGEIP, HIE, HVICTL, HVIEN)
"""Those that interrupts or other HARTs change, or look at."""
FILE_REGISTERS = (0x70, 0x72, *range(0x80, 0x100, 2))
"""All that a guest file of 64 bits has."""
DISABLE = "kvm_riscv_aia_disable"


def changed(old: int, how: str, value: int) -> int:
    """The value of a register after a CSR instruction."""
    if how in (WRITE, SWAP):
        return value
    return old | value if how == SET else old & ~value if how == CLEAR else old


def access_csr(
    k: Any, current: Any, access: tuple[int, str, int], functions: tuple[str, ...]
) -> Path[int]:
    """Execute a CSR instruction on the HART of a context; returns the old value.

    `functions` are the C functions that it is in.
    """
    if current is None and access[0] != SSTATUS:
        raise KernelFault(f"CSR {access[0]:#x} in a function whose CPU is not known here", ())
    if access[0] == SSTATUS:
        return (yield from status_register(current, access[1], access[2]))
    if access[0] in SHARED:
        yield STEP
        return (yield from shared_register(k, current, access, functions))
    if access[0] == VSIREG:
        return (yield from file_register(k, current, access[1], access[2]))
    return own_register(k, current, access)


def restore(flags: int) -> None:
    """Look at flags that are restored.  Raises `KernelFault` if they are none that were saved: with
    them interrupts would stay off for good."""
    if not flags & SIE:
        raise KernelFault(f"interrupts are restored with flags {flags:#x}, which nobody saved", ())


def enable(current: Any) -> None:
    """Look whether interrupts may be turned on for good.  Raises `KernelFault` if a caller has them
    off, too; where the CPU is not known, it is taken that none has."""
    if current is not None and (current.hart.irq_off > 1 or current.hart.hardirq):
        raise KernelFault("interrupts are turned on, which the caller has turned off", ())


def status_register(current: Any, how: str, value: int) -> Path[int]:
    """sstatus, with SIE alone: local_irq_save, local_irq_restore and the like.

    Saved flags always have SIE set, which lost ones have not; the model counts itself how often
    interrupts are off.
    """
    if how == CLEAR and value & SIE:
        yield LOCAL_IRQ_DISABLE
        return SIE
    if how == SET:
        restore(value)
        yield LOCAL_IRQ_ENABLE
        return 0
    if how == READ and current is not None:
        return 0 if current.hart.irq_off or current.hart.hardirq else SIE
    raise KernelFault(f"sstatus is not modelled for {how} with {value:#x}", ())


def shared_register(
    k: Any, current: Any, access: tuple[int, str, int], functions: tuple[str, ...]
) -> Path[int]:
    """HGEIE, HGEIP, HIE, HVIEN and HVICTL."""
    number, how, value = access
    hart, old = current.hart, 0
    if number == HGEIP:
        return int(hart.hgeip)
    if number == HGEIE:
        old = hart.hgeie
        hart.write_hgeie(changed(old, how, value))
    elif number == HIE:
        hart.sgeie = changed(hart.sgeie, how, 1)
    elif number == HVIEN:
        hart.hvien = changed(hart.hvien, how, 1)
    else:  # C leaves the same value behind in both cases; the model notes who it was
        hart.hvictl = int(DISABLE not in functions)
    if number in (HGEIE, HIE) and how in (WRITE, SWAP, SET):
        yield k.sgei[current.cpu]
    return int(old)


def own_register(k: Any, current: Any, access: tuple[int, str, int]) -> int:
    """HSTATUS, VSISELECT and the priorities, which only a context on this HART looks at."""
    number, how, value = access
    hart = current.hart
    if number == HSTATUS:
        old = int(hart.vgein) << VGEIN_SHIFT
        if how != READ:
            select_file(current, hart, changed(old, how, value) >> VGEIN_SHIFT & VGEIN_MASK)
        return old
    if number == VSISELECT:
        cell = k.vsiselect[hart.id]
        before = int(k.object.memory.read(cell))
        if how != READ:
            k.object.memory.write(cell, changed(before, how, value))
        return before
    if number in (HVIPRIO1, HVIPRIO2):
        return 0
    raise KernelFault(f"CSR {number:#x} is not modelled", ())


def select_file(current: Any, hart: Any, vgein: int) -> None:
    """Set VGEIN, and note for checks for which vCPU that is: what `data.vcpu` of the context says.

    The second time the context sets it back; `data.isel` keeps what it was, plus 1.
    """
    data = current.data
    if data.isel:
        hart.vsfile_of, data.isel = data.isel - 1, 0
    else:
        data.isel, hart.vsfile_of = hart.vsfile_of + 1, data.vcpu
    hart.vgein = vgein


def selected(k: Any, current: Any) -> int:
    """VSISELECT of the CPU of a context: what its guest has selected, or whom it interrupts."""
    return int(k.object.memory.read(k.vsiselect[current.cpu]))


def set_back(k: Any, current: Any, before: int) -> None:
    """Look whether VSISELECT is what it was.  Raises `KernelFault`."""
    if (now := selected(k, current)) != before:
        raise KernelFault(f"vsiselect is left at {now:#x}, and was {before:#x}", ())


def file_register(k: Any, current: Any, how: str, value: int) -> Path[int]:
    """VSIREG: a register of the guest file that VGEIN names, the one that vsiselect names.

    MSIs change eip from elsewhere; all others belong to who runs here.
    """
    select = k.object.memory.read(k.vsiselect[current.cpu])
    if select == 0x70:
        yield SWEEP_VSFILE
    elif select == 0x80:
        yield STEP
    hart = current.hart
    hgei = hart.vgein
    if select not in FILE_REGISTERS:
        raise KernelFault(f"illegal instruction: VSIREG, with vsiselect {select:#x}", ())
    if not hart.has_file(hgei) or select not in REGISTERS:
        return 0
    register = getattr(hart, REGISTERS[select])
    old = register[hgei]
    if how != READ:
        register[hgei] = changed(old, how, value)
        hart.update_hgeip(hgei)
        if how != CLEAR:
            yield k.sgei[hart.id]
    return int(old)
