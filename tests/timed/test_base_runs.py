"""The runs of the base that are needed before a finding of a patch counts as introduced."""

from __future__ import annotations

import pytest

from hgeisim.checks.finding import of_ids
from hgeisim.drivers.timed import base_runs
from hgeisim.drivers.timed.base_runs import FEW, RUNS, BaseRuns
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

RARE = "double-free:hgei"


class Scripted(BaseRuns):
    """A base that shows a rare finding in one of its runs."""

    shows_in = 0

    def _run(self) -> None:
        self.runs += 1
        if self.runs == self.shows_in:
            self.ids.add(RARE)


def base(until: str = "40ms") -> Scripted:
    overrides = {"variant": "v7.0", "until": until}
    return Scripted(load_scenario("hotplug-storm", overrides), "all")


@pytest.mark.parametrize(
    ("shows_in", "runs", "word"),
    [(14, 14, "pre-existing"), (RUNS, RUNS, "pre-existing"), (0, RUNS, "introduced")],
)
def test_the_base_runs_until_it_shows_the_findings_of_the_patch(
    shows_in: int, runs: int, word: str
) -> None:
    made = base()
    made.shows_in = shows_in
    assert made.standings(of_ids([RARE]))[RARE].word == word
    assert made.runs == runs


def test_a_long_scenario_runs_a_few_times() -> None:
    made = base("1s")
    made.standings(of_ids([RARE]))
    assert made.runs == FEW


def test_nothing_is_looked_for_that_only_a_patch_can_show() -> None:
    made = base()
    found = of_ids(["check:mine", "exception:kvm_riscv_aia_free_hgei"])
    assert {each.word for each in made.standings(found).values()} == {"introduced"}
    assert made.runs == 0


def test_a_finding_of_none_of_the_runs_may_be_rare() -> None:
    made = base()
    made.runs = 5
    assert round(made.rare, 2) == 0.45
    made.runs = 40
    assert round(made.rare, 2) == 0.07


def test_a_run_says_how_often_its_base_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_runs, "RUNS", 3)
    monkeypatch.setattr(base_runs, "FEW", 3)
    words = ("run", "moved-sleeper", "--variant", "v6.16", "--base", "v7.0")
    result = hgeisim(*words)
    assert ", introduced: in none of 3 runs of v7.0\n" in result.out
    end = "3 runs; what it shows in fewer than 64 % of its runs may be missing there"
    assert f"compared with v7.0: {end}" in " ".join(result.out.split())
    assert result.err.startswith("v7.0 was run as well, which took ")
    assert hgeisim(*words, "--json").document()["base"] == {
        "variant": "v7.0", "runs": 3, "rare": 0.632,
    }  # fmt: skip
