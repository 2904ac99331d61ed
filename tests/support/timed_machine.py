"""A machine under the timed driver whose costs are powers of ten.

So a time shows what was charged: 1_111 ns are one wake-up, one interrupt entry, one lock and one
unlock.  Sending an IPI and a round of halt polling have a digit 5 of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import simpy

from hgeisim.drivers.run_to_end import boot
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import LaneEnvironment, TimedClock
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel.structs import Thread, Vcpu, Vm
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import Path, Spend
from hgeisim.machine.spinlock import RawSpinlock
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.timing import Constant, Timing
from tests.support.timelines import topology

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
COSTS |= {"ipi_send": "5us", "halt_poll": "50us"}
SEND, POLL = 5_000, 50_000
FIND = LOCK + UNLOCK
"""What aia_find_hgei takes, and alloc_hgei, free_hgei and any other short section."""
HANDLER = ENTRY + LOCK + UNLOCK
"""What hgei_interrupt takes when it wakes nobody."""
WAKING = WAKE + 2 * FIND
"""What try_to_wake_up takes, with pi_lock and the run queue's lock."""
ASKING = FIND
"""What it takes to find out that one's VS-file is on this HART."""
FIRST_LINE = 5 * FIND + 2 * SWEEP
"""What imsic_update takes when a vCPU gets its first line: vsfile_lock twice, the HGEI lock,
mmu_lock and hfence_lock; then it has a fence to do before it enters."""
FIRST_ENTRY = FIRST_LINE + FIND + ASKING + GUEST_ENTRY
"""From the start of the run loop to the guest, of a vCPU that gets its first line."""
AGAIN = ASKING + GUEST_ENTRY
"""From an exit to the guest."""
STRETCH = 70_000
"""How long the guest of `run_once` runs."""
ENTERED = SWITCH + FIRST_ENTRY
"""When a vCPU that is alone on its HART is in its guest for the first time."""
SHORT = 10_000
"""A context switch of `quick`: short beside a slice, unlike `SWITCH`."""

Log = list[tuple[str, int]]
"""What happened and when, in ns."""


def machine(*lines: int, variant: str = "v6.12", preemption: str = "none") -> TimedDriver:
    """Boot a kernel on HARTs with these numbers of lines, at time 0."""
    env = LaneEnvironment()
    k = find_variant(variant)(topology(*lines), None, preemption == "rt", clock=TimedClock(env))
    boot(k, k.add_thread("swapper", 0))
    costs = Costs(Timing.model_validate(COSTS), Streams(1))
    return TimedDriver(env, k, costs, preemption)


def simulation(**tables: object) -> Simulation:
    """Bring a scenario with these tables and costs to time 0."""
    return simulate(scenario_from({"timing": COSTS, **tables}))


def work(driver: TimedDriver, ns: int) -> Spend:
    """An operation that spends a task's own time."""
    driver.costs.of_owner("work", str(ns), Constant.model_construct(value=ns))
    return Spend("work", str(ns))


def start(driver: TimedDriver, name: str, cpu: int, path: Path[None]) -> Thread:
    """Spawn a task, which has its HART after `SWITCH` if no other task does."""
    who = driver.k.add_thread(name, cpu)
    driver.spawn(who, path)
    return who


def critical_section(
    driver: TimedDriver, lock: RawSpinlock, plan: tuple[str, int, int], log: Log
) -> Path[None]:
    """Ask for a lock after some ns of work, and hold it while working; `plan` is the name and both
    times in ns."""
    name, before, inside = plan
    yield work(driver, before)
    log.append((f"{name} asks", now(driver)))
    yield lock.lock_irqsave
    log.append((f"{name} in", now(driver)))
    yield work(driver, inside)
    yield lock.unlock_irqrestore
    log.append((f"{name} out", now(driver)))


def guest(driver: TimedDriver, name: str, cpu: int, run: int, vm: Vm | None = None) -> Vcpu:
    """Make a vCPU whose guest runs for `run` ns at a time, by default in a VM of its own."""
    vcpu = driver.k.add_vcpu(name, cpu, vm or driver.k.add_vm(name))
    driver.costs.of_owner("guest_run", name, Constant.model_construct(value=run))
    return vcpu


