"""A search refuses what it does not understand of a scenario; a token depends on the rest only."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from hgeisim.drivers.explored import explored_scenario as explorable
from hgeisim.drivers.explored.explored_scenario import explored_digest, unexplorable
from hgeisim.drivers.explored.model.frames import PYTHONS
from hgeisim.errors import InputError
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.parse import KEYS
from hgeisim.scenario.schema import Scenario
from tests.support.source import ROOT

NEW = "power_down"


class Later(Scenario):
    """A scenario as it may be one day, with a table more."""

    power_down: tuple[int, ...] = ()


def later(**more: Any) -> Scenario:
    loaded = load_scenario("stale-attr")
    fields = {name: getattr(loaded, name) for name in Scenario.model_fields}
    return Later.model_construct(**fields, **more)


def test_a_new_table_is_refused_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorable, "KEYS", (*KEYS, NEW))
    assert list(unexplorable(later())) == []
    (problem,) = unexplorable(later(power_down=(1,)))
    assert problem.where == NEW
    assert "is not explored" in problem.allowed


def test_each_key_of_a_scenario_is_used_ignored_or_refused() -> None:
    refused = {"vm", "balance", "hotplug", "random_hotplug", "device", "lock_load"}
    assert set(KEYS) == {*explorable.USED, *explorable.IGNORED, *refused}


@pytest.mark.parametrize(
    ("setting", "counts"),
    [
        ("run.until=5ms", False),
        ("run.seed=7", False),
        ("timing.ipi=5us", False),
        ("title=other", False),
        ("kernel.preemption=none", True),
        ("vcpu[0].hart=1", True),
    ],
)
def test_what_a_token_depends_on(setting: str, counts: bool) -> None:
    before = explored_digest(load_scenario("stale-attr"))
    after = explored_digest(load_scenario("stale-attr", settings=[setting]))
    assert (before != after) is counts


def test_an_untested_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search reads the bytecode of suspended paths, which each version of Python changes."""
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(
        InputError, match=r"python: version = 3\.14: is not tested.* 3\.11 to 3\.13"
    ):
        explorable.system_of(load_scenario("stale-attr"))


def test_the_package_names_the_tested_pythons() -> None:
    named = re.findall(r"Python :: (3\.\d+)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE)
    assert named == [".".join(map(str, version)) for version in PYTHONS]
