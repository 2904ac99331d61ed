"""Cycles of waits: which dependencies close one, and which do not."""

from __future__ import annotations

from tests.lockorder.test_programs import MAPS, SPINS, kinds, masked, pair, rules

CYCLES = [
    ("inversion", MAPS, [pair("A", "B"), pair("B", "A")], ["circular"]),
    ("three classes", MAPS, [pair("A", "B"), pair("B", "C"), pair("C", "A")], ["circular"]),
    ("same order", MAPS, [pair("A", "B"), pair("A", "B")], []),
    ("behind a lock in the middle", MAPS, ["lock A, lock B, lock C", pair("C", "A")], ["circular"]),
    ("released before", MAPS, ["lock A, unlock A, lock B", pair("B", "A")], []),
    (
        "a recursive reader waits for no reader",
        MAPS,
        [pair("A", "read B"), pair("read B", "A")],
        [],
    ),
    ("a reader blocks a writer", MAPS, [pair("A", "B"), pair("read B", "A")], ["circular"]),
    (
        "a writer blocks a recursive reader",
        MAPS,
        [pair("A", "read B"), pair("B", "A")],
        ["circular"],
    ),
    (
        "a queued reader waits behind writers",
        "A:rwsem B:rwsem",
        [pair("A", "read B"), pair("read B", "A")],
        ["circular"],
    ),
    (
        "two readers of each other's lock",
        "A:rwsem B:rwsem",
        [pair("read A", "read B"), pair("read B", "read A")],
        ["circular"],
    ),
    (
        "recursive readers of each other's lock",
        MAPS,
        [pair("read A", "read B"), pair("read B", "read A")],
        [],
    ),
    (
        "a trylock waits for nobody",
        MAPS,
        [pair("A", "B"), "lock B, trylock A, unlock A, unlock B"],
        [],
    ),
    (
        "what was tried is held",
        MAPS,
        ["trylock A, lock B, unlock B, unlock A", pair("B", "A")],
        ["circular"],
    ),
    (
        "a class that is not validated",
        "A:mutex_novalidate B:mutex",
        [pair("A", "B"), pair("B", "A")],
        [],
    ),
    (
        "what is around a class that is not validated",
        "A:mutex N:mutex_novalidate B:mutex",
        ["lock A, lock N, lock B", pair("B", "A")],
        ["circular"],
    ),
    (
        "no edge crosses an interrupt",
        "A:spinlock B:raw_spinlock",
        [
            "irq_disable, lock A, hardirq_enter, lock B, unlock B, hardirq_exit, unlock A",
            masked(pair("B", "A")),
        ],
        ["wait-context"],
    ),
    (
        "no edge leaves a softirq",
        SPINS,
        [
            "bh_disable, irq_disable, softirq_enter, lock A, hardirq_enter threaded=true, lock B",
            masked(pair("B", "A")),
        ],
        [],
    ),
    (
        "a handler that leaves a lock behind hides nothing",
        "A:raw_spinlock B:raw_spinlock C:raw_spinlock",
        [
            "irq_disable, lock A, hardirq_enter, lock B, hardirq_exit, lock C",
            "irq_disable, lock C, lock A",
        ],
        ["circular"],
    ),
    (
        "instances of a class",
        "A1:mutex:A A2:mutex:A B1:mutex:B B2:mutex:B",
        [pair("A1", "B1"), pair("B2", "A2")],
        ["circular"],
    ),
    (
        "one name, two types: two classes",
        "A1:mutex:A A2:rwsem:A B:mutex",
        [pair("A1", "B"), pair("B", "A2")],
        [],
    ),
]


@rules(CYCLES)
def test_cycle(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected
