"""Lock programs in a short notation, for the other tests of lock order, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hgeisim.lockorder.cases.case_file import Case, cases_from
from hgeisim.lockorder.cases.conformance import play
from hgeisim.lockorder.report.violation import Report

HARDIRQ = "irq_disable, hardirq_enter threaded=true, {}, hardirq_exit, irq_enable"
SOFTIRQ = "bh_disable, irq_disable, softirq_enter, irq_enable, {}, softirq_exit, bh_enable"
MASKED = "irq_disable, {}, irq_enable"
MAPS = "A:lockdep_map B:lockdep_map C:lockdep_map"
SPINS = "A:spinlock B:spinlock C:spinlock"
RW = "A:rwlock B:rwlock C:rwlock"

Rule = tuple[str, str, list[str], list[str]]


def document(locks: str, *threads: str, **more: Any) -> dict[str, Any]:
    """A case: locks as `A:mutex` or `X1:mutex:X`, where X is the class; threads as `lock A, ...`.

    An operation is its name, what it takes, and options as `subclass=1` or `threaded=true`.
    """
    parts = [lock.split(":") for lock in locks.split()]
    case = {
        "id": "short",
        "lock_types": {name: kind for name, kind, *_ in parts},
        "classes": {name: key[0] for name, _, *key in parts if key},
        "threads": [{"name": f"T{n}", "ops": ops(text)} for n, text in enumerate(threads)],
        "expect": "pass",
    }
    return case | more


def ops(text: str) -> list[list[Any]]:
    """The operations of a thread."""
    return [op(each) for each in text.split(", ") if each]


def op(text: str) -> list[Any]:
    """One operation."""
    words = text.split()
    options = dict(word.split("=") for word in words if "=" in word)
    values = {key: number_or_flag(value) for key, value in options.items()}
    return [*(word for word in words if "=" not in word), *([values] if values else [])]


def number_or_flag(text: str) -> Any:
    """A value of an option."""
    return int(text) if text.isdigit() else {"true": True, "false": False}.get(text, text)


def case_of(locks: str, *threads: str, **more: Any) -> Case:
    """The same as a case."""
    (case,) = cases_from([document(locks, *threads, **more)])
    return case


def run(locks: str, *threads: str, **more: Any) -> tuple[Report, ...]:
    """All reports of a program."""
    return play(case_of(locks, *threads, **more)).reports


def kinds(locks: str, *threads: str, **more: Any) -> list[str]:
    """The kinds of all reports of a program, in order."""
    return [report.kind for report in run(locks, *threads, **more)]


def hard(text: str) -> str:
    """Do something in a hardirq handler that becomes a thread on PREEMPT_RT."""
    return HARDIRQ.format(text)


def soft(text: str) -> str:
    """Do something in a softirq handler, where hardirqs may come."""
    return SOFTIRQ.format(text)


def masked(text: str) -> str:
    """Do something with hardirqs off."""
    return MASKED.format(text)


def pair(outer: str, inner: str) -> str:
    """Take one lock inside another: `pair("A", "read B")`."""
    first, second = outer.split()[::-1], inner.split()[::-1]
    mode_1, mode_2 = ("_".join([*each[1:], "lock"]) for each in (first, second))
    undo_1, undo_2 = ("_".join([*each[1:], "unlock"]) for each in (first, second))
    a, b = first[0], second[0]
    return f"{mode_1} {a}, {mode_2} {b}, {undo_2} {b}, {undo_1} {a}"


def rules(table: Sequence[Rule]) -> pytest.MarkDecorator:
    """A test for each row: its name, locks, threads, and the kinds of all reports in order."""
    names = ("locks", "threads", "expected")
    return pytest.mark.parametrize(names, [row[1:] for row in table], ids=[row[0] for row in table])


def test_the_notation() -> None:
    case = case_of("P:mutex X1:mutex:X", "lock P, lock X1 nest=P subclass=2", "hardirq_enter")
    assert case.kinds == {"P": "mutex", "X1": "mutex"}
    assert case.keys == {"X1": "X"}
    (first, second), (third,) = (thread.ops for thread in case.threads)
    assert (first.name, first.argument, first.options) == ("lock", "P", {})
    assert (second.argument, second.options) == ("X1", {"nest": "P", "subclass": 2})
    assert (third.name, third.argument) == ("hardirq_enter", "")


def test_threads_run_one_after_another() -> None:
    first, second = run("A:mutex", "lock A", "init A, unlock A")
    assert (first.kind, first.who, first.notes) == ("held-init", "T1", ("held by T0",))
    assert (second.kind, second.who) == ("bad-unlock", "T1")
