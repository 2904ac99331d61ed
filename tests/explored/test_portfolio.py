"""Where there are very many states, shallow findings come first."""

from __future__ import annotations

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies import context_bounding as switches
from hgeisim.drivers.explored.strategies import portfolio as module
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.scenario.load import load_scenario

V2 = {"variant": "v6.12+percpu-v2"}
RELEASE = "use-after-free:kvm_riscv_aia_disable"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few states are many."""
    monkeypatch.setattr(module, "FEW_STATES", 500)
    monkeypatch.setattr(module, "SCHEDULES", 100)


def test_a_search_that_ends_says_what_it_always_says() -> None:
    scenario = load_scenario("blocked-move")
    assert portfolio(space_of(scenario), 10_000) == exhaustive(space_of(scenario), 10_000)


@pytest.mark.slow
def test_a_search_that_ends_after_all_is_what_counts() -> None:
    scenario = load_scenario("two-lines", {"variant": "v7.0"})
    plain = exhaustive(space_of(scenario), 1_000_000)
    assert portfolio(space_of(scenario), 1_000_000) == plain
    assert (plain.coverage, plain.states > 500) == ("exhausted", True)


@pytest.mark.slow
def test_what_is_shallow_is_found_although_the_states_run_out() -> None:
    scenario = load_scenario("patch-race", V2)
    verdict = portfolio(space_of(scenario), 20_000)
    assert RELEASE in verdict.counterexamples
    assert verdict.coverage == "bounded"
    beside = "100 priorities schedules, up to 2 switches (20,003 states)"
    assert verdict.bound == f"20,000 states, {beside}"


@pytest.mark.slow
def test_the_first_finding_is_enough() -> None:
    found = list[str]()

    def enough(finding: str) -> bool:
        found.append(finding)
        return finding == RELEASE

    verdict = portfolio(space_of(load_scenario("patch-race", V2)), 20_000, enough=enough)
    assert RELEASE in verdict.counterexamples
    assert verdict.bound == "the first finding"


@pytest.mark.slow
def test_what_was_found_is_kept_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(switches, "levels_of", interrupted)
    verdict = portfolio(space_of(load_scenario("patch-race", V2)), 20_000)
    assert isinstance(verdict.stopped, KeyboardInterrupt)
    assert RELEASE in verdict.counterexamples
    assert verdict.bound == (
        "500 states, 100 priorities schedules, no end of those without a switch (0 states), "
        "where it was interrupted"
    )
