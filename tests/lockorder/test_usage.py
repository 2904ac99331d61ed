"""Locks and the interrupts that may come over them."""

from __future__ import annotations

from tests.lockorder.test_programs import MAPS, RW, SPINS, hard, kinds, masked, pair, rules, soft

USAGE = [
    ("safe, then unsafe", SPINS, [hard("lock A"), "lock A"], ["irq-usage"]),
    ("unsafe, then safe", SPINS, ["lock A", hard("lock A")], ["irq-usage"]),
    ("always masked", SPINS, [hard("lock A, unlock A"), masked("lock A, unlock A")], []),
    ("safe for softirqs, then unsafe", SPINS, [soft("lock A, unlock A"), "lock A"], ["irq-usage"]),
    ("softirq with BH off", SPINS, [soft("lock A, unlock A"), "bh_disable, lock A"], []),
    (
        "softirq with hardirqs off",
        SPINS,
        [soft("lock A, unlock A"), masked("lock A, unlock A")],
        [],
    ),
    (
        "a softirq is not a hardirq",
        SPINS,
        [hard("lock A, unlock A"), "bh_disable, lock A"],
        ["irq-usage"],
    ),
    (
        "in a softirq hardirqs may come",
        SPINS,
        [hard("lock A, unlock A"), soft("lock A, unlock A")],
        ["irq-usage"],
    ),
    ("readers in both", RW, [hard("read_lock A, read_unlock A"), "read_lock A"], []),
    ("a reader in the handler", RW, [hard("read_lock A, read_unlock A"), "lock A"], ["irq-usage"]),
    ("a reader elsewhere", RW, [hard("lock A, unlock A"), "read_lock A"], ["irq-usage"]),
    ("a trylock in the handler", SPINS, [hard("trylock A, unlock A"), "lock A"], []),
    ("a trylock elsewhere", SPINS, [hard("lock A, unlock A"), "trylock A"], ["irq-usage"]),
    (
        "enabled while held",
        SPINS,
        [hard("lock A, unlock A"), "irq_disable, lock A, irq_enable"],
        ["irq-usage"],
    ),
    (
        "restored while held",
        SPINS,
        [hard("lock A, unlock A"), "irq_save f, lock A, irq_restore f"],
        ["irq-usage"],
    ),
    (
        "an inner restore leaves it off",
        SPINS,
        [
            hard("lock A, unlock A"),
            "irq_save f, lock A, irq_save g, irq_restore g, unlock A, irq_restore f",
        ],
        [],
    ),
    (
        "enabled for what is held below",
        SPINS,
        [hard("lock A, unlock A"), "irq_disable, lock A, lock B, irq_enable"],
        ["irq-usage", "irq-inversion"],
    ),
    (
        "hardirqs enabled with BH off",
        SPINS,
        [soft("lock A, unlock A"), "bh_disable, irq_disable, lock A, irq_enable, unlock A"],
        [],
    ),
    (
        "BH enabled while held",
        SPINS,
        [soft("lock A, unlock A"), "bh_disable, lock A, bh_enable"],
        ["irq-usage"],
    ),
    (
        "BH enabled with hardirqs off",
        SPINS,
        [
            soft("lock A, unlock A"),
            "bh_disable, irq_disable, lock A, bh_enable, unlock A, irq_enable",
        ],
        [],
    ),
    (
        "hardirqs and softirqs enabled together",
        SPINS,
        [soft("lock A, unlock A"), "irq_disable, lock A, irq_enable"],
        ["irq-usage"],
    ),
    (
        "BH counts",
        SPINS,
        [
            soft("lock A, unlock A"),
            "bh_disable, bh_disable, lock A, bh_enable, unlock A, bh_enable",
        ],
        [],
    ),
    (
        "a reader stays a reader when irqs come on",
        RW,
        [hard("read_lock A, read_unlock A"), "irq_disable, read_lock A, irq_enable"],
        [],
    ),
    (
        "what is not validated has no usage",
        "A:mutex_novalidate",
        ["lock A, unlock A", "bh_disable, irq_disable, softirq_enter, lock A"],
        ["wait-context"],
    ),
]


