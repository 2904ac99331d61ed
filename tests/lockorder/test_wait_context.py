"""Wait contexts: who may wait how long, and where."""

from __future__ import annotations

from hgeisim.lockorder.graph.lock_class import KINDS, Lock
from hgeisim.lockorder.rules.validator import Validator
from tests.lockorder.test_programs import kinds, rules, run

REALTIME = {"preempt_rt": True}

WAITS = [
    ("mutex in spinlock", "A:spinlock M:mutex", ["lock A, lock M"], ["wait-context"]),
    ("spinlock in raw_spinlock", "A:raw_spinlock M:spinlock", ["lock A, lock M"], ["wait-context"]),
    ("raw_spinlock in spinlock", "A:spinlock M:raw_spinlock", ["lock A, lock M"], []),
    ("spinlock in mutex", "A:mutex M:spinlock", ["lock A, lock M"], []),
    ("a trylock is not tested", "A:spinlock M:mutex", ["lock A, trylock M"], []),
    (
        "the strictest counts",
        "A:spinlock M:mutex N:mutex",
        ["lock A, trylock M, lock N"],
        ["wait-context"],
    ),
    (
        "a trylock counts once it is held",
        "A:spinlock M:mutex",
        ["trylock A, lock M"],
        ["wait-context"],
    ),
    (
        "spinlock in a hardirq",
        "A:spinlock",
        ["irq_disable, hardirq_enter, lock A"],
        ["wait-context"],
    ),
    (
        "spinlock in a threaded hardirq",
        "A:spinlock",
        ["irq_disable, hardirq_enter threaded=true, lock A"],
        [],
    ),
    (
        "a hardirq inside a threaded one",
        "A:spinlock",
        ["irq_disable, hardirq_enter threaded=true, hardirq_enter, lock A"],
        ["wait-context"],
    ),
    (
        "back in the threaded one",
        "A:spinlock",
        ["irq_disable, hardirq_enter threaded=true, hardirq_enter, hardirq_exit, lock A"],
        [],
    ),
    (
        "back in one that is not threaded",
        "A:spinlock",
        [
            "irq_disable, hardirq_enter, hardirq_enter threaded=true, hardirq_exit, lock A",
        ],
        ["wait-context"],
    ),
    (
        "a softirq inside a threaded hardirq",
        "A:spinlock",
        ["irq_disable, hardirq_enter threaded=true, softirq_enter, lock A"],
        [],
    ),
    (
        "mutex in a threaded hardirq",
        "A:mutex",
        ["irq_disable, hardirq_enter threaded=true, lock A"],
        ["wait-context"],
    ),
    ("spinlock in a softirq", "A:spinlock", ["bh_disable, softirq_enter, lock A"], []),
    ("mutex in a softirq", "A:mutex", ["bh_disable, softirq_enter, lock A"], ["wait-context"]),
    (
        "what an interrupt came over does not count",
        "R:raw_spinlock A:spinlock",
        ["irq_disable, lock R, hardirq_enter threaded=true, lock A"],
        [],
    ),
    ("mutex with hardirqs off", "A:mutex", ["irq_disable, lock A"], ["wait-context"]),
    ("mutex with BH off", "A:mutex", ["bh_disable, lock A"], ["wait-context"]),
    ("mutex with BH on again", "A:mutex", ["bh_disable, bh_enable, lock A"], []),
    ("spinlock with hardirqs off", "A:spinlock", ["irq_disable, lock A"], []),
    ("mutex in RCU", "A:mutex", ["rcu_read_lock, lock A"], ["wait-context"]),
    ("spinlock in RCU", "A:spinlock", ["rcu_read_lock, lock A"], []),
    ("spinlock in sched RCU", "A:spinlock", ["rcu_read_lock_sched, lock A"], ["wait-context"]),
    ("mutex after RCU", "A:mutex", ["rcu_read_lock, rcu_read_unlock, lock A"], []),
    ("mutex after BH RCU", "A:mutex", ["rcu_read_lock_bh, rcu_read_unlock_bh, lock A"], []),
    ("RCU in raw_spinlock", "A:raw_spinlock", ["lock A, rcu_read_lock, rcu_read_lock_bh"], []),
    (
        "RCU does not loosen",
        "A:raw_spinlock B:spinlock",
        ["lock A, rcu_read_lock, lock B"],
        ["wait-context"],
    ),
    ("srcu in raw_spinlock", "A:raw_spinlock S:srcu", ["lock A, read_lock S"], []),
    ("mutex in srcu", "A:mutex S:srcu", ["read_lock S, lock A"], []),
    (
        "local_lock in raw_spinlock",
        "A:raw_spinlock L:local_lock",
        ["lock A, lock L"],
        ["wait-context"],
    ),
    (
        "not validated, but tested",
        "A:spinlock M:mutex_novalidate",
        ["lock A, lock M"],
        ["wait-context"],
    ),
    (
        "an override loosens",
        "A:raw_spinlock O:wait_override_config B:spinlock",
        ["lock A, trylock O, lock B"],
        [],
    ),
    (
        "an override tightens",
        "A:mutex O:wait_override_config B:mutex",
        ["lock A, trylock O, lock B"],
        ["wait-context"],
    ),
    ("waiting for an event", "A:spinlock", ["lock A, wait E"], ["wait-context"]),
    ("waiting for an event in a mutex", "A:mutex", ["lock A, wait E"], []),
    ("waiting for readers", "A:spinlock S:srcu", ["lock A, sync S"], ["wait-context"]),
    (
        "an allocation that reclaims",
        "A:spinlock",
        ["lock A, might_alloc GFP_KERNEL"],
        ["wait-context"],
    ),
    ("an allocation that does not", "A:spinlock", ["lock A, might_alloc GFP_ATOMIC"], []),
]


@rules(WAITS)
def test_wait(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected


def test_raw_nesting_may_be_off() -> None:
    config = {"prove_raw_lock_nesting": False}
    assert kinds("R:raw_spinlock A:spinlock", "lock R, lock A", config=config) == []
    assert kinds("R:raw_spinlock A:mutex", "lock R, lock A", config=config) == ["wait-context"]


def test_on_preempt_rt_a_threaded_handler_may_sleep_on_a_spinlock() -> None:
    program = "A:spinlock", "irq_disable, hardirq_enter threaded=true, lock A"
    assert kinds(*program, config=REALTIME) == []


def test_on_preempt_rt_a_spinlock_sleeps() -> None:
    program = "A:spinlock R:raw_spinlock", "irq_disable, lock R, unlock R, lock A"
    assert kinds(*program) == []
    assert kinds(*program, config=REALTIME) == ["wait-context"]


def test_a_mask_is_reported_with_each_place() -> None:
    validator, lock = Validator(), Lock("M", KINDS["mutex"])
    task = validator.context("task")
    validator.irq_disable(task)
    for place in ("one", "other", "one"):
        task.stack = (place,)
        validator.acquire(task, lock)
        validator.release(task, lock)
    assert [report.about[1:] for report in validator.reports] == [
        ("hardirqs off", "in one"),
        ("hardirqs off", "in other"),
    ]


def test_a_lock_that_masks_is_named_and_not_its_mask() -> None:
    program = "A:spinlock M:mutex", "irq_disable, lock A, lock M"
    (report,) = run(*program)
    assert report.about == ("M", "A")
    (report,) = run("A:raw_spinlock S:spinlock", "irq_disable, lock A, lock S", config=REALTIME)
    assert report.about == ("S", "A")
