"""The command line names the strategies that there are."""

from __future__ import annotations

from pathlib import Path

from hgeisim.drivers.explored.strategies import portfolio as named
from hgeisim.drivers.explored.strategies.sampling import SAMPLERS
from hgeisim.library import how_to_search as strategy

DOCS = Path(__file__).parents[2] / "docs/searching.md"


def test_the_command_line_knows_all() -> None:
    assert tuple(named.SEARCHES) == strategy.SEARCHING
    assert tuple(SAMPLERS) == strategy.DRAWING
    assert named.NAMES == strategy.STRATEGIES


def test_the_docs_name_all() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert tuple(rows[: len(named.NAMES)]) == named.NAMES