@rules(USAGE)
def test_usage(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected


INVERSIONS = [
    (
        "unsafe ahead",
        SPINS,
        [masked(pair("A", "B")), "lock B", hard("lock A, unlock A")],
        ["irq-inversion"],
    ),
    (
        "safe behind",
        SPINS,
        [masked(pair("A", "B")), hard("lock A, unlock A"), "lock B"],
        ["irq-inversion"],
    ),
    (
        "the dependency comes last",
        SPINS,
        ["lock B", hard("lock A, unlock A"), masked(pair("A", "B"))],
        ["irq-dependency"],
    ),
    (
        "over two steps",
        SPINS,
        [
            "lock C",
            masked(pair("B", "C")),
            hard("lock A, unlock A"),
            masked(pair("A", "B")),
        ],
        ["irq-dependency"],
    ),
    (
        "the first step comes last",
        SPINS,
        [
            "lock C",
            masked(pair("A", "B")),
            hard("lock A, unlock A"),
            masked(pair("B", "C")),
        ],
        ["irq-dependency"],
    ),
    (
        "unsafe before safe",
        SPINS,
        ["lock A, irq_disable, lock B, unlock B, irq_enable, unlock A", hard("lock B, unlock B")],
        [],
    ),
    (
        "safe for one, unsafe for the other",
        SPINS,
        [soft("lock A, unlock A"), "bh_disable, lock A, lock B, unlock B, unlock A, lock B"],
        [],
    ),
    (
        "softirq",
        SPINS,
        [soft("lock A, unlock A"), f"bh_disable, {pair('A', 'B')}, bh_enable", "lock B"],
        ["irq-inversion"],
    ),
    (
        "both lines together",
        SPINS,
        [
            "lock B",
            hard("lock A, unlock A"),
            soft("irq_disable, lock A, unlock A, irq_enable"),
            masked(pair("A", "B")),
        ],
        ["irq-dependency", "irq-dependency"],
    ),
    (
        "a reader in the handler, a reader before the unsafe one",
        RW,
        [hard("read_lock A, read_unlock A"), "lock B", masked(pair("read A", "B"))],
        [],
    ),
    (
        "the same with a writer in the handler",
        RW,
        [hard("lock A, unlock A"), "lock B", masked(pair("read A", "B"))],
        ["irq-dependency"],
    ),
    (
        "a reader comes to what readers may enter",
        MAPS,
        [
            masked(pair("A", "read B")),
            "read_lock B, read_unlock B",
            hard("lock A, unlock A"),
        ],
        [],
    ),
    (
        "a reader comes to what a writer held",
        MAPS,
        [masked(pair("A", "read B")), "lock B, unlock B", hard("lock A, unlock A")],
        ["irq-inversion"],
    ),
    (
        "a reader in the handler comes last",
        RW,
        ["lock B, unlock B", masked(pair("read A", "B")), hard("read_lock A, read_unlock A")],
        [],
    ),
    (
        "a reader in the handler who queues comes last",
        MAPS,
        ["lock B, unlock B", masked(pair("read A", "B")), hard("might_lock_read A")],
        ["irq-inversion"],
    ),
    (
        "an unsafe reader comes last, whom readers may join",
        MAPS,
        [hard("lock A, unlock A"), masked(pair("A", "read B")), "read_lock B, read_unlock B"],
        [],
    ),
    (
        "an unsafe reader who queues comes last, whom readers may join",
        MAPS,
        [hard("lock A, unlock A"), masked(pair("A", "read B")), "might_lock_read B"],
        [],
    ),
    (
        "the dependency of a reader comes last",
        MAPS,
        [hard("lock A, unlock A"), "read_lock B, read_unlock B", masked(pair("A", "read B"))],
        [],
    ),
    (
        "the dependency of a writer comes after that of a reader",
        MAPS,
        [
            hard("lock A, unlock A"),
            "read_lock B, read_unlock B",
            masked(pair("A", "read B")),
            masked(pair("A", "B")),
        ],
        ["irq-dependency"],
    ),
    (
        "a safe reader behind a reader",
        RW,
        [masked(pair("read A", "B")), hard("read_lock A, read_unlock A"), "lock B"],
        [],
    ),
    (
        "a safe writer behind a reader",
        RW,
        [masked(pair("read A", "B")), hard("lock A, unlock A"), "lock B"],
        ["irq-inversion"],
    ),
    (
        "an unsafe reader, looking back",
        RW,
        [masked(pair("A", "read B")), hard("lock A, unlock A"), "read_lock B"],
        ["irq-inversion"],
    ),
    (
        "not through a local lock",
        "A:spinlock L:local_lock B:spinlock",
        [pair("L", "B"), hard("lock A, unlock A"), masked(pair("A", "L"))],
        [],
    ),
    (
        "past a local lock",
        "A:spinlock L:local_lock B:spinlock",
        [
            "lock B, unlock B",
            hard("lock A, unlock A"),
            masked("lock A, lock L, lock B, unlock B, unlock L, unlock A"),
        ],
        ["irq-dependency"],
    ),
]


@rules(INVERSIONS)
def test_inversion(locks: str, threads: list[str], expected: list[str]) -> None:
    assert kinds(locks, *threads) == expected
