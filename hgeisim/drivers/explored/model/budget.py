"""The budget of a search besides its states: steps, time and memory.

Time and memory differ from run to run, and so does what a search has found when they end it; but
everything that it has found can be replayed.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from time import monotonic, process_time

STATM = Path("/proc/self/statm")
MEBIBYTE = 1 << 20
HEADROOM = 0.9
"""The share of the memory that a search may fill; what comes after it needs the rest."""


class Spent(Exception):
    """A budget is spent; the text says which."""


class MemorySpent(Spent):
    """The memory is spent; a search can go on without using more."""


class PartSpent(Spent):
    """A part of the time is spent, after which something else is tried."""


class Budget:
    """The `steps` that may be made, the `seconds` that the command may take, and the memory in MiB
    that the process may have; `made` counts the steps so far.

    A search reports now and then what it has spent, at a place where it may end.
    """

    def __init__(self, steps: float = inf, seconds: float = inf, memory_mib: float = inf) -> None:
        self.steps, self.seconds, self.memory_mib = steps, seconds, memory_mib
        self.made, self.steps_max = 0, steps
        self.memory_max_mib = HEADROOM * memory_mib
        self.began_s = monotonic() - process_time()
        self.allotted_s, self.part_s = seconds, inf

    @property
    def left(self) -> float:
        """How many steps may still be made."""
        return max(self.steps_max - self.made, 0)

    def spend(self, steps: int = 0) -> None:
        """Count steps; raises `Spent` if they were the last ones, or if the time is up."""
        self.made += steps
        if self.made >= self.steps_max:
            raise Spent(f"{self.steps:,} steps")
        took_s = monotonic() - self.began_s
        if took_s >= self.allotted_s:
            raise Spent(self._time(self.allotted_s))
        if took_s >= self.part_s:
            raise PartSpent(self._time(self.part_s))

    def _time(self, spent_s: float) -> str:
        """Time that was spent, in words."""
        part = f"{spent_s:.2g} of " if spent_s < self.seconds else ""
        return f"{part}{self.seconds:g} seconds"

    def look_at_memory(self) -> None:
        """Raises `MemorySpent` if the process has all its memory; it takes a system call."""
        if self.memory_mib < inf and resident_mib() >= self.memory_max_mib:
            raise MemorySpent(f"{self.memory_mib:g} MiB of memory")

    def reserve(self, share: float) -> None:
        """Reserve a share of the time for what comes after a search."""
        self.allotted_s = (1 - share) * self.seconds

    @contextmanager
    def part(self, share: float) -> Iterator[None]:
        """Limit something to a share of the allotted time."""
        took_s = monotonic() - self.began_s
        self.part_s = took_s + share * self.allotted_s
        try:
            yield
        finally:
            self.part_s = inf

    def extend(self, share: float) -> None:
        """Give what comes after a search the reserved time and another share of the whole; its
        steps are not limited."""
        self.steps_max, self.allotted_s = inf, (1 + share) * self.seconds
        self.memory_max_mib = self.memory_mib


UNLIMITED = Budget()


def resident_mib() -> float:
    """The memory of this process now; where the system does not say, the most that it ever had."""
    try:
        pages = int(STATM.read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
