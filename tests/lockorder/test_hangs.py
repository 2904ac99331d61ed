"""Random programs: the validator against a search of every interleaving.

A hang that the validator does not call possible is an error.  So is a cycle that it calls possible
in a program that cannot hang: there it must name the gate lock, or the single task.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.lockorder.graph.lock_class import KINDS, Flavour, How, Lock
from hgeisim.lockorder.report.violation import Grade
from hgeisim.lockorder.rules.validator import Validator

W, r, R = Flavour.EXCLUSIVE, Flavour.SHARED, Flavour.RECURSIVE
EVENTS = ("E", "F")


class Act(NamedTuple):
    """Take a lock in a flavour; without a flavour, release it.  Of an event: wait, or complete."""

    name: str
    flavour: Flavour | None


Program = Sequence[Sequence[Act]]
Holds = tuple[tuple[str, Flavour], ...]


def holds_after(acts: Sequence[Act]) -> Holds:
    """The locks that a task holds after some acts, oldest first."""
    holds: list[tuple[str, Flavour]] = []
    for name, flavour in acts:
        if name in EVENTS:
            continue
        if flavour is not None:
            holds.append((name, flavour))
        else:
            del holds[max(place for place, (lock, _) in enumerate(holds) if lock == name)]
    return tuple(holds)


class Search:
    """Every interleaving of a program, given that a writer may wait for any lock at any time.

    Readers that are not recursive wait behind such a writer as soon as anybody reads.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.holds = [[holds_after(task[:n]) for n in range(len(task) + 1)] for task in program]

    def can_hang(self) -> bool:
        """Whether any of them hangs."""
        start = (0,) * len(self.program)
        seen, left = {start}, [start]
        while left:
            at = left.pop()
            if self.hangs(at):
                return True
            new = [each for each in self.following(at) if each not in seen]
            seen.update(new)
            left += new
        return False

    def following(self, at: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Every state that one task can reach in one act."""
        for task, n in enumerate(at):
            if n < len(self.program[task]) and self.goes_on(self.program[task][n], at):
                yield (*at[:task], n + 1, *at[task + 1 :])

    def goes_on(self, act: Act, at: tuple[int, ...]) -> bool:
        """Whether an act goes through when no further writer waits."""
        if act.flavour is None:
            return True
        if act.name in EVENTS:
            return not self.pending(act, at, list(range(len(at))))
        held = self.held(act.name, at, list(range(len(at))))
        return not held or (act.flavour != W and W not in held)

    def hangs(self, at: tuple[int, ...]) -> bool:
        """Whether some tasks wait for each other and nobody else can help."""
        stuck = [task for task, n in enumerate(at) if n < len(self.program[task])]
        while True:
            waiting = [task for task in stuck if self.waits(task, at, stuck)]
            if waiting == stuck:
                return bool(stuck)
            stuck = waiting

    def waits(self, task: int, at: tuple[int, ...], others: list[int]) -> bool:
        """Whether others block a task; readers block writers, and readers that queue."""
        act = self.program[task][at[task]]
        if act.flavour is None:
            return False
        if act.name in EVENTS:
            return self.pending(act, at, others)
        held = self.held(act.name, at, others)
        return W in held or (bool(held) and act.flavour != R)

    def held(self, name: str, at: tuple[int, ...], tasks: list[int]) -> list[Flavour]:
        """In which flavours some tasks hold a lock."""
        now = (hold for task in tasks for hold in self.holds[task][at[task]])
        return [flavour for lock, flavour in now if lock == name]

    def pending(self, act: Act, at: tuple[int, ...], tasks: list[int]) -> bool:
        """Whether some task has an event still to complete."""
        return any(Act(act.name, None) in self.program[task][at[task] :] for task in tasks)


def validated(program: Program, classes: dict[str, str]) -> list[tuple[str, Grade]]:
    """The reports of the validator when it sees each task once, one after another."""
    validator = Validator()
    kind = KINDS["lockdep_map"]
    locks = {name: Lock(name, kind, classes.get(name, name)) for name in "ABCD"}
    for number, task in enumerate(program):
        context = validator.context(f"T{number}")
        for name, flavour in task:
            if name in EVENTS:
                deed = validator.complete if flavour is None else validator.wait
                deed(context, name)
            elif flavour is not None:
                validator.acquire(context, locks[name], How(flavour))
            else:
                held = context.holding(locks[name])
                reader = held is not None and held.flavour != W
                validator.release(context, locks[name], reader=reader)
    return [(report.kind, report.grade) for report in validator.reports]


def possible(reports: list[tuple[str, Grade]]) -> bool:
    """Whether any report says that it can hang."""
    return any(grade is Grade.POSSIBLE for _, grade in reports)


TAKEN = st.tuples(st.sampled_from("ABCD"), st.sampled_from((W, W, r, R)))
FREED = st.tuples(st.integers(0, 3), st.none())
DRAWS = st.lists(st.one_of(TAKEN, TAKEN, FREED), min_size=2, max_size=6)
CLASSES = st.fixed_dictionaries({name: st.sampled_from("XYZ") for name in "ABCD"})


def task_of(draws: list[tuple[str, Flavour] | tuple[int, None]], newest: bool) -> list[Act]:
    """A task that takes nothing twice and leaves nothing held; `newest`: first in, last out."""
    acts: list[Act] = []
    for what, flavour in draws:
        holds = [lock for lock, _ in holds_after(acts)]
        if isinstance(what, str) and what not in holds:
            acts.append(Act(what, flavour))
        elif isinstance(what, int) and holds:
            acts.append(Act(holds[-1 if newest else what % len(holds)], None))
    return [*acts, *(Act(lock, None) for lock, _ in holds_after(acts)[::-1])]


def programs(newest: bool) -> st.SearchStrategy[list[list[Act]]]:
    """Programs of 2 to 4 tasks."""
    return st.lists(DRAWS.map(lambda draws: task_of(draws, newest)), min_size=2, max_size=4)


many = settings(max_examples=400, deadline=None, derandomize=True)


@pytest.mark.slow
@many
@given(programs(newest=True))
def test_possible_means_that_it_can_hang(program: Program) -> None:
    assert possible(validated(program, {})) == Search(program).can_hang()


@pytest.mark.slow
@many
@given(programs(newest=False))
def test_no_hang_is_missed_when_locks_are_released_in_any_order(program: Program) -> None:
    assert possible(validated(program, {})) or not Search(program).can_hang()


@pytest.mark.slow
@many
@given(programs(newest=True), CLASSES)
def test_instances_of_a_class(program: Program, classes: dict[str, str]) -> None:
    reports, hangs = validated(program, classes), Search(program).can_hang()
    assert possible(reports) or not hangs
    cycles = [each for each in reports if each[0] != "recursion"]
    assert hangs or len(cycles) < len(reports) or not possible(cycles)


@pytest.mark.slow
@many
@given(
    programs(newest=False), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=2)
)
def test_no_hang_with_events_is_missed(program: Program, places: list[tuple[int, int]]) -> None:
    eventful = [list(task) for task in program]
    for number, (waits, completes) in enumerate(places):
        event, waiter = EVENTS[number], number % len(eventful)
        completer = (waiter + 1) % len(eventful)
        eventful[waiter].insert(waits % (len(eventful[waiter]) + 1), Act(event, W))
        eventful[completer].insert(completes % (len(eventful[completer]) + 1), Act(event, None))
    assert possible(validated(eventful, {})) or not Search(eventful).can_hang()


def acts(text: str) -> list[Act]:
    """A task in short: `WA RB -B -A`."""
    flavours = {"W": W, "r": r, "R": R, "-": None}
    return [Act(word[1:], flavours[word[0]]) for word in text.split()]


KNOWN = [
    ("inversion", ["WA WB -B -A", "WB WA -A -B"], True, {("circular", Grade.POSSIBLE)}),
    ("one task", ["WA WB -B -A WB WA -A -B"], False, {("circular", Grade.ONE_TASK)}),
    (
        "gate",
        ["WC WA WB -B -A -C", "WC WB WA -A -B -C"],
        False,
        {("circular", Grade.GUARDED)},
    ),
    (
        "a reader's gate lets readers in",
        ["RC WA WB -B -A -C", "RC WB WA -A -B -C"],
        True,
        {("circular", Grade.POSSIBLE)},
    ),
    (
        "a writer's gate keeps readers out",
        ["RC WA WB -B -A -C", "WC WB WA -A -B -C"],
        False,
        {("circular", Grade.GUARDED)},
    ),
    (
        "a gate that is not always there",
        ["WC WA WB -B -A -C", "WC WB WA -A -B -C", "WA WB -B -A", "WB WA -A -B"],
        True,
        {("circular", Grade.GUARDED), ("circular", Grade.POSSIBLE)},
    ),
    (
        "a gate that one of three does not share",
        ["WD WA WB -B -A -D", "WB WC -C -B", "WD WC WA -A -C -D"],
        False,
        {("circular", Grade.GUARDED)},
    ),
    (
        "the same, two steps away",
        ["WA WB -B -A", "WD WB WC -C -B -D", "WD WC WA -A -C -D"],
        False,
        {("circular", Grade.GUARDED)},
    ),
    ("a recursive reader between", ["WA WC -C -A", "RC RB rA -A -B -C"], True, None),
]


@pytest.mark.parametrize(
    ("tasks", "hangs", "reports"), [k[1:] for k in KNOWN], ids=[k[0] for k in KNOWN]
)
def test_known(tasks: list[str], hangs: bool, reports: set[tuple[str, Grade]] | None) -> None:
    program = [acts(task) for task in tasks]
    assert Search(program).can_hang() == hangs
    found = validated(program, {})
    assert possible(found) == hangs
    assert reports is None or set(found) == reports


def test_other_instances() -> None:
    program = [acts("WA WB -B -A"), acts("WC WD -D -C")]
    assert not Search(program).can_hang()
    found = validated(program, {"A": "X", "D": "X", "B": "Y", "C": "Y"})
    assert found == [("circular", Grade.INSTANCES)]


def test_a_chain_within_a_class_closes_a_cycle_of_instances() -> None:
    program = [acts("WB WC -C -B"), acts("WA WB -B -A"), acts("rC RA -C -A")]
    classes = {"A": "X", "C": "X", "B": "Z"}
    assert Search(program).can_hang()
    assert validated(program, classes) == [
        ("circular", Grade.INSTANCES),
        ("circular", Grade.POSSIBLE),
    ]
    assert validated([program[2], *program[:2]], classes) == [("circular", Grade.POSSIBLE)]
