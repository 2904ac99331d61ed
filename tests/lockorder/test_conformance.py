"""The public cases: every verdict, every kind of violation, and the operation that shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hgeisim.lockorder.cases.case_file import Place, read_cases
from hgeisim.lockorder.cases.conformance import Conformance, Disagreement, conformance
from tests.lockorder.test_programs import case_of

CASES = Path(__file__).parent.parent / "data" / "lock-order-cases.json"
INVERSION = ("A:mutex B:mutex", "lock A, lock B, unlock B, unlock A", "lock B, lock A")


@pytest.mark.slow
def test_all_cases_agree() -> None:
    cases = read_cases(CASES)
    assert conformance(cases) == Conformance(
        total=408, agree=408, in_place=408, out_of_scope=43, disagreements=()
    )


def test_a_missing_violation_disagrees() -> None:
    case = case_of(*INVERSION, expect="fail", violation="recursion")
    score = conformance([case])
    assert (score.total, score.agree, score.in_place) == (1, 0, 0)
    assert score.disagreements == (Disagreement("short", "recursion", "circular"),)


def test_a_report_where_none_is_expected_disagrees() -> None:
    score = conformance([case_of(*INVERSION)])
    assert score.disagreements == (Disagreement("short", "pass", "circular"),)


def test_silence_where_a_report_is_expected_disagrees() -> None:
    score = conformance([case_of("A:mutex", "lock A", expect="fail", violation="recursion")])
    assert score.disagreements == (Disagreement("short", "recursion", "pass"),)


def test_too_few_reports_disagree() -> None:
    case = case_of(*INVERSION, expect="fail", violation="circular", min_reports=2)
    expected = Disagreement("short", "circular and 2 reports", "circular and 1 reports")
    assert conformance([case]).disagreements == (expected,)
    assert conformance([replace(case, reports_min=1)]).agree == 1


def test_another_place_agrees_but_is_counted() -> None:
    case = case_of(*INVERSION, expect="fail", violation="circular", fail_at={"thread": 1, "op": 0})
    score = conformance([case])
    assert (score.agree, score.in_place) == (1, 0)
    right = replace(case, fails_at=Place(1, 1))
    assert conformance([right]).in_place == 1


def test_what_is_out_of_scope_is_not_played() -> None:
    score = conformance([case_of(*INVERSION, scope="out")])
    assert (score.total, score.out_of_scope, score.disagreements) == (0, 1, ())


def test_the_score_is_split_by_group() -> None:
    case = case_of(*INVERSION, expect="fail", violation="circular")
    right = replace(case, group="abba")
    wrong = replace(case_of("A:mutex", "lock A", expect="fail", violation="recursion"), id="w")
    score = conformance([right, wrong, replace(right, id="again")])
    assert [*score.groups.items()] == [("abba", (2, 2)), ("other", (0, 1))]
