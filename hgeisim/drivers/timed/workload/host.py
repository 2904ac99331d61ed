"""The host as its workload sees it: which vCPUs there are, and which HARTs take new work."""

from __future__ import annotations

from collections.abc import Generator
from math import inf
from typing import Any, TypeAlias

import simpy

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.structs import Vcpu
from hgeisim.scenario.schema import Run
from hgeisim.scenario.streams import Streams

Process: TypeAlias = Generator[simpy.Event, Any, None]


class Host:
    """What the processes of a workload share; `vcpus` are those that have not been stopped.

    From `quiet_ns` on no HART goes offline or comes online, and no vCPU is moved.
    """

    def __init__(self, driver: TimedDriver, streams: Streams, run: Run) -> None:
        self.driver, self.k, self.env, self.streams = driver, driver.k, driver.env, streams
        self.quiet_ns = inf if run.quiet is None else run.until - run.quiet
        self.vcpus: list[Vcpu] = []
        self._placed = 0

    @property
    def quiet(self) -> bool:
        """Whether the quiet end of the run has begun."""
        return self.env.now >= self.quiet_ns

    @property
    def all_harts(self) -> int:
        """The mask of all HARTs of the machine."""
        return (1 << len(self.k.hart)) - 1

    def active(self, mask: int) -> list[int]:
        """The active HARTs of a mask, or all active ones when there is none in it."""
        active = [hart.id for hart in self.k.hart if hart.active]
        return [cpu for cpu in active if mask >> cpu & 1] or active

    def next_hart(self, mask: int) -> int:
        """Active HARTs in turn, for what begins now."""
        active = self.active(mask)
        self._placed += 1
        return active[(self._placed - 1) % len(active)]

    def hart_from(self, cpu: int, mask: int) -> int:
        """HART `cpu` or the next one, round the end, of the active ones of a mask."""
        if mask >> cpu & 1 and self.k.hart[cpu].active:
            return cpu
        active = self.active(mask)
        return next((other for other in active if other >= cpu), active[0])


def mask_of(harts: tuple[int, ...] | None, default: int) -> int:
    """The mask of HARTs that a scenario lists, `default` when it lists none."""
    return default if harts is None else sum(1 << hart for hart in harts)
