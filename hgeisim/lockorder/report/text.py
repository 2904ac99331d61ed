"""A report as people read it: id and verdict first, then the locks, why it hangs, and where.

The first line is lockdep's own, if it has one for the kind; the parts come in the order that
readers of lockdep know, in other words.

The ways out (`hints`) name changes that would make the report go away, in terms of its own locks
and functions.  A hint is true of the report alone: the next check shows whether a way out closes
another cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.lockorder.graph.usage import Mark
from hgeisim.lockorder.report.cpu_columns import cpu_columns
from hgeisim.lockorder.report.violation import Grade, Link, LockView, Report

SLEEP = "might_sleep"
"""The class that sleeping wants, see rules/pseudo_locks.py."""
MASKS = {"HARDIRQ": "interrupts", "SOFTIRQ": "BH"}
"""The switch that keeps the handlers of a usage bit away."""
WHERE = {
    "hardirqs off": "where interrupts are on",
    "preemption off": "where preemption is on",
    "BH off": "where BH is on",
}
"""Where a task may wait longer, by the state that forbids it."""
IN_THREAD = "in a thread, not in the handler"
HINTS_MAX = 3
_RAW = "config:config"
"""The wait levels of locks that have a raw twin: spinlock_t, rwlock_t, local_lock_t."""


def hints(report: Report) -> list[str]:
    """Some ways out, the new wait first; none where the report itself names the remedy."""
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
    yield f"{_action(unsafe.cls)} {IN_THREAD}"


def _inversion(report: Report) -> Iterator[str]:
    link = report.chain[-1]
    if not link.owed:
        yield _give_up(link.source, link.stack, link.target)
    safe, unsafe = report.marks
    if all(each.source != "@ipi" for each in report.chain):
        yield _masked(unsafe)
    yield f"{_action(safe.cls)} {IN_THREAD}"


def _wait_context(report: Report) -> Iterator[str]:
    wanted, by = report.wanted, report.about[1]
    if wanted is None:
        return
    if report.holding:
        yield _give_up(by, report.stack, wanted.cls)
    else:
        yield f"{_action(wanted.cls)} {WHERE.get(by, IN_THREAD)}"
    if wanted.wait == _RAW:
        yield f"make {wanted.cls} a raw lock, and all that is taken inside it"


def _ipi(report: Report) -> Iterator[str]:
    yield f"{_action('@ipi')} {WHERE.get(report.about[1], IN_THREAD)}"


def _give_up(lock: str, stack: tuple[str, ...], wanted: str) -> str:
    verb = "waits for" if wanted.startswith("@") else "wants"
    action = "sleeps" if wanted == SLEEP else f"{verb} {wanted}"
    return f"give {lock} up before {stack[-1] if stack else 'the task'} {action}"


def _action(wanted: str) -> str:
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


TITLES = {
    "circular": "locks wait for each other in a cycle",
    "recursion": "a lock is taken inside one of its own class",
    "irq-usage": "a lock is taken in a handler, and held where that handler can come",
    "irq-inversion": "a lock of a handler leads to one that the handler can interrupt",
    "irq-dependency": "a lock of a handler leads to one that the handler can interrupt",
    "wait-context": "an acquisition may wait longer than its place allows",
    "nest-not-held": "a nested lock is taken without the lock that it nests in",
    "bad-unlock": "a lock is released that is not held here",
    "bad-unlock-mode": "a lock is released in another mode than it was taken",
    "pinned-unlock": "a pinned lock is released",
    "bad-pin": "a pin has no lock, or a lock has no pin",
    "bad-downgrade": "a lock is downgraded that no writer holds",
    "held-init": "a lock is initialised while it is held",
    "held-free": "a lock is freed while it is held",
    "held-at-exit": "locks are left behind",
    "assert-held": "a lock should be held here",
    "assert-not-held": "a lock should not be held here",
    "ipi-irqs-off": "an IPI is waited for with interrupts off",
    "irq-state": "the interrupt state does not fit",
    "limit": "the kernel's lockdep would give up here",
}
"""Each kind of report in a few words."""

HEADLINES = {
    "circular": "WARNING: possible circular locking dependency detected",
    "recursion": "WARNING: possible recursive locking detected",
    "irq-usage": "WARNING: inconsistent lock state",
    "irq-inversion": "WARNING: possible irq lock inversion dependency detected",
    "irq-dependency": "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
    "wait-context": "[ BUG: Invalid wait context ]",
    "nest-not-held": "WARNING: Nested lock was not taken",
    "bad-unlock": "WARNING: bad unlock balance detected!",
    "held-free": "WARNING: held lock freed!",
    "held-at-exit": "WARNING: lock held when returning to user space!",
}
"""The line with which the kernel's lockdep begins a report of a kind, which people grep for."""

