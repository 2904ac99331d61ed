"""hgeisim validate: theory lies inside the intervals, and a model that is wrong does not.

The statistical tests have fixed seeds, and 20 intervals of 99 % between them: another set of seeds
would fail about once in six times if the intervals were independent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import hgeisim
from hgeisim.errors import InputError
from hgeisim.scenario.load import load_scenario
from hgeisim.study import validation
from hgeisim.study.cases import CASES, Case
from hgeisim.study.observe import Numbers
from hgeisim.study.replication import Job
from hgeisim.study.validation import Validation
from tests.support.commands import hgeisim as command
from tests.support.golden import check_golden

PARAMETERS: dict[str, dict[str, Any]] = {
    "erlang": {"lines": 5, "offered": 3},
    "engset": {"vcpus": 8, "lines": 5, "alpha": 0.8},
    "md1": {"hold": 300, "interarrival": 600},
    "mg1": {"hold": "250:0.425,200:0.15,150:0.425", "interarrival": 400},
    "repairman": {"harts": 8, "think": 2000, "hold": 300},
    "ticket": {"harts": 16, "hold": 250, "hand_over": 40},
    "hotplug": {"online": "4ms", "offline": "200us"},
    "stretch": {"run": "20us", "every": "120us", "steals": "500ns"},
}
SERIAL: dict[str, Any] = {"executor": "serial"}


def exact(case: str, **parameters: Any) -> dict[str, float]:
    made = CASES[case](**(PARAMETERS[case] | parameters))
    return {each.name: each.exact for each in made.quantities}


@pytest.mark.parametrize("case", CASES)
def test_each_case_is_a_scenario_with_an_exact_result(case: str) -> None:
    made = CASES[case](**PARAMETERS[case])
    scenario = load_scenario(made.document)
    assert 0 < made.warm_up_ns < scenario.run.until / 3
    assert all(each.exact >= 0 for each in made.quantities)


def test_exact_results_are_those_of_the_reference() -> None:
    """Whole ns and ps move the parameters by less than a billionth."""
    found = exact("erlang")
    assert found["refused requests"] == pytest.approx(0.110054348, rel=1e-8)
    assert exact("erlang", lines=11, offered=8)["lines taken"] == pytest.approx(7.349693, abs=1e-6)
    assert exact("engset")["refused requests"] == pytest.approx(0.116282465, rel=1e-8)
    assert exact("md1")["mean wait"] == 150
    assert exact("mg1")["mean wait"] == pytest.approx(105.3125, rel=1e-6)
    assert exact("repairman")["mean response"] == pytest.approx(855.956582, abs=1e-6)
    assert exact("ticket")["wait, longest"] == 4390
    assert exact("hotplug")["availability"] == pytest.approx(0.952380952, abs=1e-9)
    assert exact("stretch")["mean stretch"] == pytest.approx(20083.682, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["md1", "repairman"])
def test_random_cases_to_three_percent(case: str) -> None:
    found = hgeisim.validate(case, **PARAMETERS[case], precision=0.03, **SERIAL)
    verdicts = {each["name"]: each["verdict"] for each in found.document["quantities"]}
    assert set(verdicts.values()) == {"inside"}, str(found)
    assert all(each["half_width"] <= 0.03 for each in found.document["quantities"])


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"harts": 3, "hold": 7, "hand_over": 0}])
def test_a_fair_lock_takes_turns_exactly(parameters: dict[str, Any]) -> None:
    found = hgeisim.validate("ticket", **(PARAMETERS["ticket"] | parameters), **SERIAL)
    assert found.inside, str(found)
    assert all(each["half_width"] == 0 for each in found.document["quantities"])


@pytest.mark.slow
@pytest.mark.parametrize("case", ["hotplug", "stretch"])
def test_quick_cases_with_few_replications(case: str) -> None:
    found = hgeisim.validate(case, **PARAMETERS[case], replications=5, **SERIAL)
    assert found.inside, str(found)


@pytest.mark.slow
def test_lines_with_few_vms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Erlang and Engset through the paths of KVM, as short as can be."""
    monkeypatch.setattr("hgeisim.study.cases.VMS", 400)
    for case in ("erlang", "engset"):
        found = hgeisim.validate(case, **PARAMETERS[case], replications=4, **SERIAL)
        assert found.inside, str(found)


