"""Strategies that draw schedules: what each is said to do, and how likely it finds what."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import groupby, pairwise, permutations

import pytest

from hgeisim.drivers.explored.compiled.library import PURE
from hgeisim.drivers.explored.counterexample.replay import findings_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import (
    SAMPLERS,
    Drawn,
    PartialOrder,
    Pct,
    RoundRobin,
    commute,
)
from hgeisim.drivers.explored.strategies.strategy import Strategy, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.scenario.streams import Streams
from tests.explored.programs import program
from tests.explored.test_merging import HANGS
from tests.support import toys


class Cells(Shared):
    """Two shared cells, and one for each task."""

    x: Field
    y: Field
    a: Field
    b: Field


def in_turns(o: Cells, name: str, times: int) -> Path[None]:
    while times:
        yield STEP
        setattr(o, name, getattr(o, name) + 1)
        times -= 1


def alone(times: int, memory: Memory) -> toys.Paths:
    """Two tasks with some steps each, which have nothing in common."""
    o = build(Cells, memory, "o")
    return [partial(in_turns, o, "a", times), partial(in_turns, o, "b", times)]


def both_write(times: int, memory: Memory) -> toys.Paths:
    """The same, but of one cell."""
    o = build(Cells, memory, "o")
    return [partial(in_turns, o, "x", times), partial(in_turns, o, "x", times)]


def made(space: Space, strategy: Strategy) -> list[Schedule]:
    """The schedules that a strategy chooses, from the start to the end."""
    return [tuple(step.slot for step in steps) for steps in schedules(space, strategy)]


def space_of(toy: toys.Toy) -> Space:
    made = Space(toys.system(toy))
    made.make_room()
    return made


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(("what", "toy", "finding"), HANGS, ids=[what for what, *_ in HANGS])
def test_what_needs_a_few_orders_is_found(
    name: str, what: str, toy: toys.Toy, finding: str
) -> None:
    """Whatever the seed, they miss it less often than once in 10^9 times, for each schedule shows
    it with a probability of at least 1/10.  Turns of equal length need not show it at all."""
    if (name, what) == ("round-robin", "read twice"):
        pytest.skip("in turns the second reader is never too early")
    space = space_of(toy)
    sampler = SAMPLERS[name](Streams(3).stream("test"))
    verdict = random_walk(space, 200, sampler)
    assert set(verdict.counterexamples) == {finding}
    assert (verdict.coverage, verdict.schedules) == ("sampled", 200)
    found = verdict.counterexamples[finding].schedule
    assert made(space, Once(found)) == [found]


class Once:
    """One given schedule, which has to be possible."""

    def __init__(self, schedule: Schedule) -> None:
        self.left: list[int] | None = None
        self.schedule = schedule

    def begin(self) -> bool:
        """Only one time."""
        first, self.left = self.left is None, list(self.schedule)
        return first

    def choose(self, able: object, last: int | None) -> int | None:
        """The next one."""
        return self.left.pop(0) if self.left else None


def test_round_robin_goes_round() -> None:
    space = space_of(partial(alone, 4))
    width = len(space.locations)
    first, *_ = made(space, RoundRobin(1))
    assert first == (0, 1) * 4
    assert made(space, RoundRobin(2))[1] == (1, 0) * 4
    later = made(space, RoundRobin(2 * width + 1))
    assert later[width] == (0, 0, 1, 1, 0, 0, 1, 1)
    assert later[2 * width] == (0, 0, 0, 1, 1, 1, 0, 1)


def test_pct_changes_context_a_few_times_only() -> None:
    """Of two tasks that never wait, each change of priorities makes one switch, beside the one
    where a task ends."""
    space = space_of(partial(alone, 6))
    for depth in (1, 2, 3):
        pct = Pct(Streams(1).stream("test").below, 200, depth)
        counts = Counter(sum(a != b for a, b in pairwise(one)) for one in made(space, pct))
        assert max(counts) <= depth, counts
        assert {*range(1, depth + 1)} >= {*counts}


def test_pct_finds_a_fault_as_often_as_its_theorem_says() -> None:
    """A deadlock of two tasks that each take two locks is of depth 2: with two tasks of 4 steps, at
    least one schedule in 2 * 8 shows it.  1,600 of them show it at least 100 times on average; that
    they do so less than 60 times has odds below 10^-5."""
    what, toy, finding = HANGS[0]
    space = space_of(toy)
    ends = 0
    for schedule in schedules(space, Pct(Streams(5).stream("test").below, 1_600, 2)):
        steps = list(schedule)
        ends += space.pending(steps[-1].after) != []
    assert ends >= 60, what
    assert finding in exhaustive(space, 1_000).counterexamples


def test_partial_order_sampling_draws_orders_that_matter_alike() -> None:
    """Two steps of each task, which conflict: how often each of the six orders comes.

    The first of all is drawn evenly, 2,000 of 4,000; that it comes less than 1,800 times has odds
    below 10^-9.  No order may be left out.
    """
    space = space_of(partial(both_write, 2))
    strategy = Drawn("partial-order", PartialOrder, Streams(2).stream("test")).schedules(4_000)
    counts = Counter(made(space, strategy))
    orders = set(permutations((0, 0, 1, 1)))
    assert set(counts) == orders
    assert 1_800 < sum(n for one, n in counts.items() if one[0] == 0) < 2_200
    assert min(counts.values()) > 300


def test_partial_order_sampling_cares_for_conflicts_only() -> None:
    """Ten steps that commute with all change nothing in how two that conflict are ordered: of a
    random walk the task with one step would nearly always be first."""

    def late(o: Cells, before: int) -> Path[None]:
        while before:
            yield STEP
            o.a, before = o.a + 1, before - 1
        yield STEP
        o.x, o.y = 1, o.y or 1

    def early(o: Cells) -> Path[None]:
        yield STEP
        o.x, o.y = 2, o.y or 2

    def toy(memory: Memory) -> toys.Paths:
        o = build(Cells, memory, "o")
        return [partial(late, o, 10), partial(early, o)]

    space = space_of(toy)
    firsts = dict.fromkeys(("partial-order", "random"), 0)
    for name in firsts:
        strategy = SAMPLERS[name](Streams(1).stream("test")).schedules(1_000)
        for one in made(space, strategy):
            firsts[name] += one[-1] == 1
    assert firsts["random"] < 20
    assert firsts["partial-order"] > 50


def test_what_commutes() -> None:
    apart, together = space_of(partial(alone, 1)), space_of(partial(both_write, 1))
    for space, expected in ((apart, True), (together, False)):
        one, other = (space.ask(slot, space.initial()) for slot in (0, 1))
        assert commute(one, other) is expected
        assert commute(other, one) is expected


def test_long_runs_of_one_context() -> None:
    """`priorities` switches seldom, `random` all the time."""
    space = space_of(partial(alone, 40))
    runs = {}
    for name in ("priorities", "random"):
        strategy = SAMPLERS[name](Streams(1).stream("test")).schedules(50)
        runs[name] = sum(len(list(groupby(one))) for one in made(space, strategy))
    assert runs["priorities"] * 5 < runs["random"]


@pytest.mark.parametrize("pure", ["", "1"])
def test_a_schedule_with_steps_that_were_learned_anew(
    monkeypatch: pytest.MonkeyPatch, pure: str
) -> None:
    """In this program a step turns out to be too long once another walk has taken it."""
    monkeypatch.setenv(PURE, pure)
    system, checks = program(113)
    space = Space(system, checks, merging=True)
    verdict = random_walk(space, 500, SAMPLERS["random"](Streams(0).stream("scout")))
    assert (verdict.stopped, verdict.schedules) == (None, 500)
    assert verdict.counterexamples
    for finding_id, each in verdict.counterexamples.items():
        assert finding_id in {found.id for found in findings_of(space, each.schedule)}
    assert exhaustive(Space(*program(113), merging=True), 1_000).coverage == "exhausted"
