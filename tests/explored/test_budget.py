"""The budget of a search: it ends within a quarter more, and says which budget ended it."""

from __future__ import annotations

from itertools import count

import pytest

from hgeisim.drivers.explored.compiled.library import PURE, library
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model import budget
from hgeisim.drivers.explored.model.budget import Budget, PartSpent, Spent, resident_mib
from hgeisim.drivers.explored.strategies.portfolio import NAMES, SEARCHES
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import SAMPLERS
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Streams
from tests.support.commands import hgeisim

PATCHED = ("--variant", "v6.12+percpu-v2")
V2 = {"variant": PATCHED[1]}
ENGINES = ["", "1"] if library() else ["1"]
STEPS = 20_000


def searched(name: str, given: Budget) -> Verdict:
    """A search of patch-race by a strategy."""
    space = space_of(load_scenario("patch-race", V2), budget=given)
    if name in SEARCHES:
        return SEARCHES[name](space, 1_000_000, progress=None, enough=lambda _: False)
    return random_walk(space, 100_000, SAMPLERS[name](Streams(1).stream("test")))


@pytest.mark.slow
@pytest.mark.parametrize("pure", ENGINES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.proof
def test_steps(monkeypatch: pytest.MonkeyPatch, name: str, pure: str) -> None:
    monkeypatch.setenv(PURE, pure)
    given = Budget(steps=STEPS)
    verdict = searched(name, given)
    assert verdict.coverage in {"bounded", "sampled"}
    assert f"in {STEPS:,} steps" in verdict.bound
    assert STEPS <= given.made < 1.25 * STEPS
    assert verdict.stopped is None


@pytest.mark.slow
@pytest.mark.parametrize("pure", ENGINES)
@pytest.mark.parametrize("name", ["portfolio", "exhaustive", "switches", "random", "pct"])
def test_seconds(monkeypatch: pytest.MonkeyPatch, name: str, pure: str) -> None:
    """With a clock that advances a millisecond each time it is read."""
    monkeypatch.setenv(PURE, pure)
    looks = count()
    monkeypatch.setattr(budget, "monotonic", lambda: next(looks) / 1000)
    monkeypatch.setattr(budget, "process_time", lambda: 0)
    verdict = searched(name, Budget(seconds=0.5))
    assert "in 0.5 seconds" in verdict.bound
    assert 500 <= next(looks) <= 510


@pytest.mark.slow
@pytest.mark.parametrize("pure", ENGINES)
@pytest.mark.parametrize("name", ["exhaustive", "switches", "random", "pct"])
def test_memory(monkeypatch: pytest.MonkeyPatch, name: str, pure: str) -> None:
    """With a process that grows by a MiB each time it is looked at."""
    monkeypatch.setenv(PURE, pure)
    looks = count(85)
    monkeypatch.setattr(budget, "resident_mib", lambda: next(looks))
    verdict = searched(name, Budget(memory_mib=100))
    assert "in 100 MiB of memory" in verdict.bound
    assert next(looks) == 91


def test_what_comes_after_a_search_gets_a_share_of_its_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 50.0
    monkeypatch.setattr(budget, "monotonic", lambda: now_s)
    monkeypatch.setattr(budget, "process_time", lambda: 0)
    given = Budget(steps=100, seconds=10, memory_mib=1e6)
    given.reserve(0.6)
    now_s = 53.9
    given.spend(99)
    with pytest.raises(Spent, match=r"^100 steps$"):
        given.spend(1)
    now_s = 54.1
    given.steps_max = 1_000
    with pytest.raises(Spent, match=r"^4 of 10 seconds$"):
        given.spend()
    given.extend(0.2)
    now_s = 61.9
    given.spend(1_000)
    now_s = 62.1
    with pytest.raises(Spent, match=r"^10 seconds$"):
        given.spend()
    given.look_at_memory()


def test_a_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that the command has taken before counts."""
    now_s = 50.0
    monkeypatch.setattr(budget, "monotonic", lambda: now_s)
    monkeypatch.setattr(budget, "process_time", lambda: 1)
    given = Budget(seconds=10)
    with given.part(0.2):
        now_s = 51.9
        given.spend()
        now_s = 52.1
        with pytest.raises(PartSpent, match=r"^3 of 10 seconds$"):
            given.spend()
    given.spend()
    now_s = 59.1
    with pytest.raises(Spent, match=r"^10 seconds$"):
        given.spend()


def test_no_budget_is_never_spent() -> None:
    given = Budget()
    given.spend(10**12)
    given.look_at_memory()
    given.extend(0.2)
    given.spend(10**12)
    assert given.left > 0


def test_the_memory_of_this_process() -> None:
    before = resident_mib()
    kept = bytearray(b"x" * (64 << 20))
    assert resident_mib() > before + 50, len(kept)


@pytest.mark.slow
def test_a_proof_needs_its_budget() -> None:
    spent = ("explore", "patch-race", *PATCHED, "--steps", "1000")
    output = hgeisim(*spent, "--proof", "--json")
    result = output.document()
    assert (output.status, hgeisim(*spent).status) == (4, 0)
    assert result["coverage"] == "bounded"
    assert result["bound"] == f"{result['states']:,} states in 1,000 steps"


@pytest.mark.slow
def test_what_is_left_undone_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock jumps once the search is over."""
    now_s = [0.0]
    monkeypatch.setattr(budget, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(budget, "process_time", lambda: 0)

    def late(given: Budget, share: float) -> None:
        now_s[0] = 12.0
        extend(given, share)

    extend = Budget.extend
    monkeypatch.setattr(Budget, "extend", late)
    output = hgeisim("explore", "blocked-move", "--variant", "v6.12", "--seconds", "10", "--json")
    result = output.document()
    assert result["coverage"] == "exhausted"
    assert result["stopped"] == "had spent its 10 seconds"
    now_s[0] = 0.0
    text = hgeisim("explore", "blocked-move", "--variant", "v6.12", "--seconds", "10").out
    assert "it had spent its 10 seconds: " in text
    assert "schedules may be longer than they need be" in text.replace("\n  ", " ")
    assert output.status == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--walk", "5", "--strategy", "exhaustive"), "draws no schedules; use strategy random"),
        (("--strategy", "best"), "'best' is not one of"),
        (("--seconds", "0"), "0.0 is not in the range x>0"),
        (("--seconds", "soon"), "'soon' is not a valid float"),
        (("--seconds", "nan"), "'nan' is not a number of seconds"),
        (("--seconds", "inf"), "'inf' is not a number of seconds"),
        (("--memory", "1"), "--memory = 1: is less than what is in use before the search begins"),
        (("--steps", "-1"), "-1 is not in the range x>=1"),
        (("--memory", "0"), "0 is not in the range x>=1"),
        (("--series", "percpu-v2", "review-min", "--seconds", "5"), "does not go with --series"),
    ],
)
def test_mistakes(options: tuple[str, ...], words: str) -> None:
    output = hgeisim("explore", "patch-race", *options)
    assert output.status == 2
    assert words in output.err.replace("\n  ", " ")
    assert output.out == ""
