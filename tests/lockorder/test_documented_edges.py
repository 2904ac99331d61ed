"""docs/lock-order.md says which scenario shows which dependency: here they are looked for."""

from __future__ import annotations

import re
from functools import cache

import pytest

from hgeisim.drivers.lock_survey import survey
from hgeisim.lockorder.baseline.baseline import edge_facts
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.scenario.load import load_scenario
from tests.support.source import ROOT

PAGE = (ROOT / "docs" / "lock-order.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| .* \| (?P<edges>`.* < .*`) \| `(?P<scenario>[a-z-]+)` \|$", re.MULTILINE)
ROWS = [(row["scenario"], row["edges"]) for row in ROW.finditer(PAGE)]


@cache
def shown(scenario: str) -> set[Pair]:
    found = survey([(scenario, load_scenario(scenario, {"variant": "v7.0"}))])
    return {pair for each in found.validators.values() for pair in edge_facts(each.known)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "edges"), ROWS, ids=[f"{s}-{n}" for n, (s, _) in enumerate(ROWS)]
)
def test_a_scenario_shows_its_dependencies(scenario: str, edges: str) -> None:
    pairs = {tuple(edge.split(" < ")) for edge in re.findall("`([^`]+)`", edges)}
    assert pairs <= shown(scenario)


def test_the_table_is_there() -> None:
    assert len(ROWS) == 12
    assert sum(edges.count(" < ") for _, edges in ROWS) == 23
