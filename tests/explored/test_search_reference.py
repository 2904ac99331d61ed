"""The search is fast because it asks few contexts again; it must find what a plain one finds.

The plain search keeps nothing between states: it asks every context and every check in each.
"""

from __future__ import annotations

from collections import deque

import pytest

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Schedule, Verdict, many
from hgeisim.kernel.variants import BASES, PATCHES, SERIES, variant_problem
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

pytestmark = pytest.mark.proof

MANY = 10**7
VARIANTS = [*BASES, *(f"v6.12+{patch}" for patch in SERIES)]


class Plain:
    """Breadth-first search by the book."""

    def __init__(self, space: Space, avoid: frozenset[str] = frozenset()) -> None:
        self.space, self.avoid, self.verdict = space, avoid, Verdict()
        start = space.initial()
        self.ways: dict[bytes, Schedule] = {start: ()}
        self.queue = deque([start])
        self.note(self.broken(start), ())

    def run(self, states_max: int) -> Verdict:
        while self.queue:
            self.expand(self.queue.popleft())
            if len(self.ways) >= states_max and self.queue:
                self.verdict.coverage, self.verdict.bound = BOUNDED, many(states_max, "state")
                break
        self.verdict.states = len(self.ways)
        return self.verdict

    def expand(self, state: bytes) -> None:
        successors = list(self.space.successors(state))
        for slot, after, findings in successors:
            way = (*self.ways[state], slot)
            self.verdict.transitions += 1
            if self.note(findings, way) or after in self.ways:
                continue
            if not self.note(self.broken(after), way):
                self.ways[after] = way
                self.queue.append(after)
        if not successors:
            self.verdict.ends += 1
            self.note(end_findings(self.space, state), self.ways[state])

    def broken(self, state: bytes) -> tuple[Finding, ...]:
        invariants = self.space.invariants
        return invariants.ask(invariants.checks, state)

    def note(self, findings: tuple[Finding, ...], way: Schedule) -> bool:
        if self.avoid and any(finding.id in self.avoid for finding in findings):
            return True
        for finding in findings:
            if finding.id not in self.verdict.counterexamples:
                self.verdict.note(finding, self.space.in_full(way))
        return False


def facts(verdict: Verdict) -> list[object]:
    """The whole result of a search, in order."""
    found = [(id_, c.finding.text, c.schedule) for id_, c in verdict.counterexamples.items()]
    numbers = [verdict.states, verdict.transitions, verdict.ends]
    return [verdict.coverage, verdict.bound, *numbers, found]


def learned(space: Space) -> list[object]:
    """All that a search learned, in the order of learning."""
    return [space.steps_learned, space.codebook.values]


def agree(scenario: Scenario, states_max: int) -> Verdict:
    """Search with both in single operations, then without each finding; each side learns in a
    space of its own."""
    fast, plain = (space_of(scenario).fine for _ in range(2))
    verdict = exhaustive(fast, states_max)
    assert facts(verdict) == facts(Plain(plain).run(states_max))
    assert learned(fast) == learned(plain)
    ids = list(verdict.counterexamples)
    for avoid in [frozenset([i]) for i in ids] + [frozenset(ids[1:])]:
        without = exhaustive(fast, states_max, avoid)
        assert facts(without) == facts(Plain(plain, avoid).run(states_max))
        assert learned(fast) == learned(plain)
    return verdict


def agree_merged(scenario: Scenario, states_max: int) -> Verdict:
    """Search with both in merged steps, in a space that has learned what contexts contend for."""
    space = space_of(scenario)
    exhaustive(space, states_max)  # what the warm-up shows counts as well where a search is cut
    verdict = exhaustive(space, states_max)
    assert facts(verdict) == facts(Plain(space).run(states_max))
    assert not space.outdated
    return verdict


def some_variants(number: int) -> list[tuple[str, str]]:
    """Kernels that exist and a preemption model, drawn from a fixed stream."""
    below, found = Streams(11).stream("variants").below, list[tuple[str, str]]()
    bases, patches = list(BASES), list(PATCHES)
    while len(found) < number:
        drawn = [patches[below(len(patches))] for _ in range(below(4))]
        variant = "+".join([bases[below(len(bases))], *drawn])
        if variant_problem(variant) is None:
            found.append((variant, ("full", "none")[below(2)]))
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_small_scenario_searched_to_the_end(variant: str) -> None:
    scenario = load_scenario("blocked-move", {"variant": variant})
    single, merged = agree(scenario, MANY), agree_merged(scenario, MANY)
    assert single.coverage == merged.coverage == "exhausted"
    assert single.states > 4 * merged.states > 80


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_up_to_a_bound(variant: str) -> None:
    scenario = load_scenario("patch-race", {"variant": variant})
    assert agree(scenario, 4_000).states >= 4_000
    assert agree_merged(scenario, 4_000).states >= 4_000


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "preemption"), some_variants(6))
def test_random_variants_up_to_a_bound(variant: str, preemption: str) -> None:
    scenario = load_scenario("patch-race", {"variant": variant, "preemption": preemption})
    agree(scenario, 6_000)
    agree_merged(scenario, 6_000)


def test_progress_counts_down_to_an_empty_queue() -> None:
    numbers: list[tuple[int, int]] = []
    space = space_of(load_scenario("blocked-move", {})).fine
    exhaustive(space, MANY, progress=lambda *both: numbers.append(both))
    first = 1 + len(list(space.successors(space.initial())))
    assert numbers == [(first, first - 1)]
