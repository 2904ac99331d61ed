"""A schedule consists of single operations: it shows what the search noted, and can be shrunk."""

from __future__ import annotations

import pytest

from hgeisim.drivers.explored.counterexample.replay import findings_of, follow
from hgeisim.drivers.explored.counterexample.shrink import shrink
from hgeisim.drivers.explored.counterexample.token import Token, decode, encode
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import Draw
from hgeisim.drivers.explored.strategies.strategy import CannotStep
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Verdict, switches
from hgeisim.kernel.variants import BASES, SERIES
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

pytestmark = pytest.mark.proof

VARIANTS = [*BASES, *(f"v6.12+{patch}" for patch in SERIES)]
V2 = "v6.12+percpu-v2"


def scenario(name: str, variant: str, preemption: str = "full") -> Scenario:
    return load_scenario(name, {"variant": variant, "preemption": preemption})


def text_of(space: Space, counterexample: Counterexample) -> str:
    """The text of the finding when the token is replayed."""
    token = Token("s", "v", "full", "8a5d091e", counterexample.schedule)
    schedule = decode(encode(token)).schedule
    found = [f for step in follow(space, schedule) for f in step.findings]
    found += findings_of(space, schedule)
    return next(f.text for f in found if f.id == counterexample.finding.id)


def all_shown(searched: Space, verdict: Verdict, replayed: Space) -> int:
    """Replay every counterexample in a space that has seen nothing yet; return their number."""
    for counterexample in verdict.counterexamples.values():
        assert text_of(replayed, counterexample) == counterexample.finding.text
        assert text_of(searched, counterexample) == counterexample.finding.text
    return len(verdict.counterexamples)


@pytest.mark.parametrize("preemption", ["full", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_blocked_move(variant: str, preemption: str) -> None:
    case, base = scenario("blocked-move", variant, preemption), variant.partition("+")[0]
    space = space_of(case)
    verdict = exhaustive(space, 10_000)
    assert bool(all_shown(space, verdict, space_of(case))) == (base in ("v6.12", "v6.16"))


@pytest.mark.parametrize("variant", [V2, "v7.0"])
def test_patch_race_up_to_a_bound(variant: str) -> None:
    case = scenario("patch-race", variant)
    space = space_of(case)
    assert all_shown(space, exhaustive(space, 20_000), space_of(case)) >= 2


def test_random_walks() -> None:
    case = scenario("patch-race", V2)
    space = space_of(case)
    verdict = random_walk(space, 200, Draw(Streams(3).stream("walk")))
    assert verdict.coverage == "sampled"
    assert all_shown(space, verdict, space_of(case)) >= 2


def test_walks_after_a_search_see_what_it_left_out() -> None:
    """States of a finished search have no place for what it never saw written."""
    space = space_of(scenario("patch-race", V2))
    exhaustive(space, 50)
    assert random_walk(space, 20, Draw(Streams(4).stream("walk"))).ends == 20


def test_shrunk_schedules_show_the_same() -> None:
    space = space_of(scenario("patch-race", V2))
    for finding, counterexample in exhaustive(space, 20_000).counterexamples.items():
        shrunk = shrink(space, counterexample.schedule, finding)
        assert finding in [f.id for f in findings_of(space, shrunk)]
        assert len(shrunk) <= len(counterexample.schedule)
        assert switches(shrunk) <= switches(counterexample.schedule)


def test_each_step_is_one_operation() -> None:
    space = space_of(scenario("blocked-move", "v6.12"))
    counterexample = exhaustive(space, 10_000).counterexamples["lost-wakeup:vcpu"]
    steps = list(follow(space, counterexample.schedule))
    assert len(steps) == len(counterexample.schedule)
    locks = [step.op for step in steps if "lock" in step.op]
    assert locks
    assert all(op.count("lock ") <= 1 for op in locks)


@pytest.mark.parametrize("schedule", [(3,), (99,), (0,) * 5_000])
def test_a_schedule_that_cannot_be_followed(schedule: tuple[int, ...]) -> None:
    space = space_of(scenario("blocked-move", "v6.18"))
    with pytest.raises(CannotStep, match="cannot step"):
        list(follow(space, schedule))
    assert findings_of(space, schedule[:1] * 5_000) == ()
