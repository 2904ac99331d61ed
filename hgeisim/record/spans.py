"""What took time: interrupts on their way, and vCPUs that look for a VS-file; in columns."""

from __future__ import annotations

from array import array

SGEI_TAKEN, SGEI_SERVED, MSI_VSFILE, MSI_SWFILE, ATTACH, MOVE, FALLBACK, REFUSED = range(8)
SPAN_NAMES = (
    "sgei-taken",
    "sgei-served",
    "msi-vsfile",
    "msi-swfile",
    "attach",
    "move",
    "fallback",
    "refused",
)
MEANINGS = (
    "SGEI: raised until its handler runs",
    "SGEI: handler runs until the owner runs",
    "MSI: arrives until the guest has it, VS-file",
    "MSI: arrives until the guest has it, SW-file",
    "SW-file to VS-file: a line was free",
    "VS-file to VS-file on another HART",
    "no line free: goes on with its SW-file (AUTO)",
    "no line free: KVM_EXIT_FAIL_ENTRY (HWACCEL)",
)
"""What each kind is, in the order of `SPAN_NAMES`."""
UPDATES = (ATTACH, MOVE, FALLBACK, REFUSED)
"""Calls of imsic_update that asked for a line: each ends in one of these."""


class Spans:
    """One record for each span of a kind in `SPAN_NAMES`, in the order in which they ended.

    `start_ns` and `end_ns`; `hart` is where it ended, `origin` the HART of the vCPU's VS-file
    before an update (-1: it had none, or it is no update); `vcpu` and `line` are 0 where there is
    none.
    """

    def __init__(self) -> None:
        self.start_ns, self.end_ns, self.kind = array("q"), array("q"), array("B")
        self.hart, self.origin, self.vcpu, self.line = (array(code) for code in "hhiB")

    def add(self, kind: int, start_ns: int, end_ns: int, place: Place) -> None:
        """Note a span that is over."""
        self.start_ns.append(start_ns)
        self.end_ns.append(end_ns)
        self.kind.append(kind)
        hart, origin, vcpu, line = place
        self.hart.append(hart)
        self.origin.append(origin)
        self.vcpu.append(vcpu)
        self.line.append(line)


Place = tuple[int, int, int, int]
"""hart, origin, vcpu and line of a span."""
