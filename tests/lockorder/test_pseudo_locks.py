"""Waits for something other than a lock: events, IPIs, readers, reclaim."""

from __future__ import annotations

from tests.lockorder.test_programs import MAPS, hard, kinds, masked, pair, rules

EVENTS = [
    ("sync in its own section", "S:srcu", ["read_lock S, sync S"], ["recursion"]),
    (
        "sync and a lock",
        "S:srcu M:mutex",
        ["read_lock S, lock M", "lock M, sync S"],
        ["circular"],
    ),
    ("sync takes nothing", "S:srcu M:mutex", ["sync S, lock M", "lock M, sync S"], []),
    ("sync of what is never read", "S:srcu", ["sync S", "sync S"], []),
    (
        "sync makes nothing unsafe",
        "S:srcu",
        ["sync S", hard("read_lock S, read_unlock S")],
        [],
    ),
    ("might_lock", MAPS, ["lock A, might_lock B", pair("B", "A")], ["circular"]),
    ("might_lock takes nothing", MAPS, ["might_lock A, lock B", pair("B", "A")], []),
    (
        "might_lock_read waits behind writers",
        MAPS,
        ["lock A, might_lock_read B", pair("read B", "A")],
        ["circular"],
    ),
    (
        "a completer that needs what the waiter has",
        "M:mutex",
        ["lock M, wait E, unlock M", "lock M, unlock M, complete E"],
        ["circular"],
    ),
    ("a completer that needs nothing", "M:mutex", ["lock M, wait E", "complete E, lock M"], []),
    (
        "a waiter that has nothing",
        "M:mutex",
        ["wait E, lock M, unlock M", "lock M, unlock M, complete E"],
        [],
    ),
    (
        "a completer that tries",
        "M:mutex",
        ["lock M, wait E", "trylock M, unlock M, complete E"],
        [],
    ),
    (
        "what a handler interrupts does not count",
        "M:spinlock N:mutex",
        ["lock N, wait E", "lock N, irq_disable, hardirq_enter, complete E"],
        [],
    ),
    (
        "a handler's own waits count",
        "M:raw_spinlock",
        [
            "irq_disable, hardirq_enter, lock M, unlock M, complete E",
            "lock M, wait E",
        ],
        ["irq-usage", "wait-context", "circular", "irq-dependency"],
    ),
    (
        "after the handler the task's waits count again",
        "N:mutex",
        [
            "lock N, unlock N, irq_disable, hardirq_enter, hardirq_exit, irq_enable, complete E",
            "lock N, wait E",
        ],
        ["circular"],
    ),
    (
        "what comes between two completions counts for the second",
        "M:mutex",
        ["complete E, lock M, unlock M, complete E", "lock M, wait E"],
        ["circular"],
    ),
    ("events of each other", "", ["wait C, complete E", "wait E, complete C"], ["circular"]),
    ("an event of itself", "", ["wait E, complete E"], []),
    ("IPI with interrupts off", "", ["irq_disable, ipi_wait"], ["ipi-irqs-off"]),
    ("IPI with interrupts on", "A:raw_spinlock", ["lock A, ipi_wait"], []),
    (
        "who spins with interrupts off answers no IPI",
        "A:raw_spinlock",
        ["lock A, ipi_wait", masked("lock A, unlock A")],
        ["circular"],
    ),
    (
        "who tries does not spin",
        "A:raw_spinlock",
        ["lock A, ipi_wait", masked("trylock A, unlock A")],
        [],
    ),
    (
        "a recursive reader spins for a writer only",
        "A:rwlock",
        [
            "irq_disable, hardirq_enter threaded=true, read_lock A, read_unlock A",
            "read_lock A, ipi_wait, read_unlock A",
        ],
        [],
    ),
]


@rules(EVENTS)
def test_event(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected


RECLAIM = [
    (
        "reclaim inside reclaim",
        "",
        ["fs_reclaim_acquire GFP_KERNEL, might_alloc GFP_KERNEL"],
        ["recursion"],
    ),
    ("no file systems", "", ["fs_reclaim_acquire GFP_KERNEL, might_alloc GFP_NOFS"], []),
    (
        "no file systems by scope",
        "",
        [
            "fs_reclaim_acquire GFP_KERNEL, memalloc_nofs_save, might_alloc GFP_KERNEL, "
            "memalloc_nofs_restore, fs_reclaim_release GFP_KERNEL"
        ],
        [],
    ),
    (
        "after the scope",
        "",
        [
            "fs_reclaim_acquire GFP_KERNEL, memalloc_nofs_save, memalloc_nofs_restore, "
            "might_alloc GFP_KERNEL"
        ],
        ["recursion"],
    ),
    (
        "released",
        "",
        ["fs_reclaim_acquire GFP_KERNEL, fs_reclaim_release GFP_KERNEL, task_exit"],
        [],
    ),
    (
        "a lock that reclaim takes",
        "M:mutex",
        ["lock M, might_alloc GFP_KERNEL", "fs_reclaim_acquire GFP_KERNEL, lock M"],
        ["circular"],
    ),
    (
        "a lock that notifiers take",
        "M:mutex",
        ["lock M, might_alloc GFP_NOFS", "mmu_notifier_start, lock M, unlock M, mmu_notifier_end"],
        ["circular"],
    ),
    (
        "no reclaim, no notifiers",
        "M:mutex",
        ["lock M, might_alloc GFP_NOWAIT", "mmu_notifier_start, lock M"],
        [],
    ),
]


@rules(RECLAIM)
def test_reclaim(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected
