"""The tables that go with a timeline: owners, spans, vCPUs and locks.

    owners  who owned which line from when to when
    spans   what took time: SGEIs, MSIs, and vCPUs that look for a VS-file
    vcpus   each vCPU, and what it spent its time on
    locks   waits and holds: each HGEI lock by itself, other locks by class

The trace of a real kernel has owners, and of the vCPUs the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from hgeisim.record.locks import NAMES
from hgeisim.record.spans import SPAN_NAMES, Spans
from hgeisim.record.table import Records, csv_of, dtype, records
from hgeisim.record.vcpu_time import STATE_NAMES

Tables: TypeAlias = Mapping[str, Records]
"""Tables by name, those that were recorded."""

OWNERS = dtype(
    start_ns="int",
    end_ns="int",
    start_known="small",
    end_known="small",
    hart="small",
    line="small",
    vcpu="small",
)
SPANS = dtype(
    kind="text",
    start_ns="int",
    end_ns="int",
    hart="small",
    origin="small",
    vcpu="small",
    line="small",
)
VCPUS = dtype(
    vcpu="small",
    name="text",
    vm="text",
    mode="text",
    born_ns="int",
    end_ns="int",
    destroyed="small",
    **{f"{name}_ns": "int" for name in STATE_NAMES},
)
TRACED_VCPUS = dtype(vcpu="small", pointer="text", pid="int", thread="text")
LOCKS = dtype(**{"lock": "text", "class": "text"}, **dict.fromkeys(NAMES, "int"))
HGEI_LOCK = "hgctrl->lock"
"""The class of the locks that have a row for each HART."""
KINDS = {"owners": (OWNERS,), "spans": (SPANS,), "vcpus": (VCPUS, TRACED_VCPUS), "locks": (LOCKS,)}
"""The types that a table may have, by its name."""


def span_records(spans: Spans) -> Records:
    """Return spans as records of type `SPANS`, each with the name of its kind."""
    names = np.array(SPAN_NAMES, dtype=object)
    kind = names[np.array(spans.kind, dtype=np.int64)]
    places = (spans.hart, spans.origin, spans.vcpu, spans.line)
    return records(SPANS, kind, spans.start_ns, spans.end_ns, *places)


def texts_of(tables: Tables) -> dict[str, str]:
    """Return tables as CSV by file name."""
    return {f"{name}.csv": csv_of(table) for name, table in tables.items()}


def vcpu_names(tables: Tables) -> dict[int, str]:
    """How to call each vCPU by its number: its name in the scenario, its thread in a trace."""
    table = tables.get("vcpus")
    if table is None:
        return {}
    names = table["name"] if "name" in (table.dtype.names or ()) else table["thread"]
    return dict(zip(table["vcpu"].tolist(), names.tolist(), strict=True))
