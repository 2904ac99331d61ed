"""IPIs in simulated time: they take time, wait for a deaf HART, and a sender waits for all."""

from __future__ import annotations

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Path
from tests.support.timed_machine import (
    AGAIN,
    ENTERED,
    ENTRY,
    FIND,
    HANDLER,
    IPI,
    LOCK,
    SEND,
    STRETCH,
    SWEEP,
    SWITCH,
    UNLOCK,
    Log,
    at,
    critical_section,
    machine,
    now,
    raises,
    run_once,
    simulation,
    start,
    work,
)


def send(driver: TimedDriver, target: int, log: Log, cpu: int = 0, before: int = 0) -> Thread:
    """A task on a HART that reads a VS-file of another HART by IPI."""
    k = driver.k
    sender = k.add_thread(f"sender/{cpu}", cpu)
    vcpu = k.add_vcpu(f"of/{cpu}", cpu, k.add_vm(f"of/{cpu}"))

    def path() -> Path[None]:
        yield work(driver, before)
        log.append(("sends", now(driver)))
        yield from k.imsic_vsfile_read(sender, vcpu, target, 1)
        log.append(("goes on", now(driver)))

    driver.spawn(sender, path())
    return sender


def test_a_sender_waits_for_ipi_entry_and_handler() -> None:
    driver = machine(1, 1)
    log: Log = []
    send(driver, 1, log)
    driver.env.run()
    assert log == [("sends", SWITCH), ("goes on", SWITCH + IPI + ENTRY + SWEEP)]


def test_an_ipi_takes_its_handler_from_the_guest_of_its_target() -> None:
    driver = machine(1, 1)
    log: Log = []
    driver.costs.by_name["ipi"] = lambda: ENTERED - SWITCH + 100
    run_once(driver, 1, log)
    send(driver, 1, [])
    driver.env.run()
    assert log == [("v1", ENTERED + STRETCH + ENTRY + SWEEP + AGAIN)]


def test_an_ipi_to_a_deaf_hart_waits_for_it() -> None:
    driver = machine(1, 1)
    log: Log = []
    lock = driver.k.hgei[1].lock
    start(driver, "t1", 1, critical_section(driver, lock, ("t1", 0, 3 * IPI), []))
    send(driver, 1, log)
    driver.env.run()
    assert log[-1] == ("goes on", SWITCH + LOCK + 3 * IPI + UNLOCK + ENTRY + SWEEP)


def test_an_ipi_to_the_own_hart_is_a_call() -> None:
    driver = machine(1)
    log: Log = []
    send(driver, 0, log)
    driver.env.run()
    assert log[-1] == ("goes on", SWITCH + SWEEP)


def test_an_ipi_to_the_own_hart_from_a_hardirq_is_a_call_within_it() -> None:
    driver = machine(1)
    k = driver.k
    runner = driver.interrupts.runner[0]
    vcpu = k.add_vcpu("v", 0, k.add_vm("v"))
    at(driver, 50, lambda: driver.interrupt(0, lambda _: k.imsic_vsfile_read(runner, vcpu, 0, 1)))
    driver.env.run()
    assert now(driver) == 50 + ENTRY + SWEEP
    assert (k.hart[0].hardirq, runner.ipi_wait) == (0, 0)


def test_a_host_that_shuts_down_takes_every_line_away() -> None:
    """aia_disable runs as a hardirq on each HART and sends IPIs to that same HART."""
    sim = simulation(
        machine={"harts": [{"count": 3, "guest_files": 1}]},
        vcpu=[{"name": f"v{hart}", "hart": hart} for hart in range(3)],
        task=[{"name": "reboot", "hart": 0, "does": ["shutdown"]}],
    )
    sim.run(10 * SWITCH)
    assert [vcpu.vsfile_cpu for vcpu in sim.boot.vcpus.values()] == [-1] * 3
    assert [cpu.virtualization_enabled for cpu in sim.k.per_cpu] == [0] * 3
    assert sim.driver.wait_queues.parked == {}


def test_two_ipis_to_one_hart_are_handled_one_after_the_other() -> None:
    driver = machine(1, 1, 1)
    first: Log = []
    second: Log = []
    send(driver, 1, first)
    send(driver, 1, second, cpu=2, before=1)
    driver.env.run()
    assert first[-1] == ("goes on", SWITCH + IPI + ENTRY + SWEEP)
    assert second[-1] == ("goes on", SWITCH + IPI + 2 * (ENTRY + SWEEP))


