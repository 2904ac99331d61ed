"""vCPUs in simulated time: how long a wake-up takes, where it happens, and who is moved."""

from __future__ import annotations

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.state import Vcpu
from hgeisim.machine.ops import SCHEDULE, Path
from tests.timed import (
    FIND,
    GUEST_ENTRY,
    HANDLER,
    SWEEP,
    SWITCH,
    WAKE,
    Log,
    at,
    busy_for,
    guest,
    machine,
    now,
    start,
)

RUN = 70_000
LONG = 100 * SWITCH
"""A time at which everybody has long been asleep."""
AFTER = 2 * FIND
"""From waking up to leaving kvm_vcpu_block: is something pending, and disarm the line."""


def blocking(driver: TimedDriver, name: str, cpu: int, log: Log) -> Vcpu:
    """A vCPU that runs once and then waits for an interrupt; `log` has when and where it woke."""
    vcpu = guest(driver, name, cpu, RUN)
    k = driver.k

    def path() -> Path[None]:
        yield from k.kvm_arch_vcpu_ioctl_run(vcpu.thread, vcpu)
        yield from k.kvm_vcpu_block(vcpu.thread, vcpu)
        log.append((f"{name} on {vcpu.thread.cpu}", now(driver)))

    driver.spawn(vcpu.thread, path())
    return vcpu


def wake_by_msi(driver: TimedDriver, *vcpus: Vcpu) -> None:
    """Send an MSI to each at `LONG` and go on to the end."""
    for vcpu in vcpus:
        at(driver, LONG, driver.k.kvm_riscv_vcpu_aia_imsic_inject(vcpu))
    driver.env.run()


def test_a_blocked_vcpu_is_woken_by_the_sgei_of_its_line() -> None:
    driver = machine(2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    driver.env.run(LONG)
    assert (vcpu.vsfile_cpu, vcpu.vsfile_hgei, vcpu.wait.waiter) == (0, 1, 1)
    assert driver.k.hart[0].hgeie == 0b10, "it has armed its line"
    wake_by_msi(driver, vcpu)
    assert log == [("v on 0", LONG + HANDLER + WAKE + SWITCH + AFTER)]
    assert driver.k.hart[0].hgeie == 0, "the line is disarmed"


def test_a_vcpu_on_a_sw_file_is_woken_by_the_msi_itself() -> None:
    driver = machine(0)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    wake_by_msi(driver, vcpu)
    assert log == [("v on 0", LONG + WAKE + SWITCH + FIND)]
    assert vcpu.vsfile_cpu == -1


def test_an_msi_that_comes_before_the_sleep_prevents_it() -> None:
    driver = machine(2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    in_guest = SWITCH + FIND + SWEEP + GUEST_ENTRY + 10
    at(driver, in_guest, driver.k.kvm_riscv_vcpu_aia_imsic_inject(vcpu))
    driver.env.run()
    left_guest = SWITCH + FIND + SWEEP + GUEST_ENTRY + RUN
    ((_, woke),) = log
    assert woke == left_guest + FIND + (HANDLER + WAKE) + AFTER, "no switch: it never slept"


def test_a_woken_vcpu_queues_behind_the_task_that_runs() -> None:
    driver = machine(2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    at_once = 10 * SWITCH
    driver.env.run(LONG - SWITCH - 100)
    start(driver, "t", 0, busy_for(driver, at_once))
    wake_by_msi(driver, vcpu)
    end_of_task = (LONG - SWITCH - 100) + SWITCH + at_once + (HANDLER + WAKE)
    assert log == [("v on 0", end_of_task + SWITCH + AFTER)]


def test_two_woken_by_one_handler_run_after_it() -> None:
    driver = machine(2)
    driver.costs.by_name["wake_up"] = lambda: 4 * SWITCH
    log: Log = []
    both = [blocking(driver, name, 0, log) for name in ("v", "w")]
    wake_by_msi(driver, *both)
    handled = LONG + HANDLER + 2 * (4 * SWITCH)
    assert log == [
        ("v on 0", handled + SWITCH + AFTER),
        ("w on 0", handled + 2 * (SWITCH + AFTER)),
    ]


def test_a_handler_takes_its_time_from_a_context_switch() -> None:
    driver = machine(2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    wake_by_msi(driver, vcpu)
    before = now(driver)
    start(driver, "t", 0, told(driver, log))
    at(driver, before + 5, sgei_of(driver))
    driver.env.run()
    assert log[-1] == ("told", before + SWITCH + HANDLER + WAKE)


def told(driver: TimedDriver, log: Log) -> Path[None]:
    log.append(("told", now(driver)))
    yield SCHEDULE


def sgei_of(driver: TimedDriver) -> Path[None]:
    hart = driver.k.hart[0]
    hart.hgeip = hart.hgeie = 0b10
    yield hart.sgei


def test_the_balancer_leaves_a_sleeper_where_it_is() -> None:
    driver = machine(2, 2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    driver.env.run(LONG - 1)
    driver.scheduler.move(vcpu.thread, 1)
    driver.env.run(LONG)
    assert vcpu.thread.cpu == 0
    wake_by_msi(driver, vcpu)
    assert [what for what, _ in log] == ["v on 0"]


def test_the_balancer_leaves_a_running_vcpu_where_it_is_until_it_queues_again() -> None:
    driver = machine(2, 2)
    vcpu = guest(driver, "v", 0, RUN)
    seen: list[int] = []

    def path() -> Path[None]:
        yield from driver.k.kvm_arch_vcpu_ioctl_run(vcpu.thread, vcpu)
        seen.append(vcpu.thread.cpu)
        yield SCHEDULE
        seen.append(vcpu.thread.cpu)
        yield from driver.k.kvm_arch_vcpu_ioctl_run(vcpu.thread, vcpu)
        seen.append(vcpu.vsfile_cpu)

    driver.spawn(vcpu.thread, path())
    driver.env.run(SWITCH + FIND + GUEST_ENTRY + 10)
    driver.scheduler.move(vcpu.thread, 1)
    driver.env.run()
    assert seen == [0, 1, 1]
    assert driver.k.hgei[0].free_bitmap == 0b110, "the line it left is free again"


def test_a_move_to_a_hart_that_went_away_ends_on_one_that_is_there() -> None:
    driver = machine(2, 2, 2)
    vcpu = guest(driver, "v", 0, RUN)
    driver.spawn(vcpu.thread, yielding())
    driver.scheduler.move(vcpu.thread, 1)
    driver.k.hart[1].active = 0
    driver.env.run()
    assert vcpu.thread.cpu == 0, "the least loaded, the lowest of equals"


def yielding() -> Path[None]:
    yield SCHEDULE


def test_one_hart_runs_one_task_at_a_time() -> None:
    driver = machine(2, 2)
    log: Log = []
    for name in ("a", "b"):
        start(driver, name, 0, logged(driver, name, log))
    start(driver, "c", 1, logged(driver, "c", log))
    driver.env.run()
    assert sorted(log, key=lambda entry: (entry[1], entry[0])) == [
        ("a", SWITCH + RUN),
        ("c", SWITCH + RUN),
        ("b", 2 * (SWITCH + RUN)),
    ]


def logged(driver: TimedDriver, name: str, log: Log) -> Path[None]:
    yield from busy_for(driver, RUN)
    log.append((name, now(driver)))
