"""The table of owners: which vCPU owned which line of a HART, from when to when."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HgeiControl
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import InitLock, Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done
from hgeisim.runs.tables import OWNERS, Records


class Ownership(NamedTuple):
    """A line of a HART that a vCPU owned from `start_ns` to `end_ns`, the end of the run at most.

    `start_known` is False if it began before the recording, `end_known` if its end was not seen: it
    lasts until the recording ends, or until another vCPU is seen to own the line.
    """

    start_ns: int
    end_ns: int
    start_known: bool
    end_known: bool
    hart: int
    line: int
    vcpu: int


class LineOwners:
    """Records every change of hgctrl->owners[], seen whenever the lock of a HART's lines is dropped
    or initialised.

    From `time_ns` on, `vcpu` owns `line` of `hart` (0: nobody does); each change is an element of
    these arrays.
    """

    def __init__(self, k: Module) -> None:
        self.now = k.ktime_get
        self.control: dict[Shared, HgeiControl] = {h.lock: h for h in k.hgei}
        self.seen = [[0] * len(hgctrl.owners) for hgctrl in k.hgei]
        self.time_ns, self.hart, self.line, self.vcpu = (array(code) for code in "qHBi")
        for hgctrl in k.hgei:
            self._look(0, hgctrl)

    @done(Release, InitLock)
    def released(self, who: Runner, op: Any, waited_ns: int) -> None:
        """Owners may have changed under this lock."""
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None:
            self._look(self.now(), hgctrl)

    def _look(self, now_ns: int, hgctrl: HgeiControl) -> None:
        """Record what has changed since the last look at this HART."""
        seen = self.seen[hgctrl.cpu]
        owners: list[int] = hgctrl.owners  # type: ignore[assignment]  # not tracked here
        if seen == owners:  # mostly: one comparison of lists instead of a loop
            return
        for line, owner in enumerate(owners):
            if owner != seen[line]:
                seen[line] = owner
                self.time_ns.append(now_ns)
                self.hart.append(hgctrl.cpu)
                self.line.append(line)
                self.vcpu.append(owner)

    def table(self, end_ns: int) -> Records:
        """Each ownership, by its start; a line that is owned at the end of the run ends then."""
        return np.array(sorted(self._ownerships(end_ns)), OWNERS)

    def _ownerships(self, end_ns: int) -> Iterator[Ownership]:
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