def test_an_ipi_to_an_offline_hart_costs_no_wait() -> None:
    driver = machine(1, 1)
    driver.k.hart[1].online = 0
    driver.k.hart[1].eip[1] = 0b10
    log: Log = []
    send(driver, 1, log)
    driver.env.run()
    assert log == [("sends", SWITCH), ("goes on", SWITCH)]
    assert driver.k.hart[1].eip[1] == 0b10, "nobody has read the file"


def test_a_sender_goes_on_only_when_its_own_hart_has_left_its_handler() -> None:
    driver = machine(3, 1)
    log: Log = []
    send(driver, 1, log)
    answer = SWITCH + IPI + ENTRY + SWEEP
    at(driver, answer - 5, raises(driver, 0, 2))
    driver.env.run()
    assert log[-1] == ("goes on", answer - 5 + HANDLER)


def to_many(driver: TimedDriver, mask: int, log: Log) -> None:
    """A task on HART 0 sends an IPI with an empty handler to the HARTs of a mask."""
    sender, ipi = driver.k.add_thread("sender", 0), Ipi(driver.k.ack_flush)

    def path() -> Path[None]:
        yield work(driver, 0)
        sender.ipi_mask = mask
        yield ipi
        log.append(("goes on", now(driver) - SWITCH))

    driver.spawn(sender, path())


@pytest.mark.parametrize(
    ("mask", "takes"), [(0b0010, IPI), (0b1110, IPI), (0b0001, 0), (0, -ENTRY)]
)
def test_ipis_to_several_harts_leave_at_the_same_time(mask: int, takes: int) -> None:
    driver = machine(1, 1, 1, 1)
    log: Log = []
    to_many(driver, mask, log)
    driver.env.run()
    assert log == [("goes on", takes + ENTRY)]


def test_the_sender_to_several_harts_waits_for_the_slowest() -> None:
    driver = machine(1, 1, 1)
    log: Log = []
    lock = driver.k.hgei[2].lock
    start(driver, "deaf", 2, critical_section(driver, lock, ("deaf", 0, 7 * IPI), []))
    to_many(driver, 0b110, log)
    driver.env.run()
    assert log == [("goes on", LOCK + 7 * IPI + UNLOCK + ENTRY)]


def test_a_reschedule_ipi_is_sent_and_forgotten() -> None:
    driver = machine(1, 1)
    log: Log = []
    k = driver.k

    def path() -> Path[None]:
        yield k.reschedule[1]
        log.append(("goes on", now(driver)))

    start(driver, "sender", 0, path())
    driver.env.run()
    assert log == [("goes on", SWITCH + SEND)]
    assert now(driver) == SWITCH + SEND + IPI + ENTRY, "a handler that does nothing"


def test_a_reschedule_ipi_makes_a_guest_exit_and_several_are_one() -> None:
    driver = machine(1, 1)
    log: Log = []
    run_once(driver, 1, log)
    driver.costs.by_name["ipi"] = lambda: ENTERED - SWITCH

    def path() -> Path[None]:
        yield driver.k.reschedule[1]
        yield driver.k.reschedule[1]

    start(driver, "sender", 0, path())
    driver.env.run()
    assert log == [("v1", ENTERED + STRETCH + ENTRY + AGAIN)]


def test_a_reschedule_ipi_to_an_offline_hart_is_lost() -> None:
    driver = machine(1, 1)
    driver.k.hart[1].online = 0

    def path() -> Path[None]:
        yield driver.k.reschedule[1]

    start(driver, "sender", 0, path())
    driver.env.run()
    assert driver.cores[1].stolen_ns == 0


def test_a_request_waits_for_each_guest_that_runs_to_exit() -> None:
    """A fence for a VM: its vCPU in the guest is interrupted, its sleeping one is not."""
    driver = machine(2, 2)
    log: Log = []
    vcpu = run_once(driver, 1, log)
    k = driver.k
    asker = k.add_thread("asker", 0)
    request: Log = []

    def path() -> Path[None]:
        yield work(driver, ENTERED - SWITCH + 100)
        request.append(("asks", now(driver)))
        yield from k.kvm_make_vcpus_request_mask(asker, vcpu.vm, 1)
        request.append(("has it", now(driver)))

    driver.costs.by_name["ipi"] = lambda: 300
    driver.spawn(asker, path())
    driver.env.run()
    assert request == [("asks", ENTERED + 100), ("has it", ENTERED + 100 + 300 + ENTRY)]
    assert log == [("v1", ENTERED + STRETCH + ENTRY + AGAIN + FIND)], "and it does the fence"
