"""The museum: each historical bug is found, and gone in the kernel with its fix."""

from __future__ import annotations

import pytest

from hgeisim.drivers import museum
from hgeisim.drivers.explored.strategies.portfolio import NAMES
from hgeisim.drivers.museum import TOGETHER, How, bugs, exhibit, is_searched, together
from hgeisim.kernel.variants import find_variant
from hgeisim.kernel.variants.bugs import BUGS
from tests.support.commands import hgeisim

HOW = How(states=600_000)
ALL = {bug.id: bug for bug in bugs()}


LONG = dict.fromkeys(["B-09", "B-16", "V2-4"], pytest.mark.proof)
"""Their searches take 9 seconds and more; that of B-09 fills its budget."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(each, marks=LONG.get(each, ())) for each in ALL])
def test_it_is_found_and_gone_with_its_fix(name: str) -> None:
    shown = exhibit(ALL[name], HOW if name != "B-09" else How())
    assert shown.is_as_it_should, shown
    assert shown.buggy.found is not None
    assert shown.buggy.found.id in ALL[name].shows
    coverage = "exhausted" if shown.fixed.states else "sampled"
    assert shown.fixed.coverage == ("bounded" if name == "B-09" else coverage)


TOGETHER_BUGS = [bug.id for bug in bugs() if bug.together]


def test_eight_show_in_one_scenario() -> None:
    """Each is looked for there by `make proof`; a quick one here."""
    assert len(TOGETHER_BUGS) >= 8
    for how in TOGETHER:
        shown = exhibit(ALL["B-12"].in_scenario(together()), how._replace(schedules=20))
        assert shown.is_as_it_should


@pytest.mark.proof
@pytest.mark.parametrize("name", TOGETHER_BUGS)
def test_it_is_found_in_one_scenario_with_others(name: str) -> None:
    shown = exhibit(ALL[name].in_scenario(together()), *TOGETHER)
    assert shown.is_as_it_should, shown
    assert shown.strategy in [how.strategy for how in TOGETHER]


def test_each_is_of_kernels_and_of_a_scenario_that_there_are() -> None:
    for bug in ALL.values():
        assert find_variant(bug.buggy) is not find_variant(bug.fixed)
        assert len(bug.title) <= 100, bug


def test_each_variant_of_a_bug_is_in_the_museum() -> None:
    used = {part for bug in ALL.values() for each in bug[3:5] for part in each.split("+")[1:]}
    assert BUGS.keys() <= used


@pytest.mark.slow
def test_a_museum_that_lies() -> None:
    """A fix that is none, and a bug that is none."""
    bug = ALL["B-17"]
    kept = exhibit(bug._replace(fixed=bug.buggy), How(states=1_000))
    assert (kept.buggy.found is not None, kept.is_as_it_should) == (True, False)
    none = exhibit(bug._replace(buggy=bug.fixed), How(states=1_000))
    assert (none.buggy.found, none.is_as_it_should) == (None, False)


@pytest.mark.slow
def test_on_the_command_line() -> None:
    output = hgeisim("museum", "B-03", "B-17")
    assert output.status == 0
    assert "2 of 2 bugs found, and not with their fixes" in output.out
    result = hgeisim("museum", "B-03", "--json").document()
    (bug,) = result["bugs"]
    assert (bug["id"], bug["found"], bug["twin_clean"]) == ("B-03", True, True)
    assert bug["seconds"] < 10
    assert bug["steps"] > 10
    assert hgeisim("replay", bug["token"]).status == 1
    few = hgeisim("museum", "V2-2", "--states", "10")
    assert few.status in {0, 1}


def test_a_name_that_is_none() -> None:
    output = hgeisim("museum", "B-30")
    assert (output.status, output.out) == (2, "")
    assert "BUG = B-30: is not a bug of the museum; did you mean" in output.err


@pytest.mark.slow
def test_which_strategies_find_it() -> None:
    result = hgeisim("museum", "B-17", "B-08", "--strategies", "--json").document()
    searched, others = result["bugs"][0], result["bugs"][1]
    assert [*searched["strategies"]] == [*NAMES]
    assert all(each["seconds"] is not None for each in searched["strategies"].values())
    assert searched["strategies"]["random"]["schedules"] == 1
    assert "strategies" not in others  # it shows in lock order
    not_searched = [bug.id for bug in bugs() if not is_searched(bug)]
    assert not_searched == ["B-05", "B-08", "B-16", "V2-4", "V2-9", "V5-1"]
    text = hgeisim("museum", "B-17", "--strategies").out
    assert "(1 schedule)" in text
    assert "not by" not in text


@pytest.mark.slow
def test_one_that_shows_in_a_run() -> None:
    output = hgeisim("museum", "V2-9")
    assert output.status == 0
    assert "mode-refused:aia by `run weak-init` after" in output.out
    assert "seed 1, at " in output.out
    assert "v6.12+percpu-v4: not found; sampled 5 seeds" in output.out


def test_a_bug_that_does_not_show_with_the_others() -> None:
    output = hgeisim("museum", "--together", "B-12", "B-15")
    assert (output.status, output.out) == (2, "")
    assert "BUG = B-15: does not show in crowd; leave --together out" in output.err


def test_a_name_said_twice_is_one_bug() -> None:
    result = hgeisim("museum", "B-17", "B-17", "--states", "10")
    assert "1 of 1 bug found" in result.out
    assert "v7.3: not found; bounded 10 states" in result.out


@pytest.mark.slow
def test_strategies_are_tried_where_a_bug_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --together that is the scenario of all."""
    tried = list[tuple[str, str]]()

    def noted(bug: museum.Bug, strategy: str, seconds: float) -> museum.Shown:
        tried.append((bug.scenario, strategy))
        return museum.Shown(None, "sampled", "")

    monkeypatch.setattr(museum, "tried", noted)
    monkeypatch.setattr(museum, "TOGETHER", [how._replace(schedules=20) for how in TOGETHER])
    result = hgeisim("museum", "B-12", "--together", "--strategies", "--json").document()
    assert result["bugs"][0]["scenario"] == together()
    assert tried == [(together(), name) for name in NAMES]
