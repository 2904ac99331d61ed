"""The standing of a finding of a variant against its base; and the obvious mending of F-3."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.checks.finding import Bounds, Finding, Standing
from hgeisim.drivers.explored.comparison import Shown, compared, shown
from hgeisim.drivers.explored.strategies.levels import FewestSwitches
from hgeisim.drivers.explored.strategies.verdict import Counterexample
from hgeisim.scenario.canonical import clean_twin, left_out
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim


def whole(**switches: int) -> Shown:
    return Shown({i: Bounds(number, number) for i, number in switches.items()}, None)


def cut(others: int, **bounds: tuple[int, int]) -> Shown:
    return Shown({i: Bounds(*both) for i, both in bounds.items()}, others)


def words(variant: Shown, base: Shown) -> dict[str, str]:
    return {i: standing.word for i, standing in compared(variant, base).items()}


def test_two_whole_searches() -> None:
    made = compared(whole(new=1, fewer=3, same=4, more=5), whole(fewer=4, same=4, more=4, old=2))
    assert made == {
        "new": Standing("introduced"),
        "fewer": Standing("easier", Bounds(4, 4)),
        "same": Standing("pre-existing", Bounds(4, 4)),
        "more": Standing("pre-existing", Bounds(4, 4)),
        "old": Standing("gone", Bounds(2, 2)),
    }


def test_where_the_base_is_cut_short_nothing_is_introduced() -> None:
    base = cut(4, same=(3, 3), later=(4, 9))
    assert words(whole(new=1, same=3, later=3), base) == {
        "new": "unknown",
        "same": "pre-existing",
        "later": "easier",
    }


@pytest.mark.parametrize(
    ("own", "other", "word"),
    [
        ((5, 8), (5, 5), "pre-existing"),
        ((5, 8), (7, 7), "unknown"),
        ((5, 8), (9, 9), "easier"),
        ((5, 5), (3, 6), "unknown"),
    ],
)
def test_numbers_that_are_not_exact(
    own: tuple[int, int], other: tuple[int, int], word: str
) -> None:
    assert words(cut(5, a=own), cut(3, a=other)) == {"a": word}


def test_nothing_is_gone_where_the_variant_is_cut_short() -> None:
    assert words(cut(5), whole(old=9)) == {}


def test_what_two_searches_know_together() -> None:
    found = {i: Counterexample(Finding(i, "", ""), (0, 1, 0, 1)) for i in ("near:", "far:")}
    near = Counterexample(Finding("near", "", ""), (0, 1))
    fewest = FewestSwitches({"near:": near}, 2)
    assert shown(fewest, found) == cut(2, **{"near:": (1, 1), "far:": (2, 3)})
    assert shown(fewest, found, whole=True).whole


TWINS = {
    "late-vm": ["cpuhp/2"],
    "suspend": ["suspend"],
    "attr-offline": ["cpuhp/0"],
    "monitor-exits": ["cpuhp/0"],
    "crowd": ["cpuhp/0", "cpuhp/2"],
    "everything": ["cpuhp/0"],
    "host-shutdown": ["reboot"],
    "module-load": ["cpuhp/0"],
    "move-offline": ["cpuhp/0"],
    "patch-race": ["cpuhp/0"],
    "reset-release": ["cpuhp/0"],
    "replugged-sleeper": ["cpuhp/1"],
    "sleeper-offline": ["cpuhp/0"],
}


def test_the_clean_twin_has_no_hotplug_and_no_shutdown() -> None:
    for name in built_in_names():
        scenario = load_scenario(name)
        twin = clean_twin(scenario)
        assert (twin is not None) == (name in TWINS), name
        if twin is not None:
            assert left_out(scenario) == TWINS[name]
            assert {task.name for task in twin.task} == {
                task.name for task in scenario.task if task.name not in TWINS[name]
            }
            assert twin.digest != scenario.digest
            assert clean_twin(twin) is None


def test_a_scenario_of_hotplug_alone_has_no_clean_twin() -> None:
    scenario = load_scenario("move-offline")
    only = tuple(task for task in scenario.task if task.name == "cpuhp/0")
    assert clean_twin(scenario.model_copy(update={"task": only})) is None


PATCH = Path(__file__).parent.parent / "data/patches/still_here.py"


@pytest.mark.slow
def test_the_obvious_mending_is_not_enough() -> None:
    output = hgeisim("explore", "move-offline", "--variant", f"v7.0+{PATCH}:StillHere", "--json")
    document = output.document()
    standings = {each["id"]: each["standing"] for each in document["findings"]}
    assert standings["set-up-lost:vcpu"] == "pre-existing"
    assert "foreign-release:vsfile" in [each["id"] for each in document["gone"]]
    switches = {each["id"]: each["switches"] for each in document["findings"]}
    assert switches["set-up-lost:vcpu"] == 3
