"""The fewest switches to each finding: as many as a plain search over single operations needs."""

from __future__ import annotations

from collections import deque
from functools import cache
from pathlib import Path

import pytest

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.replay import findings_of
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.nontermination import endless
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.levels import FewestSwitches, Wish
from hgeisim.drivers.explored.strategies.verdict import Verdict, switches
from hgeisim.library.own_patch import execute
from hgeisim.scenario.load import load_scenario
from tests.explored.programs import program
from tests.explored.test_merging import HANGS
from tests.support import toys
from tests.support.kernels import PROVED

MANY = 10**6
QUICK = ("blocked-move", "module-exit", "realtime")
SLOWER = ("moved-sleeper", "stale-attr")
PATCHES = Path(__file__).parent.parent / "data/patches"


class Plain:
    """By the book: a state with the context that stepped last, nearest first, step by step."""

    def __init__(self, space: Space) -> None:
        self.space, self.fewest = space, dict[str, int]()
        start = space.initial()
        self.queue = deque([(0, start, -1)])
        self.note(space.invariants.of(start), 0)
        seen = set[tuple[bytes, int]]()
        while self.queue:
            number, state, last = self.queue.popleft()
            if (state, last) not in seen:
                seen.add((state, last))
                self.expand(number, state, last)

    def expand(self, number: int, state: bytes, last: int) -> None:
        steps = list(self.space.successors(state))
        if not steps:
            self.note(end_findings(self.space, state), number)
        if self.space.system.own_patch:
            self.note(endless(self.space, state), number)
        for slot, there, findings in steps:
            free = last in (-1, slot)
            cost = number + (not free)
            self.note(findings, cost)
            self.note(self.space.invariants.of(there), cost)
            put = self.queue.appendleft if free else self.queue.append
            put((cost, there, slot))

    def note(self, findings: tuple[Finding, ...], number: int) -> None:
        for finding in findings:
            self.fewest[finding.id] = min(number, self.fewest.get(finding.id, number))


def counted(made: FewestSwitches) -> dict[str, int]:
    return {finding: switches(way.schedule) for finding, way in made.ways.items()}


def checked(space: Space, made: FewestSwitches) -> dict[str, int]:
    """The numbers; each schedule shows its finding when it is replayed."""
    assert made.levels is None
    start = {finding.id for finding in space.invariants.of(space.initial())}
    for finding, way in made.ways.items():
        assert finding in start | {each.id for each in findings_of(space, way.schedule)}
    return counted(made)


def agree_on_programs(seeds: range) -> int:
    """Compare with the plain search; returns how many findings need a switch."""
    found = list[int]()
    for seed in seeds:
        plain = Plain(Space(*program(seed))).fewest
        single, merged = Space(*program(seed)), Space(*program(seed), merging=True)
        for space in (single, merged):
            assert checked(space, fewest_switches(space, MANY)) == plain, seed
        found += plain.values()
    return sum(map(bool, found))


@pytest.mark.slow
def test_random_programs() -> None:
    assert agree_on_programs(range(40)) > 20


@pytest.mark.proof
def test_many_random_programs() -> None:
    assert agree_on_programs(range(2_000, 2_400)) > 200


@pytest.mark.parametrize(("what", "toy", "found"), HANGS)
def test_hangs_of_toys(what: str, toy: toys.Toy, found: str) -> None:
    plain = Plain(Space(toys.system(toy))).fewest
    assert found in plain
    for merging in (False, True):
        space = Space(toys.system(toy), merging=merging)
        assert checked(space, fewest_switches(space, MANY)) == plain


def agree_on(name: str, variant: str) -> None:
    """Both searches show the same findings, and single operations the same numbers."""
    space = space_of(load_scenario(name, {"variant": variant}))
    verdict = exhaustive(space, MANY)
    numbers = checked(space, fewest_switches(space, MANY))
    assert numbers.keys() == verdict.counterexamples.keys()
    assert numbers == Plain(space.fine).fewest
    fresh = space_of(load_scenario(name, {"variant": variant}))
    assert counted(fewest_switches(fresh, MANY)) == numbers


@pytest.mark.parametrize("name", QUICK)
def test_small_scenarios(name: str) -> None:
    agree_on(name, "v7.0")


@pytest.mark.proof
@pytest.mark.parametrize("variant", PROVED)
@pytest.mark.parametrize("name", [*QUICK, *SLOWER])
def test_small_scenarios_on_every_base(name: str, variant: str) -> None:
    agree_on(name, variant)


@cache
def moved() -> tuple[Space, Verdict]:
    space = space_of(load_scenario("stale-attr", {"variant": "v7.0"}))
    return space, exhaustive(space, MANY)


@pytest.mark.slow
def test_it_ends_with_the_last_finding_that_is_wanted() -> None:
    space, verdict = moved()
    made = fewest_switches(space, MANY, wish_for(verdict.counterexamples))
    assert (counted(made), made.levels) == ({"foreign-vsfile:hgei": 4, "misread:attribute": 5}, 5)
    assert made.states < verdict.states / 2
    assert fewest_switches(space, MANY, wish_for(())).states == 1


@pytest.mark.slow
def test_where_the_states_are_spent_it_says_what_it_has_seen() -> None:
    space, _ = moved()
    made = fewest_switches(space, 500)
    assert (made.ways, made.levels) == ({}, 2)
    assert 500 <= made.states < 700


def looping(name: str) -> Space:
    variant = f"v7.0+{PATCHES}/running.py:{name}"
    execute(variant)
    return space_of(load_scenario("moved-sleeper", {"variant": variant}))


@pytest.mark.slow
def test_a_loop_is_reached_as_early_as_it_can_be() -> None:
    space = looping("Endless")
    wish = wish_for(exhaustive(space, MANY).counterexamples)
    made = fewest_switches(space, MANY, wish)
    assert counted(made) == {"endless:kvm_riscv_aia_free_hgei": 3}


@pytest.mark.proof
@pytest.mark.parametrize("name", ["Endless", "PollsForNobody", "Polls"])
def test_loops(name: str) -> None:
    space = looping(name)
    made = fewest_switches(space, MANY, Wish(loops=True))
    assert any(each.startswith("endless:") for each in made.ways) == (name != "Polls")
    assert checked(space, made) == Plain(space.fine).fewest


@pytest.mark.proof
@pytest.mark.parametrize("name", ["NoUnlock", "IrqsOff", "PreemptOn", "Mutex", "Assert", "Divides"])
def test_patches_that_fail(name: str) -> None:
    space = looping(name)
    verdict = exhaustive(space, MANY)
    made = fewest_switches(space, MANY, Wish(loops=True))
    assert made.ways.keys() == verdict.counterexamples.keys()
    assert checked(space, made) == Plain(space.fine).fewest
