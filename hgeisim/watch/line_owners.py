"""The table of owners: which vCPU owned which line from when to when."""

from __future__ import annotations

from typing import Any

import numpy as np

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HgeiControl
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import InitLock, Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done
from hgeisim.runs.tables import OWNERS, Records
from hgeisim.watch.owner_changes import Owners


class LineOwners:
    """Looks at the owners of a HART whenever the lock of its lines is dropped, or initialised."""

    def __init__(self, k: Module) -> None:
        self.now, self.owners = k.ktime_get, Owners(k.hgei)
        self.control: dict[Shared, HgeiControl] = {h.lock: h for h in k.hgei}
        for hgctrl in k.hgei:
            self.owners.look(0, hgctrl)

    @done(Release, InitLock)
    def released(self, who: Runner, op: Any, waited_ns: int) -> None:
        """Owners may have changed under this lock."""
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None:
            self.owners.look(self.now(), hgctrl)

    def table(self, end_ns: int) -> Records:
        """Each ownership, up to the end of the run."""
        return np.array(self.owners.intervals(end_ns), OWNERS)
