"""Checks of traces for tests: of excerpts, and of small ones written line by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hgeisim.drivers.traced.booted_kernel import FOLLOWED
from hgeisim.drivers.traced.conformance import Conformance, check_trace
from hgeisim.drivers.traced.read_trace import Trace, read_trace
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.trace.event_names import Events
from tests.support.traces import events_in, trace_path

LINES = {"migrations-3132": (3, 1, 3, 2), "21-eight-cpus": (7,)}
"""Lines of each HART; the others have 3 each."""
VARIANTS = {"migrations-3132": "v6.12+percpu-v2"}
"""The kernel that left an excerpt; the others were left by v6.12."""


def excerpt(name: str) -> Trace:
    """An excerpt, with the lines that its machine had."""
    return read_trace(trace_path(name), Events(), LINES.get(name, (3,)))


def variant_of(name: str) -> str:
    """The kernel that left an excerpt."""
    return VARIANTS.get(name, "v6.12")


def check_file(path: Path, name: str) -> Conformance:
    """Check a file that was made from an excerpt."""
    trace = read_trace(path, Events(), LINES.get(name, (3,)))
    return check_trace(trace, variant_of(name))


def written(*steps: str, lines: Sequence[int] = (3, 3, 3, 3)) -> Trace:
    """A trace of steps `CPU THREAD event: arguments`, see `script`; four HARTs."""
    events = events_in(*steps, only=FOLLOWED)
    return Trace("t", events, topology(lines), (True,) * len(lines))


def topology(lines: Sequence[int]) -> Topology:
    """HARTs with these numbers of lines."""
    return Topology(tuple(HartSpec(count) for count in lines), 2, "test")


def follow(*steps: str, variant: str = "v6.12", middle: bool = False) -> Conformance:
    """Check a trace of such steps."""
    return check_trace(written(*steps), variant, middle)


def alloc(cpu: int, vcpu: str, ret: int, old: str = "-1:-1") -> tuple[str, str]:
    """An allocation of vCPU `v1`, `v2`, ... in its own thread; `old` is "CPU:LINE"."""
    old_cpu, old_line = old.split(":")
    return (
        f"{cpu} {thread(vcpu)} alloc: cpu={cpu} vcpu={vcpu} old_cpu={old_cpu} old_hgei={old_line}",
        f"{cpu} {thread(vcpu)} alloc_ret: cpu={cpu} vcpu={vcpu} ret={ret}",
    )


def free(cpu: int, vcpu: str, place: str) -> str:
    """The thread of a vCPU on `cpu` frees `place`, "CPU:LINE"."""
    line_cpu, line = place.split(":")
    return f"{cpu} {thread(vcpu)} free: cpu={line_cpu} hgei={line}"


def run(cpu: int, vcpu: str, vgein: int) -> str:
    """A guest entry."""
    return f"{cpu} {thread(vcpu)} run: vcpu={vcpu} cpu={cpu} hstatus={vgein << 12:#x}"


def thread(vcpu: str) -> str:
    """The thread of a vCPU."""
    return f"{vcpu}-{100 + int(vcpu[1:])}"
