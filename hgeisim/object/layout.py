"""Where things lie in the memory that objects see.  The addresses are hgeisim's own: far from each
other, and none of them is one of the process that interprets."""

from __future__ import annotations

PAGE_SHIFT = 12
NULL_PAGE = 1 << PAGE_SHIFT
THREADS, HEAP, STACKS, DEVICES = 1 << 44, 2 << 44, 3 << 44, 4 << 44
DEVICES_END = 5 << 44
THREAD_SIZE = 1 << 16
"""The memory behind `tp`: task_struct, whose first part is thread_info."""
STACK_SIZE = 1 << 14
"""THREAD_SIZE of RV64, in which a function and what it calls have to fit."""
PERCPU_STRIDE = 1 << 34
"""Between the per-CPU data of two CPUs, see `__per_cpu_offset`."""
EXTERNAL_END = 0x3000_0000
"""The end of the addresses of symbols that no object defines."""
RETURN = 0xDEAD0000
"""The return address of a function that was called from outside."""


def percpu_offset(cpu: int) -> int:
    """`__per_cpu_offset[cpu]`: what is added to the address of a per-CPU variable."""
    return PERCPU_STRIDE * (cpu + 1)


def interrupt_file(cpu: int, hgei: int) -> int:
    """The address of an interrupt file's page: 0 is that of the HART itself."""
    return DEVICES + (cpu << 24) + (hgei << 12)


def file_of(address: int) -> tuple[int, int]:
    """The HART and the guest file that such an address means."""
    return (address - DEVICES) >> 24 & 0xFFFF, address >> PAGE_SHIFT & 0xFFF
