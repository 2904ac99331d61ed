"""docs/pairs.md: each pair has its row, and small ones are searched again."""

from __future__ import annotations

import pytest

import hgeisim
from benchmarks.pairs import ACTIVITIES, PAGE, PAIRS, Pair, _does

ROWS = {
    cells[1]: cells[2:]
    for cells in (
        [cell.strip() for cell in line.split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and "+" in line
    )
}
AGAIN = ("migration+reset", "hotplug+power-down", "power-down+block and wake")


def test_each_pair_has_a_row_and_nothing_was_cut() -> None:
    assert [*ROWS] == [pair.name for pair in PAIRS]
    assert {row[0] for row in ROWS.values()} == {"exhausted"}
    assert "New findings: none." in PAGE.read_text(encoding="utf-8")


def test_the_page_says_what_they_do() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"{_does(name)}\n" in text for name in ACTIVITIES)


@pytest.mark.slow
@pytest.mark.parametrize("name", AGAIN)
def test_a_search_shows_what_the_page_says(name: str) -> None:
    first, _, second = name.partition("+")
    found = hgeisim.explore(Pair(first, second).scenario()).document
    names = dict.fromkeys(each["known_as"] or each["id"] for each in found["findings"])
    verdict, states, findings, *_ = ROWS[name]
    assert (found["coverage"], f"{found['states']:,}") == (verdict, states)
    assert (", ".join(names) or "none") == findings
