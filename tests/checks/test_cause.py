"""A finding is known by its cause: one id has several names, and other causes have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.checks.finding import NOT_KNOWN, Cause
from hgeisim.checks.known import Known, known
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches, wish_for
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

ENTRY = Known("F-9", "because", ("leak:hgei",), after=("offline", "unload"), parties=("hgei_a",))
NEEDY = Known("F-9", "because", ("leak:hgei",), parties=("hgei_a",), needs=("hgei_b", "hgei_c"))


@pytest.mark.parametrize(
    ("cause", "explained"),
    [
        (NOT_KNOWN, True),
        (Cause(frozenset(["unload"])), True),
        (Cause(frozenset(["unload", "destroy"]), frozenset(["hgei_a"])), True),
        (Cause(frozenset()), False),
        (Cause(frozenset(["destroy"]), frozenset(["hgei_a"])), False),
        (Cause(frozenset(["offline"]), frozenset(["hgei_a", "hgei_b"])), False),
        (Cause(None, frozenset(["hgei_b"])), False),
        (Cause(frozenset(["offline"]), frozenset()), True),
    ],
)
def test_an_entry_explains_what_is_not_known_to_be_otherwise(cause: Cause, explained: bool) -> None:
    assert ENTRY.explains(cause) is explained


@pytest.mark.parametrize(
    ("leading", "explained"),
    [(None, True), ([], False), (["hgei_b"], False), (["hgei_b", "hgei_c", "hgei_d"], True)],
)
def test_an_entry_explains_only_what_its_needs_led_to(
    leading: list[str] | None, explained: bool
) -> None:
    led = None if leading is None else frozenset(leading)
    assert NEEDY.explains(Cause(None, frozenset(["hgei_a"]), led)) is explained


def test_an_entry_without_a_cause_explains_all() -> None:
    cause = Cause(frozenset(), frozenset(["hgei_b"]))
    assert Known("F-9", "because", ("leak:hgei",)).explains(cause)


def fewest(scenario: str, variant: str, finding: str) -> Cause:
    """The cause of a finding in the schedule with the fewest switches."""
    space = space_of(load_scenario(scenario, {"variant": variant}))
    way = fewest_switches(space, 1_000_000, wish_for([finding])).ways[finding]
    return cause_of(space, way.schedule, finding)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "variant", "finding", "name"),
    [
        ("stale-attr", "v7.0", "foreign-vsfile:hgei", "B-10"),
        ("sleeper-offline", "v7.0", "foreign-vsfile:hgei", "F-3"),
        ("moved-sleeper", "v6.12", "lost-wakeup:vcpu", "B-02"),
        ("sleeper-offline", "v6.12", "lost-wakeup:vcpu", "F-3"),
        ("moved-sleeper", "v6.16", "lost-wakeup:vcpu", "B-03"),
        ("sleeper-offline", "v6.16", "lost-wakeup:vcpu", "F-3"),
    ],
)
def test_two_causes_of_one_id_have_two_names(
    scenario: str, variant: str, finding: str, name: str
) -> None:
    entry = known(finding, variant, cause=fewest(scenario, variant, finding))
    assert entry is not None
    assert entry.name == name


MACHINE = """\
[machine]
guest_index_bits = 3
harts = [{harts}]
[kernel]
variant = "v6.18"
[run]
until = "2ms"
[[vm]]
name = "guest"
vcpus = 8
mode = "hwaccel"
run = { distribution = "exponential", mean = "120us" }
msi = { distribution = "exponential", mean = "600us" }
"""
"""There is room for 7 guest files in each address range."""


@pytest.mark.parametrize(
    ("harts", "names"),
    [
        ("{ count = 2, guest_files = 3, geilen = 7 }", {"B-12"}),
        ("{ guest_files = 7 }, { guest_files = 3 }", {"F-2"}),
    ],
)
def test_a_line_without_a_page_is_not_a_line_that_is_not_there(
    harts: str, names: set[str], tmp_path: Path
) -> None:
    file = tmp_path / "narrow.toml"
    file.write_text(MACHINE.replace("{harts}", harts), encoding="utf-8")
    simulation = simulate(load_scenario(str(file)))
    simulation.run(2_000_000)
    beyond = [i for i in simulation.findings if i.startswith("no-such-")]
    assert {entry.name for i in beyond if (entry := known(i, "v6.18"))} == names


SHAPES = Path(__file__).parent.parent / "data/scenarios"


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v7.0"])
def test_rw_attr_that_meets_a_reset_is_b10(variant: str) -> None:
    search = hgeisim("explore", str(SHAPES / "attr-reset.toml"), "--variant", variant, "--json")
    named = {each["id"]: each["known_as"] for each in search.document()["findings"]}
    assert named["foreign-vsfile:hgei"] == "B-10"
    assert search.status == 0


@pytest.mark.slow
def test_a_sleeper_that_moved_is_deaf_by_b03() -> None:
    search = hgeisim("explore", str(SHAPES / "moved-back.toml"), "--variant", "v6.16", "--json")
    named = {each["id"]: each["known_as"] for each in search.document()["findings"]}
    assert (named["deaf:vcpu"], named["lost-wakeup:vcpu"]) == ("B-03", "B-03")


@pytest.mark.proof
def test_a_guest_that_sends_to_itself_shows_f3_as_well() -> None:
    search = hgeisim("explore", str(SHAPES / "offline-page-write.toml"), "--json")
    named = {each["id"]: each["known_as"] for each in search.document()["findings"]}
    assert (named["set-up-lost:vcpu"], search.status) == ("F-3", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "variant"),
    [
        ("move-offline", "v6.12"),
        pytest.param("move-offline", "v7.0", marks=pytest.mark.proof),
        pytest.param("move-offline", "v7.3", marks=pytest.mark.proof),
        pytest.param("sleeper-offline", "v7.3", marks=pytest.mark.proof),
    ],
)
def test_the_schedule_that_explore_prints_has_a_name_too(scenario: str, variant: str) -> None:
    """It need not be the one with the fewest switches, which baselines.toml has read."""
    result = hgeisim("explore", scenario, "--variant", variant, "--json")
    new = [each["id"] for each in result.document()["findings"] if each["new"]]
    assert (result.status, new) == (0, [])
