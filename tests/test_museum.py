"""The museum: each historical bug is found, and gone in the kernel with its fix."""

from __future__ import annotations

import pytest

from hgeisim.drivers.explored.museum import bugs, exhibit
from hgeisim.kernel.variants import find_variant
from hgeisim.kernel.variants.bugs import BUGS
from hgeisim.scenario.load import load_scenario
from tests.commands import hgeisim

STATES_MAX = 600_000
ALL = {bug.id: bug for bug in bugs()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_it_is_found_and_gone_with_its_fix(name: str) -> None:
    shown = exhibit(ALL[name], STATES_MAX if name != "B-09" else 1_000_000)
    assert shown.is_as_it_should, shown
    assert shown.buggy.way is not None
    assert shown.buggy.way.finding.id in ALL[name].shows
    assert shown.fixed.verdict.coverage == ("bounded" if name == "B-09" else "exhausted")


def test_each_is_of_kernels_and_of_a_scenario_that_there_are() -> None:
    for bug in ALL.values():
        assert find_variant(bug.buggy) is not find_variant(bug.fixed)
        assert load_scenario(bug.scenario).task, bug
        assert len(bug.title) <= 100, bug


def test_each_variant_of_a_bug_is_in_the_museum() -> None:
    used = {part for bug in ALL.values() for each in bug[3:5] for part in each.split("+")[1:]}
    assert BUGS.keys() <= used


@pytest.mark.slow
def test_a_museum_that_lies() -> None:
    """A fix that is none, and a bug that is none."""
    bug = ALL["B-17"]
    kept = exhibit(bug._replace(fixed=bug.buggy), 1_000)
    assert (kept.buggy.way is not None, kept.is_as_it_should) == (True, False)
    none = exhibit(bug._replace(buggy=bug.fixed), 1_000)
    assert (none.buggy.way, none.is_as_it_should) == (None, False)


@pytest.mark.slow
def test_on_the_command_line() -> None:
    told = hgeisim("museum", "B-03", "B-17")
    assert told.status == 0
    assert "2 of 2 bugs found, and gone with their fixes" in told.out
    result = hgeisim("museum", "B-03", "--json").document()
    (bug,) = result["bugs"]
    assert (bug["id"], bug["found"], bug["twin_clean"]) == ("B-03", True, True)
    assert bug["seconds"] < 10
    assert bug["steps"] > 10
    assert hgeisim("replay", bug["token"]).status == 1
    few = hgeisim("museum", "V2-2", "--states", "10")
    assert few.status in {0, 1}


def test_a_name_that_is_none() -> None:
    told = hgeisim("museum", "B-30")
    assert (told.status, told.out) == (2, "")
    assert "BUG = B-30: is no bug here; did you mean" in told.err
