"""The loop in C agrees with that in Python: the same verdicts, counts, schedules and questions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hgeisim.drivers.explored.compiled import library
from hgeisim.drivers.explored.compiled.library import COMPILED, PURE, engine
from hgeisim.drivers.explored.explored_scenario import space_of, unexplorable
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.compiled import Compiled
from hgeisim.drivers.explored.strategies.context_bounding import ALL, fewest_switches, levels_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive, search_of
from hgeisim.drivers.explored.strategies.levels import PlainLevels
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import Draw
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.kernel.variants import BASES, SERIES, variant_problem
from hgeisim.library.own_patch import execute
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from tests.support.kernels import PROVED

VARIANTS = [*BASES, *(f"v6.12+{patch}" for patch in SERIES)]
OWN = f"v7.0+{Path(__file__).parent.parent / 'data/patches/broken.py'}:NothingArmed"
FEW = 3_000
MANY = 5_000
needs_it = pytest.mark.skipif(
    shutil.which("cc") is None, reason="without a compiler Python has no other loop"
)


def said(verdict: Verdict) -> list[Any]:
    """The whole content of a verdict, in order."""
    found = [(i, c.finding.text, c.schedule) for i, c in verdict.counterexamples.items()]
    numbers = [verdict.states, verdict.transitions, verdict.ends]
    return [verdict.coverage, verdict.bound, *numbers, found]


def searched(scenario: Scenario, states_max: int) -> list[Any]:
    """The results of searches of a space: all of it, without findings, up to the first, by
    switches; and the steps learned, in order."""
    space, progress = space_of(scenario), list[tuple[int, int]]()
    first = exhaustive(space, states_max, progress=lambda *both: progress.append(both))
    ids = list(first.counterexamples)
    all_ways = [first, exhaustive(space, states_max, enough=lambda finding: True)]
    all_ways += [exhaustive(space, states_max, frozenset(each)) for each in ([*ids[:1]], ids)]
    fewest = fewest_switches(space, states_max, progress=lambda *both: progress.append(both))
    ways = [(i, way.schedule) for i, way in fewest.ways.items()]
    walked = [
        said(random_walk(each, 60, Draw(Streams(7).stream("walk"), one_in)))
        for each in (space, space.fine)
        for one_in in (0, 8)
    ]
    learned = [space.steps_learned, space.codebook.values]
    numbers = [fewest.levels, fewest.states]
    return [*map(said, all_ways), *walked, *numbers, ways, progress, learned]


def agree(
    monkeypatch: pytest.MonkeyPatch, scenario: Scenario, states_max: int, searches: Any = searched
) -> None:
    monkeypatch.delenv(PURE, raising=False)
    assert engine() == COMPILED
    compiled = searches(scenario, states_max)
    monkeypatch.setenv(PURE, "1")
    assert engine() == "python (HGEISIM_PURE is set)"
    assert searches(scenario, states_max) == compiled


@needs_it
@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "variant"),
    [("patch-race", "v6.12+percpu-v2"), ("sleeper-offline", "v6.12"), ("blocked-move", OWN)],
)
def test_both_loops_say_the_same(
    scenario: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(OWN)
    agree(monkeypatch, load_scenario(scenario, {"variant": variant}), FEW)


@needs_it
@pytest.mark.proof
@pytest.mark.parametrize("variant", PROVED)
@pytest.mark.parametrize("name", built_in_names())
def test_both_loops_say_the_same_of_all(
    name: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_scenario(name, {"variant": variant})
    if not list(unexplorable(scenario)):
        agree(monkeypatch, scenario, MANY)


@needs_it
@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v7.0", OWN])
def test_both_loops_keep_the_same(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data for later searches and for livelocks: states, how each was reached, those
    from which nothing is new, and the nodes of a search by switches."""
    execute(OWN)
    scenario = load_scenario("moved-sleeper", {"variant": variant}, variant_problem)
    made, levels = {}, {}
    for pure in ("", "1"):
        monkeypatch.setenv(PURE, pure)
        space = space_of(scenario)
        exhaustive(space, MANY)
        made[pure] = search_of(space, Verdict(), frozenset())
        made[pure].run(MANY, None)
        levels[pure] = levels_of(space, MANY, ALL)
        levels[pure].run(None)
    plain, compiled = made["1"], made[""]
    states = range(len(plain))
    assert len(compiled) == len(states)
    assert [compiled.state(n) for n in states] == [plain.state(n) for n in states]
    assert [compiled.origin(n) for n in states] == [plain.origin(n) for n in states]
    assert list(compiled.dead_ends) == list(plain.dead_ends)
    assert list(compiled.returns) == list(plain.returns)
    assert isinstance(levels["1"], PlainLevels)
    nodes = levels["1"].origins
    assert [levels[""].origin(n) for n in range(len(nodes))] == list(nodes)


@needs_it
@pytest.mark.slow
def test_states_are_packed_again_when_a_place_gets_wider(monkeypatch: pytest.MonkeyPatch) -> None:
    """In single operations nothing is known beforehand, so all places begin without a bit."""
    fine = lambda scenario, most: said(exhaustive(space_of(scenario).fine, most))  # noqa: E731
    agree(monkeypatch, load_scenario("patch-race"), 10_000, fine)


@needs_it
def test_states_are_small() -> None:
    space = space_of(load_scenario("two-lines"))
    exhaustive(space, 20_000)
    assert _bytes_a_state(space, 20_000) <= 110


def _bytes_a_state(space: Space, states_max: int) -> float:
    search = search_of(space, Verdict(), frozenset())
    search.run(states_max, None)
    assert isinstance(search, Compiled)
    return search.core.bytes_used / len(search)


def test_a_build_of_another_source_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _without(monkeypatch, lambda here: (here / "search.c").write_text("/* another */"), tmp_path)
    if shutil.which("cc"):
        why = "the compiled loop was built from another source: install hgeisim again"
        assert engine() == f"python ({why})"


def test_without_a_build_python_searches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _without(
        monkeypatch, lambda here: [each.write_text("") for each in here.glob("*.so")], tmp_path
    )
    assert engine() == "python (the compiled loop was not built)"
    assert exhaustive(space_of(load_scenario("blocked-move")), MANY).coverage == "exhausted"


def _without(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], Any], tmp_path: Path
) -> None:
    """A copy of the compiled loop, with a change."""
    here = shutil.copytree(library.HERE, tmp_path / "compiled")
    change(here)
    monkeypatch.setattr(library, "HERE", here)
    monkeypatch.setattr(library, "_loaded", library._loaded.__wrapped__)
    monkeypatch.delenv(PURE, raising=False)
