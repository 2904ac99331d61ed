"""Where tasks run: what a task without a HART waits for, and what waits for whole HARTs."""

from __future__ import annotations

import pytest

from hgeisim.kernel.structs import Thread
from hgeisim.machine.ops import BOUNDARY, STEP, Op, Spend
from hgeisim.machine.schedule import STOP_MACHINE, TASK_INTERRUPTIBLE, TASK_RUNNING, PushOff, RunOn
from tests.support import kernels


def task(harts: int = 2) -> Thread:
    """A task on HART 0, and its machine."""
    return kernels.unbooted(kernels.V6_12, [0] * harts).add_thread("t", 0)


@pytest.mark.parametrize(
    ("on_rq", "allowed", "active", "ready"),
    [(1, 0, 0, True), (0, 0, 1, False), (1, 2, 1, True), (1, 2, 0, False), (0, 2, 1, False)],
)
def test_a_task_goes_on_when_it_is_runnable_and_its_hart_takes_tasks(
    on_rq: int, allowed: int, active: int, ready: bool
) -> None:
    t = task()
    t.on_rq, t.allowed, t.harts[1].active = on_rq, allowed, active
    assert t.schedule.ready(t) is ready


def test_going_on_means_being_executed() -> None:
    t = task()
    t.on_cpu = 0
    t.schedule.end(t)
    assert t.on_cpu == 1


def test_a_waker_waits_until_the_task_is_off_its_cpu() -> None:
    t = task()
    assert not t.wait_off_cpu.ready(t)
    t.on_cpu = 0
    assert t.wait_off_cpu.ready(t)


def test_activate_makes_it_runnable_and_running() -> None:
    t = task()
    t.on_rq, t.state = 0, TASK_INTERRUPTIBLE
    t.activate.end(t)
    assert (t.on_rq, t.state) == (1, TASK_RUNNING)


def test_run_on_needs_no_active_hart() -> None:
    t = task()
    t.harts[1].active = 0
    op = RunOn(1)
    assert (op.ready(t), op.voluntary) == (True, True)
    op.end(t)
    assert t.cpu == 1


def test_who_decides_where_a_task_runs_is_the_driver() -> None:
    t = task()
    assert [op.scheduling for op in (t.schedule, t.select_rq, PushOff(0))] == [True] * 3
    others: list[Op] = [t.activate, t.wait_off_cpu, STOP_MACHINE, RunOn(0), STEP]
    assert not any(op.scheduling for op in others)


def test_who_gives_the_hart_up() -> None:
    t = task()
    giving: list[Op] = [t.schedule, PushOff(0), STOP_MACHINE, RunOn(0)]
    keeping: list[Op] = [t.activate, t.wait_off_cpu, t.select_rq, STEP, Spend("halt_poll")]
    assert all(op.voluntary for op in giving)
    assert not any(op.voluntary for op in keeping)
    assert {op.mover(t) for op in (*giving, *keeping)} == {BOUNDARY}


def test_stop_machine_waits_for_all_online_harts_the_push_for_one() -> None:
    t = task(3)
    t.harts[2].preempt_count = 1
    assert not STOP_MACHINE.ready(t)
    assert [PushOff(cpu).ready(t) for cpu in range(3)] == [True, True, False]
    t.harts[2].online = 0
    assert STOP_MACHINE.ready(t)


def test_operations_say_what_they_are() -> None:
    t = task()
    assert [str(op) for op in (t.schedule, t.wait_off_cpu, t.select_rq, t.activate)] == [
        "schedule",
        "wait until t is off its cpu",
        "select_task_rq t",
        "wake t",
    ]
    assert [str(op) for op in (RunOn(1), PushOff(0), STOP_MACHINE, Spend("work", "a"))] == [
        "cpuhp/1 goes on",
        "push tasks off hart0",
        "stop_machine",
        "work a",
    ]
