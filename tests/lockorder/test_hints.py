"""Ways out: one for each kind of report that has any, and none that its report contradicts."""

from __future__ import annotations

import pytest

from hgeisim.lockorder.report.text import HINTS_MAX, TITLES, hints
from tests.lockorder.test_programs import MAPS, hard, masked, pair, run, soft

RT = {"preempt_rt": True}


@pytest.mark.parametrize(
    ("locks", "threads", "config", "expected"),
    [
        (
            "A:raw_spinlock",
            [masked("lock A, unlock A"), "lock A, ipi_wait"],
            {},
            [
                "give A up before ipi_wait waits for @ipi",
                "or take A with interrupts on only, so that IPIs are answered",
            ],
        ),
        (
            "M:mutex",
            ["lock M, wait E", "lock M, unlock M, complete E"],
            {},
            ["give M up before wait E waits for @ev:E"],
        ),
        (
            "A:spinlock",
            [soft("lock A, unlock A"), "lock A"],
            {},
            [
                "keep BH off while tasks hold A, such as in lock A",
                "or take A in a thread, not in the handler",
            ],
        ),
        (
            "A:spinlock",
            ["irq_disable, hardirq_enter, lock A"],
            {},
            [
                "take A in a thread, not in the handler",
                "or make A a raw lock, and all that is taken inside it",
            ],
        ),
        ("M:mutex", ["bh_disable, lock M"], {}, ["take M where BH is on"]),
        (
            "A:spinlock",
            ["irq_disable, lock A"],
            RT,
            [
                "take A where interrupts are on",
                "or make A a raw lock, and all that is taken inside it",
            ],
        ),
        ("A:spinlock", ["lock A, might_alloc GFP_KERNEL"], {}, ["give A up before * sleeps"]),
        ("", ["irq_disable, hardirq_enter, ipi_wait"], {}, ["wait for @ipi in a thread, not *"]),
        ("S:srcu", ["read_lock S, sync S"], {}, ["give S up before sync S wants it again"]),
        ("A:mutex", ["unlock A"], {}, []),
    ],
)
def test_ways_out(
    locks: str, threads: list[str], config: dict[str, bool], expected: list[str]
) -> None:
    report = run(locks, *threads, config=config)[0]
    got = hints(report)
    assert len(got) == len(expected)
    for hint, wanted in zip(got, expected, strict=True):
        start, _, end = wanted.partition("*")
        assert hint.startswith(start)
        assert hint.endswith(end)
        assert "*" in wanted or hint == wanted


def test_what_cannot_hang_needs_none() -> None:
    gated = "lock C, {}, unlock C"
    (guarded,) = run(MAPS, gated.format(pair("A", "B")), gated.format(pair("B", "A")))
    assert hints(guarded) == []


def test_masking_is_no_way_out_where_an_ipi_is_waited_for() -> None:
    """A holder of the lock with interrupts off answers no IPI."""
    reports = run("A:spinlock", hard("lock A, ipi_wait, unlock A"), "lock A, unlock A")
    said = [hints(report) for report in reports if report.kind == "irq-inversion"]
    assert said == [["wait for @ipi in a thread, not in the handler"]]


def test_long_cycles_have_few() -> None:
    names = "ABCDE"
    rounds = zip(names, names[1:] + names[0], strict=True)
    (report,) = run(" ".join(f"{n}:mutex" for n in names), *(pair(a, b) for a, b in rounds))
    assert len(hints(report)) == HINTS_MAX
    assert set(TITLES) >= {report.kind}
