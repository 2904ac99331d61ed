"""Who runs where, in time: one task a HART, first come first served, no preemption in the kernel.

A task leaves its HART when it sleeps, yields or ends.  A wish to move it is granted when it queues
again while runnable, as Linux's load balancer moves runnable tasks; a sleeper wakes up where it
fell asleep, unless that HART is no longer active.
"""

from __future__ import annotations

from collections.abc import Sequence

from hgeisim.drivers.timed.core import Core
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.environment import LaneEnvironment, LaneGenerator
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.machine.ops import Block, Migrate, Op
from hgeisim.machine.task import Runner


class Scheduler:
    """Places tasks on cores."""

    def __init__(self, env: LaneEnvironment, k: Cpuhp, cores: Sequence[Core], costs: Costs) -> None:
        self.env, self.k, self.cores, self.costs = env, k, cores, costs
        self.wanted: dict[Runner, int] = {}

    def move(self, who: Runner, cpu: int) -> None:
        """Ask for a task to go on elsewhere (load balancing, affinity)."""
        self.wanted[who] = cpu

    def complete(self, who: Runner, op: Op) -> LaneGenerator:
        """Finish a scheduling operation, once what it waited for has happened."""
        if isinstance(op, Migrate):
            self.wanted[who] = op.cpu
        if not isinstance(op, Block):
            who.cpu = self.wanted.pop(who, who.cpu)
        yield from self.enter(who)

    def enter(self, who: Runner, urgent: bool = False) -> LaneGenerator:
        """Queue for a HART until it is this task's; an urgent task stays on its own."""
        if not urgent:
            self._place(who)
        self.cores[who.cpu].enter(who, self.env.active_lane, urgent)
        yield None

    def _place(self, who: Runner) -> None:
        """Keep off HARTs that are not active."""
        if not self.k.hart[who.cpu].active:
            who.cpu = self.fallback()

    def fallback(self) -> int:
        """select_fallback_rq: an active CPU, here the least loaded, the lowest of equals."""
        active = [core for core in self.cores if core.hart.active]
        return min(active, key=lambda core: (core.load, core.hart.id)).hart.id

    def push_off(self, cpu: int) -> None:
        """Send the tasks that wait for a HART to others."""
        for who, lane in self.cores[cpu].push_off():
            self._place(who)
            self.cores[who.cpu].enter(who, lane)
