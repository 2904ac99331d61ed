"""Parts of stories (`steps.story`) that several tests expect, for each version its own.

The vCPU is always `a`, the only one of its VM and the first of its kernel.
"""

from __future__ import annotations

from hgeisim.kernel.structs import IRQ_VS_EXT
from tests.support.kernels import FROM_V7_2, STABLE

FENCE = [
    "lock a.hfence_lock | a.hfence = 2",
    "unlock a.hfence_lock",
    "preempt_disable",
    "step | a.requests = 1",
    *["step"] * 2,
    "preempt_enable",
]
"""The fence of its page is queued, and asked for; no guest runs that has to be waited for."""


def mapped(variant: str, cpu: int, hgei: int) -> list[str]:
    """Its page is mapped: the fence is under mmu_lock, which v7.2 takes for writing."""
    for_writing = "write_" if variant in FROM_V7_2 else ""
    return [
        f"{for_writing}lock a.vm.mmu_lock | a.pte_cpu = {cpu} | a.pte_hgei = {hgei}",
        *FENCE,
        f"{for_writing}unlock a.vm.mmu_lock",
    ]


def unmapped(variant: str) -> list[str]:
    """Its page is unmapped: as when it is mapped, but v7.2 drops mmu_lock before the fence."""
    *locked, unlock = mapped(variant, -1, -1)
    return [locked[0], unlock, *FENCE] if variant in FROM_V7_2 else [*locked, unlock]


def external(variant: str, pending: bool) -> list[str]:
    """Its external interrupt is set or unset: two stores, which v7.2 and the stable tree of v6.12
    make under irqs_pending_lock."""
    first = f"a.irqs_pending = {IRQ_VS_EXT if pending else 0}"
    second = f"a.irqs_pending_mask = {IRQ_VS_EXT}"
    if variant in (STABLE, *FROM_V7_2):
        lock = "lock a.irqs_pending_lock"
        return [f"{lock} | {first}", f"step | {second}", f"un{lock}"]
    return [f"step | {first}", f"step | {second}"]
