"""Strategies: one protocol, one loop."""

from __future__ import annotations

import pytest

from hgeisim.drivers.explored.compiled.library import PURE
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.random_walk import warm_up
from hgeisim.drivers.explored.strategies.sampling import Random
from hgeisim.drivers.explored.strategies.strategy import (
    Able,
    CannotStep,
    Chain,
    Given,
    Prefix,
    Strategy,
    schedules,
)
from hgeisim.drivers.explored.strategies.verdict import Schedule, Verdict
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Streams


@pytest.fixture(scope="module")
def space() -> Space:
    made = space_of(load_scenario("blocked-move", {"variant": "v6.12"})).fine
    made.make_room()
    return made


def made(space: Space, strategy: Strategy) -> list[Schedule]:
    """The schedules that a strategy chooses."""
    return [tuple(step.slot for step in steps) for steps in schedules(space, strategy)]


def random(count: int, seed: int = 1) -> Random:
    return Random(Streams(seed).stream("test").below, count)


def test_random_schedules_go_to_the_end(space: Space) -> None:
    for steps in schedules(space, random(5)):
        state = space.initial()
        for step in steps:
            assert step.before == state
            state = step.after
        assert list(Able(space, state)) == []


def test_given_schedules_are_followed(space: Space) -> None:
    given = made(space, random(3))
    assert made(space, Given(given)) == given
    assert made(space, Given([given[0][:7]])) == [given[0][:7]]


@pytest.mark.parametrize("slot", [-1, 5, 99])
def test_a_schedule_that_cannot_be_followed(space: Space, slot: int) -> None:
    with pytest.raises(CannotStep, match=r"at step 3, .* cannot step"):
        made(space, Given([(0, 0, slot)]))
    assert made(space, Given([(0, 0, slot), (0,)], loose=True)) == [(0, 0), (0,)]


def test_a_prefix_then_another_strategy(space: Space) -> None:
    first = made(space, random(1))[0][:3]
    found = made(space, Prefix(first, random(16)))
    assert len(found) == 16
    assert {schedule[:3] for schedule in found} == {first}
    assert len(set(found)) > 1
    assert made(space, Prefix(first, Given([()]))) == [first]


def test_one_strategy_after_the_other(space: Space) -> None:
    given = made(space, random(2))
    found = made(space, Chain(Given(given), random(3), Given([])))
    assert found[:2] == given
    assert found[2:] == made(space, random(3))
    assert made(space, Chain()) == []


@pytest.mark.parametrize("pure", ["", "1"])
def test_the_warm_up_ends_when_it_has_nothing_to_learn(
    monkeypatch: pytest.MonkeyPatch, pure: str
) -> None:
    """Its findings are noted immediately, and kept if the search does not finish."""
    monkeypatch.setenv(PURE, pure)
    merged = space_of(load_scenario("blocked-move", {"variant": "v6.12"}))
    found, before = list[str](), merged.lessons

    def note(finding_id: str) -> bool:
        found.append(finding_id)
        return False

    verdict = Verdict(enough=note)
    warm_up(merged, verdict)
    assert merged.lessons > before
    assert (verdict.states, verdict.counterexamples) == (0, {})
    assert found == [*verdict.earlier]
    assert "lost-wakeup:vcpu" in found


def test_a_strategy_of_ones_own_is_a_class_with_two_methods(space: Space) -> None:
    class Stubborn:
        """The same context for as long as it can, once."""

        left = 1

        def begin(self) -> bool:
            self.left -= 1
            return self.left >= 0

        def choose(self, able: Able, last: int | None) -> int | None:
            return last if last in able else next(iter(able), None)

    (schedule,) = made(space, Stubborn())
    assert schedule
    assert made(space, Given([schedule])) == [schedule]
