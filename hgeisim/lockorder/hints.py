"""Ways out of a report: what would make it go away, said of its own locks and functions.

A hint is true of the report alone.  Whether a way out closes another circle, the next check tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hgeisim.lockorder.report import Grade, Report
from hgeisim.lockorder.usage import Mark

SLEEP = "might_sleep"
"""What sleeping wants, see reclaim.py."""
MASKS = {"HARDIRQ": "interrupts", "SOFTIRQ": "BH"}
"""What keeps the handlers of a usage bit away."""
WHERE = {
    "hardirqs off": "where interrupts are on",
    "preemption off": "where preemption is on",
    "BH off": "where BH is on",
}
"""Where a task may wait longer, by what forbids it."""
IN_THREAD = "in a thread, not in the handler"
HINTS_MAX = 3
_RAW = "config:config"
"""Wait levels of what a raw lock does without: spinlock_t, rwlock_t, local_lock_t."""


def hints(report: Report) -> list[str]:
    """Some ways out, the new wait first; none where the report itself says what is missing."""
    found = list(_HINTS[report.kind](report)) if report.kind in _HINTS else []
    return found[:1] + [f"or {each}" for each in found[1:HINTS_MAX]]


def _circular(report: Report) -> Iterator[str]:
    if report.grade is not Grade.POSSIBLE:
        return
    for link in report.chain:
        if not link.owed:
            yield _give_up(link.source, link.stack, link.target)
        elif link.source == "@ipi":
            yield f"take {link.target} with interrupts on only, so that IPIs are answered"


def _recursion(report: Report) -> Iterator[str]:
    if report.wanted and report.holding:
        yield _give_up(report.holding.cls, report.stack, "it again")
        if report.wanted.name != report.holding.name:
            yield "give the inner one a subclass, if everybody takes them in one order"


def _usage(report: Report) -> Iterator[str]:
    unsafe = next(mark for mark in report.marks if not mark.bit.used_in)
    yield _masked(unsafe)
    yield f"{_deed(unsafe.cls)} {IN_THREAD}"


def _inversion(report: Report) -> Iterator[str]:
    link = report.chain[-1]
    if not link.owed:
        yield _give_up(link.source, link.stack, link.target)
    safe, unsafe = report.marks
    if all(each.source != "@ipi" for each in report.chain):
        yield _masked(unsafe)
    yield f"{_deed(safe.cls)} {IN_THREAD}"


def _wait_context(report: Report) -> Iterator[str]:
    wanted, by = report.wanted, report.about[1]
    if wanted is None:
        return
    if report.holding:
        yield _give_up(by, report.stack, wanted.cls)
    else:
        yield f"{_deed(wanted.cls)} {WHERE.get(by, IN_THREAD)}"
    if wanted.wait == _RAW:
        yield f"make {wanted.cls} a raw lock, and all that is taken inside it"


def _ipi(report: Report) -> Iterator[str]:
    yield f"{_deed('@ipi')} {WHERE.get(report.about[1], IN_THREAD)}"


def _give_up(lock: str, stack: tuple[str, ...], wanted: str) -> str:
    verb = "waits for" if wanted.startswith("@") else "wants"
    deed = "sleeps" if wanted == SLEEP else f"{verb} {wanted}"
    return f"give {lock} up before {stack[-1] if stack else 'the task'} {deed}"


def _deed(wanted: str) -> str:
    if wanted == SLEEP:
        return "sleep"
    return f"wait for {wanted}" if wanted.startswith("@") else f"take {wanted}"


def _masked(unsafe: Mark) -> str:
    where = f", such as in {unsafe.stack[-1]}" if unsafe.stack else ""
    return f"keep {MASKS[unsafe.bit.line]} off while tasks hold {unsafe.cls}{where}"


_HINTS: dict[str, Callable[[Report], Iterator[str]]] = {
    "circular": _circular,
    "recursion": _recursion,
    "irq-usage": _usage,
    "irq-inversion": _inversion,
    "irq-dependency": _inversion,
    "wait-context": _wait_context,
    "ipi-irqs-off": _ipi,
}
