"""A search that is ended early prints what it has found, with tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hgeisim.cli.stopping import Stopped
from hgeisim.drivers.explored.compiled.library import PURE
from hgeisim.drivers.explored.counterexample import isolate, shrink
from hgeisim.drivers.explored.strategies import lock_walks, plain, walk
from hgeisim.drivers.explored.strategies.search import Search
from tests.commands import hgeisim

V2 = ("--variant", "v6.12+percpu-v2")
STOPS: dict[str, tuple[BaseException, int, str]] = {
    "Ctrl-C": (KeyboardInterrupt(), 130, "was interrupted"),
    "an error": (ValueError("what now"), 3, "failed (ValueError)"),
    "no memory": (MemoryError(), 1, "ran out of memory"),
}


def after(number: int, error: BaseException, really: Callable[..., Any]) -> Callable[..., Any]:
    """A function that raises when it is called for the nth time."""
    calls = iter(range(number))

    def call(*args: Any, **named: Any) -> Any:
        if next(calls, None) is None:
            raise error
        return really(*args, **named)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(("error", "status", "words"), STOPS.values(), ids=STOPS)
def test_a_search_that_is_stopped(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, words: str
) -> None:
    expand = after(30_000, error, plain.Plain.expand)
    monkeypatch.setattr(plain.Plain, "expand", expand)
    monkeypatch.setenv(PURE, "1")
    told = hgeisim("explore", "patch-race", *V2)
    assert told.status == status
    assert "violation (bounded): no further than" in told.out
    assert words in told.out.replace("\n  ", " ")
    assert "lock-init-held:hgctrl->lock (V2-1)" in told.out
    tokens = [line.split()[2] for line in told.out.splitlines() if "hgeisim replay" in line]
    monkeypatch.undo()
    statuses = [hgeisim("replay", token).status for token in tokens]
    assert (statuses.count(0), statuses.count(1)) == (5, 9)


@pytest.mark.slow
def test_what_is_found_before_the_search_starts_again_counts_when_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error comes at the first step of the second search."""
    run, runs = Search.run, list[bool]()

    def once(search: Any, *args: Any) -> bool:
        if runs:
            raise KeyboardInterrupt
        runs.append(run(search, 20_000, None))
        return False

    monkeypatch.setattr(Search, "run", once)
    told = hgeisim("explore", "patch-race", *V2)
    assert told.status == 130
    assert "hgeisim replay" in told.out


@pytest.mark.slow
def test_walks_that_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PURE, "1")
    monkeypatch.setattr(walk, "_note_all", after(30, KeyboardInterrupt(), walk._note_all))
    told = hgeisim("explore", "patch-race", *V2, "--walk", "1000", "--json")
    assert told.status == 130
    assert '"bound": "31 random schedules, where it was interrupted"' in told.out
    assert '"token": "hg2.' in told.out


AFTERWARDS = {
    "telling hazards apart": (isolate, "_others"),
    "lock order": (lock_walks, "_walk"),
    "lock order alone": (lock_walks, "shown_alone"),
    "shorter schedules": (shrink, "_shows"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("module", "function"), AFTERWARDS.values(), ids=AFTERWARDS)
@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (Stopped(15), 143), (ValueError("no"), 3)]
)
def test_what_comes_after_the_search_is_stopped(
    monkeypatch: pytest.MonkeyPatch, module: Any, function: str, error: BaseException, status: int
) -> None:
    """The search is told in full: its findings, with tokens, and what it covered."""
    monkeypatch.setattr(module, function, after(0, error, getattr(module, function)))
    told = hgeisim("explore", "move-offline", "--variant", "v7.1")
    assert told.status == status
    assert "exhausted: every interleaving" in told.out
    assert told.out.count("hgeisim replay hg2.") >= 4
    assert "schedules may be longer than they need be" in told.out.replace("\n  ", " ")
    assert ("lock order was not looked at" in told.out) is (module is isolate)
    if function == "_walk":
        text = told.out.replace("\n  ", " ")
        assert "0 schedules, where it " in text


@pytest.mark.slow
def test_the_first_new_finding_is_enough() -> None:
    told = hgeisim("explore", "patch-race", *V2, "--first")
    assert told.status == 1
    assert "bounded): no further than the first finding" in told.out.replace("\n  ", " ")
    assert told.out.count("unlocked:free_bitmap") == 1
    assert "broken-lock" not in told.out
    accepted = hgeisim("explore", "stale-attr", "--variant", "v6.12", "--first")
    assert accepted.status == 0
    assert "exhausted" in accepted.out
    strict = hgeisim("explore", "stale-attr", "--variant", "v6.12", "--first", "--strict")
    assert "the first finding" in strict.out
