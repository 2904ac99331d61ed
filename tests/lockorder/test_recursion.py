"""A class inside itself: what is wrong, and what annotations make right."""

from __future__ import annotations

import pytest

from tests.lockorder.test_programs import MAPS, kinds, rules

RECURSION = [
    ("twice", MAPS, ["lock A, lock A"], ["recursion"]),
    ("two instances", "X1:mutex:X X2:mutex:X", ["lock X1, lock X2"], ["recursion"]),
    ("readers", "A:srcu", ["read_lock A, read_lock A"], []),
    ("readers that queue", "A:rwsem", ["read_lock A, read_lock A"], ["recursion"]),
    ("a recursive reader inside a writer", MAPS, ["lock A, read_lock A"], ["recursion"]),
    ("a writer inside a reader", MAPS, ["read_lock A, lock A"], ["recursion"]),
    ("not for trylock", MAPS, ["lock A, trylock A"], []),
    ("not for what is not validated", "A:mutex_novalidate", ["lock A, lock A"], []),
    (
        "across interrupts",
        "A:raw_spinlock",
        ["irq_disable, lock A, hardirq_enter, lock A"],
        ["recursion"],
    ),
    (
        "of all that is held",
        MAPS,
        ["lock A, lock B, lock C, lock A"],
        ["recursion", "circular", "circular"],
    ),
    ("subclass", "X1:mutex:X X2:mutex:X", ["lock X1, lock X2 subclass=1"], []),
    (
        "subclasses are classes",
        "X1:mutex:X X2:mutex:X",
        ["lock X1, lock X2 subclass=1", "lock X2 subclass=1, lock X1"],
        ["circular"],
    ),
    (
        "the same subclass",
        "X1:mutex:X X2:mutex:X",
        ["lock X1 subclass=1, lock X2 subclass=1"],
        ["recursion"],
    ),
]


@rules(RECURSION)
def test_recursion(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected


NESTS = [
    (
        "children of a parent",
        "P:mutex X1:mutex:X X2:mutex:X",
        ["lock P, lock X1 nest=P, lock X2 nest=P"],
        [],
    ),
    ("no parent", "P:mutex X1:mutex:X", ["lock X1 nest=P"], ["nest-not-held"]),
    (
        "another lock does not count as a parent",
        "P:mutex X1:mutex:X A:mutex",
        ["lock A, lock X1 nest=P"],
        ["nest-not-held"],
    ),
    ("a trylock needs it too", "P:mutex X1:mutex:X", ["trylock X1 nest=P"], ["nest-not-held"]),
    (
        "a parent that came after the first child",
        "P:mutex X1:mutex:X X2:mutex:X",
        ["lock X1, lock P, lock X2 nest=P"],
        ["recursion", "circular"],
    ),
    (
        "the same child twice",
        "P:mutex X1:mutex:X",
        ["lock P, lock X1 nest=P, lock X1 nest=P"],
        ["recursion"],
    ),
    (
        "a child without the annotation",
        "P:mutex X1:mutex:X X2:mutex:X",
        ["lock P, lock X1 nest=P, lock X2"],
        ["recursion"],
    ),
    (
        "the parent goes first",
        "P:mutex X1:mutex:X",
        ["lock P, lock X1 nest=P, unlock P"],
        ["nest-not-held"],
    ),
    (
        "another lock goes first",
        "A:mutex P:mutex X1:mutex:X",
        ["lock A, lock P, lock X1 nest=P, unlock A"],
        [],
    ),
    (
        "between two children without the annotation, after it was seen with it",
        "P:mutex L:mutex X1:mutex:X X2:mutex:X",
        [
            "lock P, lock X1 nest=P, lock L, lock X2 nest=P, "
            "unlock X2, unlock L, unlock X1, lock X1 nest=P, lock L, lock X2"
        ],
        ["recursion", "circular"],
    ),
    (
        "the order of parent and child",
        "P:mutex X1:mutex:X",
        ["lock P, lock X1 nest=P", "lock X1, lock P"],
        ["circular"],
    ),
    (
        "a lock between two children",
        "P:mutex L:mutex X1:mutex:X X2:mutex:X",
        ["lock P, lock X1 nest=P, lock L, lock X2 nest=P"],
        [],
    ),
    (
        "a lock between two children, and inside a child elsewhere",
        "P:mutex L:mutex X1:mutex:X X2:mutex:X",
        ["lock P, lock X1 nest=P, lock L, lock X2 nest=P", "lock X2, lock L"],
        ["circular"],
    ),
]


@rules(NESTS)
def test_nest_lock(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected


def test_a_read_lock_outside_interrupts_queues() -> None:
    twice = "A:rwlock", "read_lock A, read_lock A"
    assert kinds(*twice) == ["recursion"]
    assert kinds(*twice, read_lock_mode="recursive") == []


@pytest.mark.parametrize(
    "context", ["bh_disable", "softirq_enter", "irq_disable, hardirq_enter threaded=true"]
)
def test_a_read_lock_in_interrupts_does_not_queue(context: str) -> None:
    assert kinds("A:rwlock", f"{context}, read_lock A, read_lock A") == []


def test_a_read_lock_on_preempt_rt_waits_for_no_writer_that_waits() -> None:
    realtime = {"preempt_rt": True}
    assert kinds("A:rwlock", "read_lock A, read_lock A", config=realtime) == []
    assert kinds("A:rwlock", "lock A, read_lock A", config=realtime) == ["recursion"]
    assert kinds("A:rwsem", "read_lock A, read_lock A", config=realtime) == ["recursion"]


def test_a_semaphore_queues_in_every_mode() -> None:
    twice = "A:rwsem", "read_lock A, read_lock A"
    assert kinds(*twice, read_lock_mode="recursive") == ["recursion"]


@pytest.mark.slow
def test_many_locks_at_once() -> None:
    names = [f"L{number}" for number in range(48)]
    locks = " ".join(f"{name}:mutex" for name in names)
    assert kinds(locks, ", ".join(f"lock {name}" for name in names[:47])) == []
    assert kinds(locks, ", ".join(f"lock {name}" for name in names)) == ["limit"]


def test_nested_locks_count_once() -> None:
    names = [f"X{number}" for number in range(60)]
    locks = " ".join(["P:mutex", *(f"{name}:mutex:X" for name in names)])
    nested = ", ".join(f"lock {name} nest=P" for name in names)
    assert kinds(locks, f"lock P, {nested}") == []
