"""Every change of hgctrl->owners[]: which vCPU owned which line from when to when."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hgeisim.kernel.structs import HgeiControl


class Ownership(NamedTuple):
    """A line of a HART that a vCPU owned from `start_ns` to `end_ns`, the end of the run at most.

    `start_known` is False for one that began before the recording, `end_known` for one whose end
    was not seen: it lasts until the recording ends, or until somebody else is seen to own it.
    """

    start_ns: int
    end_ns: int
    start_known: bool
    end_known: bool
    hart: int
    line: int
    vcpu: int


class Owners:
    """Every change of hgctrl->owners[], seen whenever the lock of a HART's lines is dropped.

    One record each: from `time_ns` on, `vcpu` owns `line` of `hart` (0: nobody does).
    """

    def __init__(self, controls: Sequence[HgeiControl]) -> None:
        self.seen = [[0] * len(hgctrl.owners) for hgctrl in controls]
        self.time_ns, self.hart, self.line, self.vcpu = (array(code) for code in "qHBi")

    def look(self, now_ns: int, hgctrl: HgeiControl) -> None:
        """Note what changed since the last look at this HART."""
        seen = self.seen[hgctrl.cpu]
        owners: list[int] = hgctrl.owners  # type: ignore[assignment]  # not tracked here
        if seen == owners:
            return
        for line, owner in enumerate(owners):
            if owner != seen[line]:
                seen[line] = owner
                self.time_ns.append(now_ns)
                self.hart.append(hgctrl.cpu)
                self.line.append(line)
                self.vcpu.append(owner)

    def intervals(self, end_ns: int) -> list[Ownership]:
        """Return each ownership, by its start; what is owned at the end of the run ends then."""
        return sorted(self._intervals(end_ns))

    def _intervals(self, end_ns: int) -> Iterator[Ownership]:
        open_since: dict[tuple[int, int], tuple[int, int]] = {}
        records = zip(self.time_ns, self.hart, self.line, self.vcpu, strict=True)
        for at, hart, line, vcpu in records:
            start, owner = open_since.pop((hart, line), (0, 0))
            if owner:
                yield Ownership(start, at, start > 0, True, hart, line, owner)
            if vcpu:
                open_since[hart, line] = at, vcpu
        for (hart, line), (start, owner) in open_since.items():
            yield Ownership(start, end_ns, start > 0, False, hart, line, owner)
