"""An argument that was read later than the time stamp of its event.

A probe takes its time stamp first and reads its arguments then, milliseconds later on a slow
machine.  So an event may name a VS-file that its vCPU gets only by what stands below.  But the
vCPU has it before the next event of this thread, which is in the probe until then.
"""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.kernel.structs import Vcpu


@dataclass(frozen=True)
class LateRead:
    """The event in `line` says that a vCPU has line `hgei` of a CPU, -1 for none."""

    vcpu: Vcpu
    cpu: int
    hgei: int
    line: int

    @property
    def is_true(self) -> bool:
        """Whether it has that now; without a VS-file its line does not matter."""
        same_line = self.cpu < 0 or self.hgei == self.vcpu.vsfile_hgei
        return same_line and self.cpu == self.vcpu.vsfile_cpu

    @property
    def why(self) -> str:
        """Why this cannot be, if nothing has made it true."""
        has = vsfile(self.vcpu.vsfile_cpu, self.vcpu.vsfile_hgei)
        named = vsfile(self.cpu, self.hgei)
        return f"line {self.line} tells {named} of {self.vcpu.name}, which has {has} up to here"


def vsfile(cpu: int, line: int) -> str:
    """A VS-file as text."""
    return f"CPU {cpu} line {line}" if cpu >= 0 else "no VS-file"