def biased(monkeypatch: pytest.MonkeyPatch, factor: float, **how: Any) -> Validation:
    """`repairman` with known observations, whose mean is that of theory times a factor."""
    made = CASES["repairman"](**PARAMETERS["repairman"])

    def observe(job: Job) -> Numbers:
        noise = 1 + 0.02 * (-1) ** job.seed
        return tuple(factor * noise * each.exact for each in made.quantities)

    def case(**_: float) -> Case:
        return replace(made, observe=observe)

    monkeypatch.setattr(validation, "_case", lambda name, given: case())
    return hgeisim.validate("repairman", **how, **SERIAL)


def test_a_result_that_is_off_is_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    assert biased(monkeypatch, 1.0).inside
    found = biased(monkeypatch, 1.02)
    assert not found.inside
    assert {each["verdict"] for each in found.document["quantities"]} == {"OUTSIDE"}


def test_replications_go_on_until_they_are_precise(monkeypatch: pytest.MonkeyPatch) -> None:
    few = biased(monkeypatch, 1.0, precision=0.05).document
    many = biased(monkeypatch, 1.0, precision=0.01).document
    assert few["replications"] == 10 < many["replications"]
    assert all(each["half_width"] <= 0.01 for each in many["quantities"])
    wide = biased(monkeypatch, 1.0, precision=0.001, at_most=20)
    assert {each["verdict"] for each in wide.document["quantities"]} == {"wide"}
    assert wide.inside
    assert "needs more replications" in str(wide)


def test_the_exit_status_says_whether_all_are_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("validate", "ticket", "--harts", "3", "--hold", "10", "--hand-over", "1")
    assert command(*words, "--executor", "serial").status == 0
    made = CASES["ticket"](harts=3, hold=10, hand_over=2)  # another cost than the one asked for
    wrong = replace(CASES["ticket"](harts=3, hold=10, hand_over=1), document=made.document)
    monkeypatch.setattr(validation, "_case", lambda name, given: wrong)
    told = command(*words, "--executor", "serial", "--json")
    assert told.status == 1
    for each in told.document()["quantities"][:4]:
        low, high = each["interval"]
        assert (each["verdict"], low <= each["exact"] <= high) == ("OUTSIDE", False)


@pytest.mark.slow
def test_what_people_read() -> None:
    words = ("--hold", "300", "--interarrival", "600", "-n", "3", "--executor", "serial")
    told = command("validate", "md1", *words)
    assert (told.status, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= 80
    check_golden("validate", told.out)


@pytest.mark.parametrize("case", ["", *CASES])
def test_help(case: str) -> None:
    words = ("validate", case) if case else ("validate",)
    check_golden("-".join(("help", *words)), command(*words, "--help").out)


@pytest.mark.parametrize(
    ("case", "parameters", "said"),
    [
        ("erlang", {"lines": 64}, "lines = 64: must be a whole number, 1..63"),
        ("erlang", {"lines": 2.5}, "lines = 2.5: must be a whole number"),
        ("erlang", {"offered": 0}, "offered = 0: must be 0.01..1000"),
        ("erlang", {"offered": float("nan")}, "offered = nan: must be 0.01..1000"),
        ("erlang", {"lins": 3}, 'did you mean "lines"'),
        ("engset", {"alpha": None}, "alpha: must be given"),
        ("md1", {"hold": 590}, "must leave the lock free for a tenth of the time"),
        ("mg1", {"hold": "250"}, "must be times with their shares"),
        ("mg1", {"hold": "250:0.5,100:0.4"}, "whose shares add up to 1"),
        ("repairman", {"harts": 600}, "harts = 600: must be a whole number, 1..511"),
        ("hotplug", {"online": "4"}, "must have a unit"),
        ("hotplug", {"offline": "0ns"}, "must be 100ns..1s"),
        ("stretch", {"steals": "119us"}, "must be less than nine tenths"),
        ("ticket", {"level": 10}, "must be more than 50"),
        ("ticket", {"seed": -1}, "seed = -1: must be 0 or more"),
    ],
)
def test_mistakes(case: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        hgeisim.validate(case, **(PARAMETERS[case] | parameters))
    assert said in str(error.value)


def test_a_mistake_names_the_option() -> None:
    told = command("validate", "ticket", "--harts", "1", "--hold", "1", "--hand-over", "0")
    assert (told.status, told.out) == (2, "")
    assert "--harts = 1: must be a whole number, 2..511" in told.err
    with pytest.raises(InputError, match=r"case = erlong: .*did you mean"):
        hgeisim.validate("erlong")
