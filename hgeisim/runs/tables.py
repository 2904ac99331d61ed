"""The tables that go with a timeline, as numpy structured arrays and as CSV.

    owners  the owner of each line, from when to when
    spans   whatever took time: SGEIs, MSIs, and vCPUs that look for a VS-file
    vcpus   each vCPU, and its time by state
    locks   waits and holds: each HGEI lock by itself, other locks by class

The trace of a real kernel has owners, and of the vCPUs the names.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hgeisim.errors import Problem

Records: TypeAlias = NDArray[np.void]
"""A structured array: `records["hart"]` is a column, `records[0]` a record."""

PROBLEMS_MAX = 10
CELL_SHOWN = 40
_WHOLE = re.compile(r"-?[0-9]{1,18}").fullmatch


def dtype(**columns: str) -> np.dtype[np.void]:
    """Make the type of a record; a column is "int", "small" (32 bits) or "text"."""
    codes = {"int": "i8", "small": "i4", "text": "O"}
    made: np.dtype[np.void] = np.dtype([(name, codes[kind]) for name, kind in columns.items()])
    return made


def records(kind: np.dtype[np.void], *columns: Any) -> Records:
    """Make records out of their columns, in the order of their type."""
    names = kind.names or ()
    made = np.empty(len(columns[0]), kind)
    for name, column in zip(names, columns, strict=True):
        made[name] = column
    return made


def head_of(kind: np.dtype[np.void]) -> str:
    """The first line of the CSV."""
    return ",".join(kind.names or ())


def csv_of(table: Records) -> str:
    """Write a table as CSV; a text that may hold commas must be in the last column."""
    lines = (",".join(map(str, row)) for row in table.tolist())
    return "\n".join([head_of(table.dtype), *lines, ""])


def read_table(file: str, text: str, kind: np.dtype[np.void]) -> tuple[Records, list[Problem]]:
    """Read a CSV; `file` is its name in the problems, which name each damaged line."""
    lines = text.split("\n")
    problems = []
    if lines[0] != head_of(kind):
        problems.append(Problem(file, "line 1", repr(lines[0]), f"must be '{head_of(kind)}'"))
    if lines[-1]:
        where, given = f"line {len(lines)}", repr(lines[-1])
        problems.append(Problem(file, where, given, "is cut short: it has no end of line"))
    rows = []
    for number, line in enumerate(lines[1:-1], start=2):
        if len(problems) >= PROBLEMS_MAX:
            problems.append(Problem(file, f"line {number}", "", "reading stopped here"))
            break
        try:
            rows.append(_row(line, kind))
        except ValueError as error:
            problems.append(Problem(file, f"line {number}", repr(line), str(error)))
    return np.array(rows if not problems else [], kind), problems


def check_harts(file: str, table: Records, harts: int) -> list[Problem]:
    """The rows that are about a HART which the machine lacks."""
    if "hart" not in (table.dtype.names or ()):
        return []
    odd = np.flatnonzero((table["hart"] < 0) | (table["hart"] >= harts))
    allowed = f"must be a HART of the machine: 0..{harts - 1}"
    return [
        Problem(file, f"line {row + 2}", str(table["hart"][row]), allowed)
        for row in odd[:PROBLEMS_MAX].tolist()
    ]


def _row(line: str, kind: np.dtype[np.void]) -> tuple[Any, ...]:
    names = kind.names or ()
    cells = line.split(",", len(names) - 1)
    if len(cells) != len(names):
        raise ValueError(f"must be {head_of(kind)}")
    return tuple(_value(cell, kind[name]) for cell, name in zip(cells, names, strict=True))


def _value(cell: str, kind: np.dtype[Any]) -> int | str:
    if kind.kind == "O":
        return cell
    if not _WHOLE(cell):
        raise ValueError(f"'{cell[:CELL_SHOWN]}' must be a whole number")
    if kind.itemsize == np.dtype("i4").itemsize and abs(int(cell)) >= 1 << 31:
        raise ValueError(f"{cell} is out of range")
    return int(cell)


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
NOWHERE, IN_GUEST, IN_WFI, FAILING, RUNNABLE, IN_HOST = range(6)
MET_NAMES = ("", "guest", "wfi", "failed", "runnable", "host")
"""What its vCPU did when an interrupt came: its guest ran; it waited for an interrupt, polling
included, or was asleep; its last entry had failed for want of a line; it waited for a HART; KVM or
the monitor was at work.  Empty for a span that does not depend on it."""


class Spans:
    """One record for each span of a kind in `SPAN_NAMES`, in the order in which they ended.

    `start_ns` and `end_ns`; `hart` is where it ended, `origin` the HART of the vCPU's VS-file
    before an update (-1: it had none, or it is not an update); `vcpu` and `line` are 0 where there
    is none; `met` is what the vCPU did when the span began, see `MET_NAMES`.
    """

    def __init__(self) -> None:
        self.start_ns, self.end_ns, self.kind, self.met = (array(code) for code in "qqBB")
        self.hart, self.origin, self.vcpu, self.line = (array(code) for code in "hhiB")

    def add(self, kind: int, start_ns: int, end_ns: int, place: Place, met: int = NOWHERE) -> None:
        """Note a span that is over."""
        self.start_ns.append(start_ns)
        self.end_ns.append(end_ns)
        self.kind.append(kind)
        self.met.append(met)
        hart, origin, vcpu, line = place
        self.hart.append(hart)
        self.origin.append(origin)
        self.vcpu.append(vcpu)
        self.line.append(line)


Place = tuple[int, int, int, int]
"""hart, origin, vcpu and line of a span."""


@dataclass
class LockUse:
    """Counters of one lock, or of the locks of one class; times in ns."""

    acquisitions: int = 0
    contended: int = 0
    wait_ns_total: int = 0
    wait_ns_max: int = 0
    hold_ns_total: int = 0
    hold_ns_max: int = 0

    def take(self, wait_ns: int) -> None:
        """Count that it was taken, after a wait."""
        self.acquisitions += 1
        if wait_ns:
            self.contended += 1
            self.wait_ns_total += wait_ns
            self.wait_ns_max = max(self.wait_ns_max, wait_ns)

    def drop(self, hold_ns: int) -> None:
        """Count that it was dropped, and for how long it was held."""
        self.hold_ns_total += hold_ns
        self.hold_ns_max = max(self.hold_ns_max, hold_ns)

    def add(self, other: LockUse) -> None:
        """Count what another one counted, too."""
        for name in NAMES:
            larger = max if name.endswith("_max") else int.__add__
            setattr(self, name, larger(getattr(self, name), getattr(other, name)))

    def row(self) -> tuple[int, ...]:
        """The counters in the order of `NAMES`."""
        return tuple(getattr(self, name) for name in NAMES)


NAMES = tuple(field.name for field in fields(LockUse))

VSFILE, SWFILE, BLOCKED, FAILED, HOST = range(5)
STATE_NAMES = ("vsfile", "swfile", "blocked", "failed", "host")
"""The guest runs on a VS-file; on a SW-file; it waits for an interrupt (WFI), polling included; its
entry failed (KVM_EXIT_FAIL_ENTRY) and no later one succeeded yet; all else: KVM and the monitor at
work, or runnable without a HART."""

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
    met="text",
)
VCPUS = dtype(
    vcpu="small",
    name="text",
    vm="text",
    asked="text",
    mode="text",
    born_ns="int",
    end_ns="int",
    destroyed="small",
    **{f"{name}_ns": "int" for name in STATE_NAMES},
)
IDLE = dtype(vcpu="small", state="text", start_ns="int", end_ns="int")
TRACED_VCPUS = dtype(vcpu="small", pointer="text", pid="int", thread="text")
LOCKS = dtype(**{"lock": "text", "class": "text"}, **dict.fromkeys(NAMES, "int"))
HGEI_LOCK = "hgctrl->lock"
"""The class of the locks that have a row for each HART."""
KINDS = {
    "owners": (OWNERS,),
    "spans": (SPANS,),
    "vcpus": (VCPUS, TRACED_VCPUS),
    "locks": (LOCKS,),
    "idle": (IDLE,),
}
"""The types that a table may have, by its name."""


def span_records(spans: Spans) -> Records:
    """Return spans as records of type `SPANS`, with the names of its kind and of what it met."""
    kind, met = _named(SPAN_NAMES, spans.kind), _named(MET_NAMES, spans.met)
    places = (spans.hart, spans.origin, spans.vcpu, spans.line)
    return records(SPANS, kind, spans.start_ns, spans.end_ns, *places, met)


def _named(names: tuple[str, ...], numbers: array[int]) -> NDArray[np.object_]:
    """Names in place of their numbers."""
    return np.array(names, dtype=object)[np.array(numbers, dtype=np.int64)]


def texts_of(tables: Tables) -> dict[str, str]:
    """Return tables as CSV by file name."""
    return {f"{name}.csv": csv_of(table) for name, table in tables.items()}


def table_of(vm: str) -> str:
    """The [[vm]] table that a VM comes from: "web" of web#3 and of web#2.1."""
    return vm.partition("#")[0]


def vcpu_names(tables: Tables) -> dict[int, str]:
    """How to call each vCPU by its number: its name in the scenario, its thread in a trace."""
    table = tables.get("vcpus")
    if table is None:
        return {}
    names = table["name"] if "name" in (table.dtype.names or ()) else table["thread"]
    return dict(zip(table["vcpu"].tolist(), names.tolist(), strict=True))
