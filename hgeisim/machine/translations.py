"""The G-stage translations of an IMSIC page that HARTs have cached.

A HART may keep a translation for as long as no fence takes it away: HFENCE.GVMA on that HART
(privileged architecture, hypervisor extension).  What does not translate is not kept.
"""

from __future__ import annotations

from hgeisim.machine.shared import Array, Memory, Shared, build

FILES = 1 << 6
"""A page number has room for as many guest files of a HART as HGEIE has bits."""


class Translations(Shared):
    """The IMSIC page of one vCPU as HARTs have cached it: `page`, by HART, is the guest file that
    its stores reach (`page_of`), 0 where nothing is cached."""

    page: Array

    def translate(self, hart: int, cpu: int, hgei: int) -> tuple[int, int]:
        """A HART stores to the page, which the page table maps to guest file `hgei` of HART `cpu`,
        -1 if it traps; return the file that it reaches."""
        if not self.page[hart] and cpu >= 0:
            self.page[hart] = page_of(cpu, hgei)
        return file_of(self.page[hart])

    def drop(self, hart: int) -> None:
        """A fence on a HART."""
        self.page[hart] = 0


def page_of(cpu: int, hgei: int) -> int:
    """The number of a guest file's page, never 0."""
    return (cpu + 1) * FILES + hgei


def file_of(page: int) -> tuple[int, int]:
    """HART and number of the guest file of a page; -1 for page 0, which traps."""
    return page // FILES - 1, page % FILES


def translations(memory: Memory | None, name: str, harts: int) -> Translations:
    """Nothing cached, on any of the HARTs."""
    return build(Translations, memory, f"{name}.translations", page=harts)
