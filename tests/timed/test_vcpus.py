"""vCPUs in simulated time: how long a wake-up takes, where it happens, and which vCPU moves."""

from __future__ import annotations

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.ops import Path
from hgeisim.runs.timeline import ALLOC, FAIL
from tests.support.timed_machine import (
    ENTRY,
    FIND,
    FIRST_ENTRY,
    HANDLER,
    LOCK,
    SWITCH,
    WAKE,
    WAKING,
    Log,
    at,
    busy_for,
    guest,
    injects,
    machine,
    now,
    raises,
    simulation,
    start,
    stores,
)

RUN = 70_000
LONG = 100 * SWITCH
"""A time at which everybody has long been asleep."""
AFTER = 2 * FIND
"""From waking up to leaving kvm_vcpu_block: is something pending, and disarm the line."""
WOKEN = HANDLER + WAKING + SWITCH + AFTER
"""From an SGEI to leaving kvm_vcpu_block."""


def blocking(driver: TimedDriver, name: str, cpu: int, log: Log) -> Vcpu:
    """A vCPU that runs once and then waits for an interrupt; `log` has when and where it woke."""
    vcpu = guest(driver, name, cpu, RUN)
    k, thread = driver.k, vcpu.thread

    def path() -> Path[None]:
        yield from k.kvm_vcpu_ioctl_begin(thread, vcpu)
        yield from k.vcpu_enter_guest(thread, vcpu)
        yield from k.kvm_vcpu_block(thread, vcpu)
        log.append((f"{name} on {thread.cpu}", now(driver)))

    driver.spawn(thread, path())
    return vcpu


def test_a_blocked_vcpu_is_woken_by_the_sgei_of_its_line() -> None:
    driver = machine(2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    driver.env.run(LONG)
    assert (vcpu.vsfile_cpu, vcpu.vsfile_hgei, vcpu.wait.waiter) == (0, 1, 1)
    assert driver.k.hart[0].hgeie == 0b10, "it has armed its line"
    at(driver, LONG, stores(driver, vcpu))
    driver.env.run()
    assert log == [("v on 0", LONG + WOKEN)]
    assert driver.k.hart[0].hgeie == 0, "the line is disarmed"


def test_a_vcpu_on_a_sw_file_is_woken_by_the_injection_itself() -> None:
    driver = machine(0, 1)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    driver.env.run(LONG)
    assert vcpu.vsfile_cpu == -1
    at(driver, LONG, injects(driver, 1, vcpu))
    driver.env.run()
    runnable = LONG + ENTRY + 4 * LOCK + WAKE  # within vsfile_lock, extirq, pi and rq locks
    assert log == [("v on 0", runnable + SWITCH + FIND)], "irqs_pending says so immediately"


def test_an_msi_that_comes_before_the_sleep_prevents_it() -> None:
    driver = machine(2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    left_guest = SWITCH + FIRST_ENTRY + RUN
    at(driver, left_guest - 10, stores(driver, vcpu))
    driver.env.run()
    ((_, woke),) = log
    assert woke == left_guest + FIND + HANDLER + AFTER, "armed, handled immediately, never slept"


def test_a_woken_vcpu_that_is_not_far_behind_waits_for_the_task_that_runs() -> None:
    driver = machine(2)
    log: Log = []
    vcpu = blocking(driver, "v", 0, log)
    driver.env.run(LONG - SWITCH - 100)
    task = start(driver, "t", 0, busy_for(driver, 10 * SWITCH))
    driver.scheduler.runtime_ns[task] = driver.scheduler.runtime_ns[vcpu.thread] - 2 * SWITCH
    driver.env.run(LONG)
    at(driver, LONG, stores(driver, vcpu))
    driver.env.run()
    end_of_task = LONG - 100 + 10 * SWITCH + HANDLER + WAKING
    assert log == [("v on 0", end_of_task + SWITCH + AFTER)]


def test_two_woken_by_one_handler_run_after_it() -> None:
    driver = machine(2)
    log: Log = []
    both = [blocking(driver, name, 0, log) for name in ("v", "w")]
    driver.env.run(LONG)
    for vcpu in both:
        driver.k.hart[0].write_msi(vcpu.vsfile_hgei, 1)
    driver.interrupts.poll(driver.cores[0])
    driver.env.run()
    handled = LONG + HANDLER + 2 * WAKING
    first, second = handled + SWITCH + AFTER, handled + 2 * (SWITCH + AFTER)
    assert log == [("v on 0", first), ("w on 0", second)]


def test_a_woken_task_runs_on_its_last_hart_if_that_is_idle() -> None:
    driver = machine(2, 2)
    log: Log = []
    vcpu = blocking(driver, "v", 1, log)
    driver.env.run(LONG)
    at(driver, LONG, stores(driver, vcpu))
    driver.env.run()
    assert log == [("v on 1", LONG + WOKEN)]


def test_a_woken_task_runs_on_an_idle_hart_when_its_last_one_is_not() -> None:
    driver = machine(2, 2, 2, variant="v6.18")
    log: Log = []
    vcpu = blocking(driver, "v", 1, log)
    driver.env.run(LONG - 2 * SWITCH)
    for cpu in (0, 1):
        start(driver, f"t{cpu}", cpu, busy_for(driver, 50 * SWITCH))
    driver.env.run(LONG)
    at(driver, LONG, stores(driver, vcpu))
    driver.env.run()
    assert [what for what, _ in log] == ["v on 2"]


def test_a_handler_takes_its_time_from_a_context_switch() -> None:
    driver = machine(2)
    log: Log = []
    start(driver, "t", 0, logged(driver, log))
    at(driver, 5, raises(driver, 0, 1))
    driver.env.run()
    assert log == [("logged", SWITCH + HANDLER)]


def logged(driver: TimedDriver, log: Log) -> Path[None]:
    yield from busy_for(driver, 0)
    log.append(("logged", now(driver)))


def test_emul_mode_uses_no_line() -> None:
    times = {"distribution": "constant", "value": "300us"}
    for mode, lines in (("emul", 0), ("auto", 2)):
        sim = simulation(
            machine={"harts": [{"guest_files": 2}]},
            timing={"context_switch": "2us"},
            vm=[{"name": "vm", "vcpus": 3, "mode": mode, "run": times, "msi": times}],
        )
        sim.run(20_000_000)
        kinds = sim.timeline.event_kind
        assert (kinds.count(ALLOC), kinds.count(FAIL) > 0) == (lines, lines > 0)
        assert sim.timeline.busy_at == [lines]


def test_virtualization_is_enabled_by_the_first_vm_when_it_was_not_at_load() -> None:
    times = {"distribution": "constant", "value": "300us"}
    sim = simulation(
        machine={"harts": [{"count": 3, "guest_files": 2}]},
        kernel={"enable_virt_at_load": False},
        timing={"context_switch": "2us"},
        vm=[
            {"name": name, "vcpus": 2, "arrives": at, "destroyed": gone, "run": times, "msi": times}
            for name, at, gone in (("a", "1ms", "5ms"), ("b", "2ms", "9ms"))
        ],
    )
    enabled = []
    for ms in (1, 3, 7, 40):
        sim.run(ms * 1_000_000)
        enabled.append([cpu.virtualization_enabled for cpu in sim.k.per_cpu])
    assert enabled == [[0, 0, 0], [1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert sim.k.globals.kvm_usage_count == 0
    assert not [t for t in sim.driver.scheduler.bound if t.name.startswith("monitor")]
    assert not [t for t in sim.k.threads if t.name.startswith(("monitor", "vcpu"))], "long gone"
