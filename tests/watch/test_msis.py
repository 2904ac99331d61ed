"""The MSIs that took an SGEI: each counts once, and there are never more than were sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.drivers.timed import base_runs
from hgeisim.machine.ledger import ledger
from tests.support.commands import hgeisim

NOT_DISARMED = Path(__file__).parent.parent / "data/patches/broken.py"
"""hgei_interrupt leaves HGEIE set in one of its patches: the level stays, and SGEI comes again."""


def test_an_msi_counts_once_and_a_merged_one_as_well() -> None:
    books = ledger(None, "v1")
    tally = books.tally
    assert tally is not None
    for identity in (1, 1, 2):
        books.send(identity)
    tally.sgei(books.owed)
    tally.sgei(books.owed)
    assert (tally.sent, tally.merged, tally.by_sgei) == (3, 1, 3)
    books.send(1)
    books.take(0b10)
    tally.sgei(books.owed)
    assert tally.by_sgei == 3  # the fourth was merged, and taken without one
    books.send(1)
    tally.sgei(books.owed)
    assert (tally.sent, tally.by_sgei) == (5, 4)


def test_dropped_and_lost_msis_take_none_any_more() -> None:
    books = ledger(None, "v1")
    tally = books.tally
    assert tally is not None
    books.send(1)
    books.lose(0b10)
    books.send(2)
    books.reset_ends()
    books.send(3)
    books.end()
    books.send(4)
    tally.sgei(0b11110)
    assert (tally.sent, tally.by_sgei) == (4, 0)


@pytest.mark.slow
def test_an_sgei_that_comes_again_is_not_counted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base_runs, "RUNS", 1)
    monkeypatch.setattr(base_runs, "FEW", 1)
    variant = f"v7.0+{NOT_DISARMED}:NotDisarmed"
    result = hgeisim("run", "sgei-storm", "--until", "3ms", "--variant", variant, "--json")
    document = result.document()
    msis = document["reach"]["msis"]
    assert 0 < msis["sgei"] <= msis["sent"]
    assert sum(hart["sgei"] for hart in document["harts"]) > msis["sent"]
