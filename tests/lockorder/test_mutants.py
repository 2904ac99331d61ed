"""The list of mutants of lock order names code that is there."""

from __future__ import annotations

import pytest

from benchmarks.lock_mutants import TESTS, mutants
from tests.support.source import ROOT


@pytest.mark.parametrize("number", range(len(mutants())))
def test_a_mutant_has_its_place(number: int) -> None:
    mutant = mutants()[number]
    text = (ROOT / "hgeisim" / mutant["file"]).read_text(encoding="utf-8")
    assert text.count(mutant["old"]) == 1
    assert mutant["old"] != mutant["new"]


def test_its_tests_are_there() -> None:
    assert [name for name in TESTS if not (ROOT / "tests" / name).exists()] == []
