"""A machine under the timed driver whose costs are powers of ten.

So a time tells what was charged: 1_111 ns are one wake-up, one interrupt entry, one lock and one
unlock.
"""

from __future__ import annotations

from collections.abc import Generator

import simpy

from hgeisim.drivers.alone import boot
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import LaneEnvironment
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel.state import Thread, Vcpu
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import Path, Spend
from hgeisim.machine.spinlock import RawSpinlock
from hgeisim.scenario.distribution import Constant
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.timing import Timing
from tests.timelines import topology

COSTS = {
    "raw_spin_unlock": "1ns",
    "raw_spin_lock": "10ns",
    "interrupt_entry": "100ns",
    "wake_up": "1us",
    "guest_entry": "10us",
    "vsfile_sweep": "100us",
    "ipi": "1ms",
    "context_switch": "10ms",
    "cpuhp_state": "100ms",
    "stop_machine": "1s",
    "vm_teardown": "10s",
}
UNLOCK, LOCK, ENTRY, WAKE, GUEST_ENTRY, SWEEP, IPI, SWITCH, CPUHP, STOP, TEARDOWN = (
    int(10**digit) for digit in range(len(COSTS))
)
FIND = LOCK + UNLOCK
"""What aia_find_hgei takes, and alloc_hgei and free_hgei too."""
HANDLER = ENTRY + LOCK + UNLOCK
"""What hgei_interrupt takes when it wakes nobody."""

Log = list[tuple[str, int]]
"""What happened and when, in ns."""


def machine(*lines: int, variant: str = "v6.12") -> TimedDriver:
    """Boot a kernel on HARTs with so many lines, at time 0."""
    k = find_variant(variant)(topology(*lines))
    boot(k, k.add_thread("swapper", 0))
    return TimedDriver(LaneEnvironment(), k, Costs(Timing.model_validate(COSTS), Streams(1)))


def simulation(**tables: object) -> Simulation:
    """Bring a scenario with these tables and costs to time 0."""
    return simulate(scenario_from({"timing": COSTS, **tables}))


def work(driver: TimedDriver, ns: int) -> Spend:
    """Own time of a task."""
    driver.costs.of_owner("work", str(ns), Constant.model_construct(value=ns))
    return Spend("work", str(ns))


def start(driver: TimedDriver, name: str, cpu: int, path: Path[None]) -> Thread:
    """Spawn a task; it has the HART after `SWITCH`, if nobody is before it."""
    who = driver.k.add_thread(name, cpu)
    driver.spawn(who, path)
    return who


def critical_section(
    driver: TimedDriver, lock: RawSpinlock, plan: tuple[str, int, int], log: Log
) -> Path[None]:
    """Come to a lock after some ns of work, hold it while working; `plan` is name, ns and ns."""
    name, before, inside = plan
    yield work(driver, before)
    log.append((f"{name} asks", now(driver)))
    yield lock.lock_irqsave
    log.append((f"{name} in", now(driver)))
    yield work(driver, inside)
    yield lock.unlock_irqrestore
    log.append((f"{name} out", now(driver)))


def guest(driver: TimedDriver, name: str, cpu: int, run: int) -> Vcpu:
    """Make a vCPU whose guest runs for `run` ns at a time."""
    vcpu = driver.k.add_vcpu(name, cpu)
    driver.costs.of_owner("guest_run", name, Constant.model_construct(value=run))
    return vcpu


def at(driver: TimedDriver, when: int, path: Path[None]) -> None:
    """Let a device do something at a time."""

    def wait() -> Generator[simpy.Event, object, None]:
        yield driver.env.timeout(when - driver.env.now)
        yield driver.device(path)

    driver.env.process(wait())


def sgei(driver: TimedDriver, cpu: int, *lines: int) -> Path[None]:
    """Raise and enable lines of a HART."""
    hart = driver.k.hart[cpu]
    bits = sum(1 << line for line in lines)
    hart.hgeip |= bits
    hart.hgeie |= bits
    yield hart.sgei


def now(driver: TimedDriver) -> int:
    return int(driver.env.now)


def busy_for(driver: TimedDriver, ns: int) -> Path[None]:
    """Do some work and nothing else."""
    yield work(driver, ns)