GRADES = {
    Grade.POSSIBLE: "can hang as seen",
    Grade.INSTANCES: "by class only: the instances seen do not close it",
    Grade.GUARDED: "cannot hang as seen: {gates} keeps its tasks apart",
    Grade.ONE_TASK: "cannot hang as seen: only one task does all of it",
}
"""The verdict of each grade of a cycle."""

_INDENT = "  "


def text_of(report: Report, known: Container[Pair] | None = None) -> str:
    """The report, with at least a line for each part that it has.

    New are the dependencies that are not `known`, such as those of a baseline; without `known`, the
    one that closed the cycle.
    """
    return "\n".join([*_head(report), *_ages(report, known), *_body(report), ""])


def _head(report: Report) -> Iterator[str]:
    if report.kind in HEADLINES:
        yield HEADLINES[report.kind]
    yield f"{report.id} {report.kind}: {TITLES[report.kind]}"
    if report.kind == "circular":
        yield GRADES[report.grade].format(gates=" and ".join(report.gates))
    if report.wanted:
        verb = "wants" if report.holding else "at"
        yield f"{report.who} {verb} {_lock(report.wanted)}{_where(' in', report.stack)}"
    else:
        yield f"{report.who}{_where(' in', report.stack)}"
    if report.holding:
        verb = "owes" if report.chain and report.chain[0].owed else "has"
        yield f"{_INDENT}and {verb} {_lock(report.holding)}{_where(' since', report.holding.stack)}"
    yield from (f"{_INDENT}{note}" for note in report.notes)


def _ages(report: Report, known: Container[Pair] | None) -> Iterator[str]:
    """The new and the old dependencies of a chain."""
    pairs = [(link.source, link.target) for link in report.chain]
    if not pairs:
        return
    new = _closing(report) if known is None else [pair for pair in pairs if pair not in known]
    old = [pair for pair in pairs if pair not in new]
    if new:
        yield f"New edge: {_path(new)}"
    if old:
        yield f"Old path: {_path(old)}"
    if report.kind == "circular" and any(link.through for link in report.chain):
        classes = [cls for link in report.chain for cls in (link.source, *link.through)]
        yield f"In full:  {' < '.join([*classes, classes[0]])}"


def _closing(report: Report) -> list[Pair]:
    """The dependency that made the report; none when a new usage of a class did."""
    if report.kind == "circular":
        return [(report.chain[0].source, report.chain[0].target)]
    if report.wanted and report.holding:
        return [(report.holding.cls, report.wanted.cls)]
    return []


def _path(pairs: list[Pair]) -> str:
    """`a < b < c, d < e`: b is wanted inside a."""
    words, last = "", ""
    for source, target in pairs:
        words += f" < {target}" if source == last else f", {source} < {target}"
        last = target
    return words.removeprefix(", ")


def _body(report: Report) -> Iterator[str]:
    usage = [
        [f"{mark.bit} {mark.cls}, first by {mark.who}", *_frames(mark.stack)]
        for mark in report.marks
    ]
    yield from _part("Usage", [line for lines in usage for line in lines])
    yield from _part("Chain, the last wait first", _chain(report.chain))
    yield from _part("How it hangs", cpu_columns(report))
    yield from _part("Ways out", hints(report))
    held = enumerate(report.held)
    yield from _part("Held", [f"#{n} {_lock(v)}{_where(' since', v.stack)}" for n, v in held])
    yield from _part("Here", _frames(report.stack))


def _part(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"{_INDENT}{line}".rstrip() for line in lines)


def _lock(view: LockView) -> str:
    of_class = f" [{view.cls}]" if view.cls != view.name else ""
    return f"{view.name}{of_class} ({view.mode}) {view.usage} {view.wait}"


def _where(word: str, stack: tuple[str, ...]) -> str:
    return f"{word} {stack[-1]}" if stack else ""


def _chain(links: tuple[Link, ...]) -> list[str]:
    """Each wait with two stacks: the one of the wait, and the one that took the lock that was held;
    #0 is the new dependency."""
    lines: list[str] = []
    for number, link in reversed(list(enumerate(links))):
        begun = f"before it completes {link.source}" if link.owed else f"inside {link.source}"
        since = _where(" since", link.since)
        head = f"-> #{number} {link.target} ({link.kind}), {link.verb} by {link.who} {begun}{since}"
        lines += [head, *_frames(link.stack)]
        if len(link.since) > 1:  # a single function is in the head already
            lines += [f"{_INDENT}{link.source} was taken in", *_frames(link.since)]
    return lines


def _frames(stack: tuple[str, ...]) -> list[str]:
    """The innermost function first, as the kernel prints it."""
    return [f"{_INDENT * 2}{function}" for function in stack[::-1]]
