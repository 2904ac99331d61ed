"""Who held the lines of a HART while it had none left."""

from __future__ import annotations

import numpy as np

from hgeisim.record.table import Records, dtype
from hgeisim.record.tables import Tables, vcpu_names
from hgeisim.record.windows import Windows

HOLDERS = dtype(vcpu="small", name="text", lines="small", held_ns="int")


def holders(tables: Tables, hart: int, windows: Windows) -> Records:
    """Return each vCPU that owned lines of a HART during spans of time, the longest first.

    `held_ns` adds up its ownerships inside the windows, `lines` counts the different lines.  While
    a HART is exhausted each of its lines has an owner, so the sum over all vCPUs is the number of
    lines times the length of the windows.
    """
    owners = tables["owners"][tables["owners"]["hart"] == hart]
    held = np.zeros(len(owners), dtype=np.int64)
    for start, end in windows:
        inside = np.minimum(owners["end_ns"], end) - np.maximum(owners["start_ns"], start)
        held += np.maximum(inside, 0)
    names = vcpu_names(tables)
    rows = []
    for vcpu in np.unique(owners["vcpu"][held > 0]).tolist():
        mine = (owners["vcpu"] == vcpu) & (held > 0)
        lines = len(np.unique(owners["line"][mine]))
        rows.append((vcpu, names.get(vcpu, f"vCPU {vcpu}"), lines, int(held[mine].sum())))
    return np.array(sorted(rows, key=lambda row: (-row[3], row[0])), HOLDERS)
