"""What became of the HGEI lines in a trace: owners, failed allocations, SGEIs, moves, hotplug."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.trace.ownership import Doubt, Moment, Ownership


@dataclass
class Vcpu:
    """A vCPU: `number` counts from 1 as they appear; `pointer` names it in the trace.

    `comm` and `pid` are those of the thread that runs it, "" and 0 before it was seen.
    """

    number: int
    pointer: str
    comm: str = ""
    pid: int = 0


class Allocation(NamedTuple):
    """A call of kvm_riscv_aia_alloc_hgei that returned: with a line, or a negative errno.

    `old_hart` is where the vCPU had a line, -1 for nowhere; `owned` how many lines of the HART were
    owned before.
    """

    at: Moment
    hart: int
    vcpu: int
    result: int
    old_hart: int
    owned: int

    @property
    def failed(self) -> bool:
        """Whether no line was handed out."""
        return self.result <= 0

    @property
    def is_migration(self) -> bool:
        """Whether the vCPU got a line while it had one elsewhere."""
        return not self.failed and self.old_hart >= 0


class Freed(NamedTuple):
    """A line was given back: kvm_riscv_aia_free_hgei was entered."""

    at: Moment
    hart: int
    line: int


class Sgei(NamedTuple):
    """A HART took an SGEI; `mask` are the lines that were pending and enabled."""

    at: Moment
    hart: int
    mask: int


class Released(NamedTuple):
    """A vCPU lost its VS-file, and its line with it; `by_hotplug`: kvm_riscv_aia_disable did it."""

    at: Moment
    hart: int
    vcpu: int
    line: int
    by_hotplug: bool


class Window(NamedTuple):
    """When a HART had no HGEI: from kvm_riscv_aia_disable to the return of the next enable.

    CPU hotplug does so, and KVM when the last VM goes.  `start` is None when it was so before the
    trace, `end` when it is so after it.
    """

    hart: int
    start: Moment | None
    end: Moment | None


@dataclass
class Occupancy:
    """Everything told of the lines, each list in order of time.

    `pages` holds the host page number of each line's guest file, where it was mapped; `unanswered`
    counts allocations whose return is missing.
    """

    begin: Moment
    end: Moment
    vcpus: list[Vcpu] = field(default_factory=list)
    ownerships: list[Ownership] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    frees: list[Freed] = field(default_factory=list)
    sgeis: list[Sgei] = field(default_factory=list)
    releases: list[Released] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    pages: dict[tuple[int, int], int] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    unanswered: int = 0

    @property
    def highest_hart(self) -> int:
        """The highest number of a HART that is named; -1 for none."""
        harts = [each.hart for each in self.ownerships]
        harts += [each.hart for each in self.allocations]
        harts += [each.hart for each in self.frees]
        harts += [each.hart for each in self.releases]
        return max(harts, default=-1)
