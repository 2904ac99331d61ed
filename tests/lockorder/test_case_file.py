"""Case files that are wrong: each mistake is reported with its place and the allowed values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hgeisim.errors import InputError
from hgeisim.lockorder.cases.case_file import cases_from, read_cases
from tests.lockorder.test_programs import document

GOOD = document("A:mutex R:rwlock", "lock A")


def thread(*ops: Any) -> dict[str, Any]:
    return {"threads": [{"name": "T", "ops": list(ops)}]}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "[0].id = '': must be a name"),
    ({"id": None}, "[0].id = None: must be a name"),
    ({"scope": "far"}, "[0] (short).scope = 'far': must be one of in, out"),
    ({"lock_types": []}, "[0] (short).lock_types = []: must be an object"),
    ({"lock_types": {"A": "futex"}}, "[0] (short).lock_types.A = 'futex': must be one of raw_"),
    ({"classes": {"Z": "Y"}}, "[0] (short).classes = 'Z': must be one of A, R"),
    ({"classes": {"A": 1}}, "[0] (short).classes.A = 1: must be a name"),
    ({"threads": {}}, "[0] (short).threads = {}: must be a list"),
    ({"threads": [3]}, "[0] (short).threads[0] = 3: must be an object"),
    ({"threads": [{"ops": []}]}, "[0] (short).threads[0].name: is missing; must be a name"),
    ({"threads": [{"name": "T"}]}, "[0] (short).threads[0].ops: is missing; must be a list"),
    (
        {"threads": [{"name": "T", "context": "nmi", "ops": []}]},
        "[0] (short).threads[0].context = 'nmi': must be one of task",
    ),
    ({"expect": "maybe"}, "[0] (short).expect = 'maybe': must be one of pass, fail"),
    ({"expect": "fail"}, "[0] (short).violation: is missing; must be a name"),
    ({"read_lock_mode": "fair"}, "[0] (short).read_lock_mode = 'fair': must be one of queued, rec"),
    ({"config": {"preempt_rt": 1}}, "[0] (short).config.preempt_rt = 1: must be true or false"),
    (
        {"config": {"prove_raw_lock_nesting": "y"}},
        "[0] (short).config.prove_raw_lock_nesting = 'y': must be true or false",
    ),
    ({"min_reports": -1}, "[0] (short).min_reports = -1: must be a whole number, 0 or more"),
    ({"min_reports": True}, "[0] (short).min_reports = True: must be a whole number, 0 or more"),
    ({"fail_at": {"thread": 0}}, "[0] (short).fail_at.op: is missing; must be a whole number"),
    (thread([]), "[0] (short).threads[0].ops[0] = []: must name an operation"),
    (thread(["jump"]), "[0] (short).threads[0].ops[0][0] = 'jump': must be one of lock, trylock"),
    (thread(["lock"]), "[0] (short).threads[0].ops[0] = ['lock']: lock takes a lock of lock_types"),
    (thread(["lock", "Z"]), "[0] (short).threads[0].ops[0][1] = 'Z': must be one of A, R"),
    (thread(["read_lock", "A"]), "ops[0][1] = 'A': is a mutex, which has no readers"),
    (thread(["lock", "A", {}, 1]), "ops[0][3] = 1: lock takes nothing more"),
    (thread(["lock", "A", {"class": 1}]), "ops[0][2] = 'class': must be one of subclass, nest"),
    (thread(["unlock", "A", {"nest": "A"}]), "ops[0][2] = 'nest': must be left out"),
    (thread(["lock", "A", {"subclass": "x"}]), "ops[0][2].subclass = 'x': must be a whole number"),
    (thread(["lock", "A", {"nest": "Z"}]), "ops[0][2].nest = 'Z': must be one of A, R"),
    (thread(["hardirq_enter", {"threaded": 1}]), "ops[0][1].threaded = 1: must be true or false"),
    (thread(["irq_save"]), "ops[0] = ['irq_save']: irq_save takes a name for the saved state"),
    (thread(["irq_restore", "f"]), "ops[0] = ['irq_restore', 'f']: must restore what an irq_save"),
    (thread(["might_alloc", "GFP"]), "ops[0][1] = 'GFP': must be one of GFP_KERNEL"),
    (thread(["wait", 1]), "ops[0][1] = 1: must be a name"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_mistake_is_reported(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        cases_from([GOOD | change], "cases.json")
    (problem,) = caught.value.problems
    assert problem.file == "cases.json"
    assert message in str(problem)


def test_every_wrong_case_is_reported() -> None:
    with pytest.raises(InputError) as caught:
        cases_from([GOOD | {"expect": 1}, GOOD | {"id": "b"}, GOOD | {"id": "b"}, 7])
    assert [problem.where for problem in caught.value.problems] == [
        "[0] (short).expect",
        "[2].id",
        "[3]",
    ]


def test_a_long_value_is_cut() -> None:
    with pytest.raises(InputError, match=r"= 'x{56}\.\.\.: must be one of pass, fail"):
        cases_from([GOOD | {"expect": "x" * 100}])


def test_a_document_must_be_a_list() -> None:
    with pytest.raises(InputError, match=r"^cases = \{\}: must be a list"):
        cases_from({})


def test_what_is_out_of_scope_needs_no_kind() -> None:
    (case,) = cases_from([GOOD | {"expect": "fail", "violation": None, "scope": "out"}])
    assert (case.violation, case.in_scope) == ("any", False)


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text("[\n  {,\n]", encoding="utf-8")
    with pytest.raises(InputError, match=r"cases\.json: line 2 column 4: must be JSON: "):
        read_cases(path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_bytes(b"[\xff]")
    with pytest.raises(InputError, match=r"cases\.json: line 1 = byte 0xff: must be UTF-8"):
        read_cases(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read: No such file"):
        read_cases(tmp_path / "none.json")
