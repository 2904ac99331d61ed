"""When memory runs out, a search goes on depth first."""

from __future__ import annotations

from itertools import count

import pytest

from hgeisim.drivers.explored.compiled.library import PURE, library
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model import budget
from hgeisim.drivers.explored.model.budget import Budget
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies import exhaustive as module
from hgeisim.drivers.explored.strategies.exhaustive import depth_first, exhaustive, search_of
from hgeisim.drivers.explored.strategies.random_walk import warm_up
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.scenario.load import load_scenario
from tests.explored.test_merging import HANGS
from tests.support import toys
from tests.support.commands import hgeisim

SCENARIO = load_scenario("blocked-move", {"variant": "v7.0"})
ENGINES = ["", "1"] if library() else ["1"]


@pytest.fixture(params=ENGINES)
def _engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PURE, request.param)


def growing(monkeypatch: pytest.MonkeyPatch, by_mib: int = 1) -> None:
    """A process that grows by some MiB each time it is looked at, once the search is warm."""
    looks, warm = count(step=by_mib), list[bool]()

    def to_warm_up(space: Space, verdict: Verdict) -> None:
        warm.clear()
        warm_up(space, verdict)
        warm.append(True)

    monkeypatch.setattr(module, "warm_up", to_warm_up)
    monkeypatch.setattr(budget, "resident_mib", lambda: next(looks) if warm else 0)


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(("what", "toy", "finding"), HANGS, ids=[what for what, *_ in HANGS])
def test_it_finds_what_comes_later(what: str, toy: toys.Toy, finding: str) -> None:
    """From the start alone, with enough steps to go all ways."""
    space = Space(toys.system(toy))
    space.make_room()
    search = search_of(space, Verdict(), frozenset())
    assert (search.expanded, len(search)) == (0, 1)
    assert depth_first(search, 5_000) > 10, what
    assert set(search.verdict.counterexamples) == {finding}
    whole = exhaustive(Space(toys.system(toy)), 10_000)
    assert set(whole.counterexamples) == {finding}


@pytest.mark.usefixtures("_engine")
def test_what_is_known_is_not_left_again() -> None:
    """From a state whose steps all lead to known ones it goes nowhere."""
    space = space_of(SCENARIO)
    verdict = exhaustive(space, 100_000)
    search = search_of(space, verdict, frozenset())
    assert search.run(100_000, None)
    assert search.expanded == len(search) == verdict.states
    assert all(search.knows(search.state(number)) for number in range(len(search)))
    assert depth_first(search, 1_000) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("_engine")
@pytest.mark.proof
def test_a_search_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows what the states show that it keeps, and nothing that cannot happen."""
    scenario = load_scenario("patch-race", {"variant": "v6.12+percpu-v2"})
    growing(monkeypatch)
    few = exhaustive(space_of(scenario), 4_000)
    space = space_of(scenario, budget=Budget(memory_mib=1))
    verdict = exhaustive(space, 1_000_000)
    assert verdict.states < 12_000
    assert verdict.coverage == "bounded"
    assert verdict.bound.startswith(f"{verdict.states:,} states in 1 MiB of memory, then ")
    assert verdict.bound.endswith(" steps depth first")
    assert verdict.stopped is None
    shown = exhaustive(space_of(scenario), 1_000_000).counterexamples
    assert few.counterexamples.keys() <= verdict.counterexamples.keys() <= shown.keys()


@pytest.mark.slow
@pytest.mark.proof
def test_its_schedules_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    growing(monkeypatch, 900)
    output = hgeisim(
        *("explore", "patch-race", "--variant", "v6.12+percpu-v2"),
        *("--memory", "900", "--strategy", "exhaustive", "--json"),
    )
    result = output.document()
    assert output.status == 1
    assert "in 900 MiB of memory, then " in result["bound"]
    for each in result["findings"]:
        assert each["id"] in hgeisim("replay", each["token"]).out.replace("\n  ", " ")


@pytest.mark.slow
def test_where_there_really_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The coverage so far, and a status of its own for a proof."""

    def no_more(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("hgeisim.drivers.explored.strategies.plain.Plain.look", no_more)
    monkeypatch.setenv(PURE, "1")
    output = hgeisim("explore", "blocked-move", "--variant", "v7.0", "--proof")
    text = output.out.replace("\n  ", " ")
    assert "no further than 1 state, where it ran out of memory, then " in text
    assert output.status == 4
