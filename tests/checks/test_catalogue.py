"""The catalogue has every check once, and says what each driver cannot see."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from hgeisim import checks
from hgeisim.checks import catalogue
from hgeisim.checks.catalogue import (
    CATALOGUE,
    OTHERS,
    At,
    Offer,
    Row,
    Severity,
    asked,
    is_note,
    not_checked,
    severity_of,
)
from hgeisim.checks.check import CallCheck, OperationCheck, ReturnCheck, StateCheck
from hgeisim.drivers.explored.model.system import EXPLORED, RACED
from hgeisim.drivers.traced.read_trace import TRACED
from hgeisim.report.findings import in_order, unlooked
from hgeisim.watch.asker import IN_TIME, offer_of
from tests.support.commands import hgeisim

OF_OPERATIONS = {At.OPERATION, At.ACCESS, At.MOVED}
"""MOVED is for both kinds: what a move has done, and what it has left."""
OF_CALLS = {At.CALL, At.RETURN}
BASES = ("StateCheck[", "Unwatched[", "OperationCheck", "CallCheck", "ReturnCheck", "Of")
DRIVERS = {"timed": IN_TIME, "explored": RACED, "traced": TRACED}


def classes() -> dict[str, str]:
    """The checks in hgeisim/checks, with the source of each."""
    found = {}
    for path in sorted(Path(checks.__path__[0]).glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            bases = [ast.unparse(base) for base in getattr(node, "bases", ())]
            reports = "Finding(" in ast.unparse(node) or "wrong" in ast.unparse(node)
            if reports and any(base.startswith(BASES) for base in bases):
                assert isinstance(node, ast.ClassDef)
                found[node.name] = ast.unparse(node)
    return found


def functions() -> dict[str, str]:
    """The functions in hgeisim/checks that make findings for checks, with the source of each."""
    paths = sorted(Path(checks.__path__[0]).glob("*.py"))
    nodes = [node for path in paths for node in ast.parse(path.read_text()).body]
    made = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.unparse(node) for node in made if "Finding('" in ast.unparse(node)}


def test_every_check_stands_in_the_catalogue_once() -> None:
    assert sorted(type(row.check).__name__ for row in CATALOGUE) == sorted(classes())


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: type(row.check).__name__)
def test_a_row_names_what_its_check_reports(row: Row) -> None:
    source = classes()[type(row.check).__name__]
    source += "".join(text for name, text in functions().items() if f" {name}(" in source)
    assert set(re.findall(r"Finding\('([a-z-]+)'", source)) == set(row.kinds)


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: type(row.check).__name__)
def test_a_row_has_moments_that_its_check_can_be_asked_at(row: Row) -> None:
    moments = set(row.moments)
    if isinstance(row.check, OperationCheck):
        assert moments <= OF_OPERATIONS
        assert bool(row.check.about) == (At.OPERATION in moments)
    elif isinstance(row.check, CallCheck | ReturnCheck):
        assert moments == {At.CALL if isinstance(row.check, CallCheck) else At.RETURN}
    else:
        assert isinstance(row.check, StateCheck)
        assert not moments & {At.OPERATION, At.ACCESS, *OF_CALLS}
        own = type(row.check).watches is not StateCheck.watches
        assert own or not moments & {At.STATE, At.QUIET}, "a search asks what it depends on"


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: type(row.check).__name__)
def test_a_check_names_the_source_of_its_law(row: Row) -> None:
    law, _, source = (type(row.check).__doc__ or "").partition("Source: ")
    assert law.strip(), "the law comes first"
    assert source.strip().endswith(".")


def test_every_moment_is_offered_by_a_driver_and_has_a_check() -> None:
    offered = {moment for offer in DRIVERS.values() for moment in offer.moments}
    assert offered == set(At)
    assert [moment for moment in At if not asked(moment)] == []


def test_every_kind_is_reported_by_a_driver() -> None:
    missing = [set(not_checked(offer)) for offer in DRIVERS.values()]
    assert set.intersection(*missing) == set()


@pytest.mark.parametrize(
    ("driver", "kinds"),
    [
        (
            "explored",
            ["stale-armed", "unserved", "line-refused"],
        ),
        (
            "timed",
            [
                *("use-after-free", "foreign-vsfile", "double-owner", "not-owner", "leak"),
                *(
                    "fence-lost",
                    "lost-interrupt",
                    "stale-armed",
                    "broken-lock",
                    "unlocked",
                    "deadlock",
                ),
                *("livelock", "data-race"),
            ],
        ),
    ],
)
def test_what_a_driver_cannot_see(driver: str, kinds: list[str]) -> None:
    assert not_checked(DRIVERS[driver]) == kinds


def test_data_races_are_looked_for_where_that_is_wanted() -> None:
    assert {*not_checked(EXPLORED)} - {*not_checked(RACED)} == {"data-race"}


def test_a_user_s_patch_is_looked_at_more_closely_in_a_run() -> None:
    closely = not_checked(offer_of("v7.0+mine.py:Mine"))
    assert set(not_checked(offer_of("v7.0+percpu-v5"))) - set(closely) == {"unlocked"}


def test_a_new_check_is_one_class_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    class Toy(StateCheck[Any]):
        """Nothing."""

    row = Row(Toy(), ("toy",), Severity.POLICY, (At.TWICE, At.STATE))
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, row))
    assert row.check in asked(At.STATE)
    assert "toy" not in not_checked(Offer((At.STATE,)))
    assert not_checked(Offer((At.QUIET,)))[-1] == "toy"
    assert severity_of("toy:x") == Severity.POLICY


def test_the_worst_comes_first() -> None:
    findings: list[dict[str, Any]] = [
        {"id": "mode-refused:aia"},
        {"id": "circular:a -EN-> b -EN->", "switches": 1, "steps": 9},
        {"id": "deadlock:x", "switches": 3, "steps": 1},
        {"id": "deadlock:y", "switches": 1, "steps": 9},
        {"id": "deadlock:z", "switches": 1, "steps": 2},
        {"id": "leak:hgei"},
        {"id": "use-after-free:f", "steps": 99},
        {"id": "stale-armed:hgei"},
    ]
    kinds = [finding["id"][-1] for finding in in_order(findings)]
    assert kinds == ["f", "i", "i", "z", "y", "x", ">", "a"]


def test_severities_of_the_kinds_that_drivers_report() -> None:
    assert severity_of("deadlock:hgctrl->lock") == OTHERS["deadlock"] == Severity.DEADLOCK
    assert severity_of("wait-context:a b") == Severity.LOCK_ORDER


def test_nothing_is_said_where_everything_is_checked() -> None:
    assert list(unlooked([])) == []
    assert list(unlooked(["leak", "deadlock"])) == ["not checked here: leak, deadlock"]


@pytest.mark.slow
def test_reports_say_what_was_not_checked() -> None:
    ran = hgeisim("run", "weak-init", "--until", "1ms", "--json").document()
    assert ran["not_checked"] == not_checked(offer_of("v7.0"))
    explored = hgeisim("explore", "blocked-move")
    assert "not checked here: stale-armed, unserved" in explored.out
    trace = "tests/data/traces/20-enable-at-vm-create.txt.gz"
    traced = hgeisim("trace", "check", trace, "--variant", "v6.12", "--json").document()
    assert traced["not_checked"] == not_checked(TRACED)


def test_the_page_of_verdicts_has_each_kind_and_where_it_shows() -> None:
    page = (Path(checks.__path__[0]).parents[1] / "docs/verdicts.md").read_text()
    table = page.partition("## Kinds of findings")[2]
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE))
    commands = {"run": IN_TIME, "explore": RACED, "trace check": TRACED}
    kinds = dict.fromkeys([*(kind for row in CATALOGUE for kind in row.kinds), *OTHERS])

    def shows(kind: str, at: Offer) -> bool:
        return kind in at.kinds if is_note(kind) else kind not in not_checked(at)

    shown = {
        kind: ", ".join(f"`{name}`" for name, at in commands.items() if shows(kind, at))
        for kind in sorted(kinds, key=severity_of)
    }
    assert list(listed.items()) == list(shown.items())