def running(driver: TimedDriver, vcpu: Vcpu) -> Path[int]:
    """KVM_RUN up to the first exit that is handled outside of the run loop."""
    k, thread = driver.k, vcpu.thread
    yield from k.kvm_vcpu_ioctl_begin(thread, vcpu)
    reason = yield from k.vcpu_enter_guest(thread, vcpu)
    yield from k.kvm_vcpu_ioctl_end(thread, vcpu)
    return reason


def at(driver: TimedDriver, when: int, act: Callable[[], object]) -> None:
    """Do something at a time, before the kernel does anything at that time."""

    def wait() -> Generator[simpy.Event, object, None]:
        yield driver.env.timeout(when - driver.env.now)
        act()

    driver.env.process(wait())


def raises(driver: TimedDriver, cpu: int, *lines: int) -> Callable[[], None]:
    """Raise and enable lines of a HART."""

    def act() -> None:
        hart = driver.k.hart[cpu]
        bits = sum(1 << line for line in lines)
        hart.hgeip |= bits
        hart.hgeie |= bits
        driver.interrupts.poll(driver.cores[cpu])

    return act


def stores(driver: TimedDriver, vcpu: Vcpu) -> Callable[[], None]:
    """An MSI that reaches the VS-file of a vCPU without any software."""

    def act() -> None:
        driver.k.hart[vcpu.vsfile_cpu].write_msi(vcpu.vsfile_hgei, 1)
        driver.interrupts.poll(driver.cores[vcpu.vsfile_cpu])

    return act


def injects(driver: TimedDriver, cpu: int, vcpu: Vcpu) -> Callable[[], None]:
    """A device interrupts a HART, which injects an MSI into a vCPU."""
    inject = driver.k.kvm_riscv_vcpu_aia_imsic_inject
    return lambda: driver.interrupt(cpu, lambda current: inject(current, vcpu, 1))


def now(driver: TimedDriver) -> int:
    return int(driver.env.now)


def busy_for(driver: TimedDriver, ns: int) -> Path[None]:
    """Do some work and nothing else."""
    yield work(driver, ns)


def logged(driver: TimedDriver, name: str, ns: int, log: Log) -> Path[None]:
    """Do some work; `log` has the time at which it was done."""
    yield work(driver, ns)
    log.append((name, now(driver)))


def run_once(driver: TimedDriver, cpu: int, log: Log) -> Vcpu:
    """A vCPU whose guest runs one stretch; `log` has the time at which it came back."""
    vcpu = guest(driver, f"v{cpu}", cpu, STRETCH)

    def path() -> Path[None]:
        yield from running(driver, vcpu)
        log.append((vcpu.name, now(driver)))

    driver.spawn(vcpu.thread, path())
    return vcpu


def quick(*lines: int, variant: str = "v6.18", preemption: str = "none") -> TimedDriver:
    """A machine with short context switches."""
    driver = machine(*lines, variant=variant, preemption=preemption)
    driver.costs.by_name["context_switch"] = lambda: SHORT
    return driver


def endless(driver: TimedDriver, name: str, cpu: int, run: int = 10**12) -> Vcpu:
    """A vCPU in its run loop, whose guest hardly ever waits for anything by default."""
    vcpu = guest(driver, name, cpu, run)
    driver.spawn(vcpu.thread, driver.k.vcpu_thread(vcpu.thread, vcpu))
    return vcpu


def sleeper(driver: TimedDriver, name: str, cpu: int) -> Vcpu:
    """A vCPU in its run loop, whose guest mostly waits for interrupts."""
    return endless(driver, name, cpu, run=10_000)


def once(driver: TimedDriver, vcpu: Vcpu, log: Log) -> Path[None]:
    """KVM_RUN up to the first WFI; `log` has the time and the place."""
    yield from driver.k.kvm_vcpu_ioctl_begin(vcpu.thread, vcpu)
    yield from driver.k.vcpu_enter_guest(vcpu.thread, vcpu)
    log.append((f"{vcpu.name} on {vcpu.thread.cpu}", now(driver)))
