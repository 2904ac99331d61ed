"""Actions that are forbidden to a lock, held or not."""

from __future__ import annotations

from tests.lockorder.test_programs import MAPS, SPINS, kinds, rules

LIFE = [
    ("unlock twice", MAPS, ["lock A, unlock A, unlock A"], ["bad-unlock"]),
    ("unlock another", MAPS, ["lock A, unlock B"], ["bad-unlock"]),
    ("unlock in any order", MAPS, ["lock A, lock B, lock C, unlock A, unlock C, unlock B"], []),
    ("unlock one of two", "X1:srcu:X X2:srcu:X", ["read_lock X1, read_unlock X2"], ["bad-unlock"]),
    (
        "unlock below an interrupt",
        SPINS,
        ["irq_disable, lock A, hardirq_enter threaded=true, lock B, unlock A"],
        ["bad-unlock"],
    ),
    (
        "unlock right below an interrupt",
        SPINS,
        ["irq_disable, lock A, hardirq_enter threaded=true, unlock A"],
        [],
    ),
    ("reader unlocked as writer", "A:rwsem", ["read_lock A, unlock A"], ["bad-unlock-mode"]),
    ("writer unlocked as reader", "A:rwsem", ["lock A, read_unlock A"], ["bad-unlock-mode"]),
    (
        "unlocked in the wrong mode is unlocked",
        "A:rwsem",
        ["lock A, read_unlock A, unlock A"],
        ["bad-unlock-mode", "bad-unlock"],
    ),
    ("pinned", MAPS, ["lock A, pin A, unlock A"], ["pinned-unlock"]),
    ("unpinned", MAPS, ["lock A, pin A, unpin A, unlock A"], []),
    ("pinned twice", MAPS, ["lock A, pin A, pin A, unpin A, unlock A"], ["pinned-unlock"]),
    (
        "pinned stays pinned when one below goes",
        MAPS,
        ["lock A, lock B, pin B, unlock A, unlock B"],
        ["pinned-unlock"],
    ),
    ("pin what is not held", MAPS, ["pin A"], ["bad-pin"]),
    ("unpin what is not pinned", MAPS, ["lock A, unpin A"], ["bad-pin"]),
    ("downgrade", "A:rwsem", ["lock A, downgrade A, read_unlock A"], []),
    ("downgrade a reader", "A:rwsem", ["read_lock A, downgrade A"], ["bad-downgrade"]),
    ("downgrade what is not held", "A:rwsem", ["downgrade A"], ["bad-unlock"]),
    (
        "downgraded, a reader may come in",
        "A:rwlock",
        ["irq_disable, softirq_enter, lock A, downgrade A, read_lock A"],
        [],
    ),
    (
        "downgraded below another",
        "A:rwsem B:mutex",
        ["lock A, lock B, downgrade A, unlock B, read_unlock A"],
        [],
    ),
    ("init while held", MAPS, ["lock A, init A"], ["held-init"]),
    ("init while another holds it", MAPS, ["lock A", "init A"], ["held-init"]),
    ("init of a free lock", MAPS, ["lock A, unlock A, init A", "init A"], []),
    ("free while held", MAPS, ["lock A, free A"], ["held-free"]),
    ("free while another holds it", MAPS, ["lock A", "free A"], ["held-free"]),
    ("exit with a lock", MAPS, ["lock A, task_exit"], ["held-at-exit"]),
    ("exit without", MAPS, ["lock A, unlock A, task_exit, return_to_user"], []),
    ("to user space with a lock", MAPS, ["lock A, return_to_user"], ["held-at-exit"]),
    ("asserted", MAPS, ["lock A, lock B, assert_held A, assert_not_held C"], []),
    ("asserted in vain", MAPS, ["assert_held A"], ["assert-held"]),
    ("not expected", MAPS, ["lock A, assert_not_held A"], ["assert-not-held"]),
    ("hardirqs on in a hardirq", MAPS, ["irq_disable, hardirq_enter, irq_enable"], ["irq-state"]),
    ("hardirqs on in a softirq", MAPS, ["irq_disable, softirq_enter, irq_enable"], []),
    ("hardirqs on again", MAPS, ["hardirq_enter, irq_enable"], []),
    ("BH on too often", MAPS, ["bh_enable"], ["irq-state"]),
    ("out of no handler", MAPS, ["hardirq_exit"], ["irq-state"]),
    ("out of the wrong handler", MAPS, ["softirq_enter, hardirq_exit"], ["irq-state"]),
    ("the last subclass", MAPS, ["lock A subclass=7"], []),
    ("no such subclass", MAPS, ["lock A subclass=8"], ["limit"]),
]


@rules(LIFE)
def test_misuse(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected
