"""The data races that KCSAN would report are found, in all states and along schedules."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.baselines import LARGE
from hgeisim.drivers.explored.compiled.library import PURE
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.data_race import Race
from hgeisim.drivers.explored.races.happens_before import races_along
from hgeisim.drivers.explored.races.side_by_side import races_of
from hgeisim.drivers.explored.races.trial import look_for_races, races_shown
from hgeisim.drivers.explored.strategies.sampling import Random
from hgeisim.kernel.variants import BASES
from hgeisim.library.own_patch import execute
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Streams
from tests.support.commands import hgeisim
from tests.support.kernels import V2, V7_3, proved_in

PATCHES = Path(__file__).parent.parent / "data/patches/races.py"
SCENARIOS = Path(__file__).parent.parent / "data/scenarios"
NR_HGEI = "data-race:nr_hgei in kvm_riscv_aia_enable and kvm_riscv_aia_free_hgei"
"""V2-4, which has landed."""
ALL = 2_000_000
SEARCHED = [name for name in built_in_names() if load_scenario(name).task and name not in LARGE]


def space_with(patch: str, scenario: str = "few-files") -> Space:
    variant = f"v7.0+{PATCHES}:{patch}"
    execute(variant)
    return space_of(load_scenario(scenario, {"variant": variant}))


def found_in(space: Space) -> dict[str, Race]:
    verdict, races = races_of(space, ALL)
    assert verdict.stopped is None
    return {race.finding.id: race for race in races}


@pytest.mark.slow
@pytest.mark.parametrize("patch", ["Counts", "CountsUnderItsOwn"])
def test_a_race_is_found(patch: str) -> None:
    space = space_with(patch)
    found = found_in(space)
    assert list(found) == [f"data-race:allocated in {found_where(patch)}"]
    race = next(iter(found.values()))
    write, other = race.sides
    assert write.access.written
    assert write.hart != other.hart
    assert race.after == race.before + 1
    assert race.finding.id in races_shown(space, race.schedule)
    assert races_shown(space, race.schedule[:3]) == {}


def found_where(patch: str) -> str:
    return "count" if patch == "Counts" else "kvm_riscv_aia_alloc_hgei"


@pytest.mark.slow
@pytest.mark.parametrize(
    "patch", ["CountsAtomically", "CountsMarked", "CountsLocked", "LooksMarked"]
)
def test_what_is_marked_or_locked_is_none(patch: str) -> None:
    space = space_with(patch)
    assert found_in(space) == {}
    assert races_along(space, Random(Streams(1).stream("walk").below, 100)).races == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "scenario", "found"),
    [
        ("CountsAfterwards", "few-files", ["allocated in count"]),
        ("CountsInVm", "one-vm-two-harts", ["entries in kvm_riscv_check_vcpu_requests"]),
        ("LooksBesides", "few-files", ["allocated in count"]),
        (
            "Handles",
            "two-on-one",
            ["handled in hgei_interrupt and kvm_riscv_check_vcpu_requests"],
        ),
        ("HandlesOff", "two-on-one", []),
    ],
)
@pytest.mark.parametrize("pure", ["", "1"])
def test_what_a_breaker_tried(
    monkeypatch: pytest.MonkeyPatch, pure: str, patch: str, scenario: str, found: list[str]
) -> None:
    """A read after an unlock, a field of another struct, a handler, a name that looks marked."""
    monkeypatch.setenv(PURE, pure)
    own = SCENARIOS / f"{scenario}.toml"
    space = space_with(patch, str(own) if own.exists() else scenario)
    races = found_in(space)
    assert [*races] == [f"data-race:{each}" for each in found]
    for finding_id, race in races.items():
        assert finding_id in races_shown(space, race.schedule)


@pytest.mark.slow
def test_an_access_after_an_unlock_is_not_ordered_by_it() -> None:
    space = space_with("CountsAfterwards")
    sample = races_along(space, Random(Streams(1).stream("walk").below, 100))
    assert [*sample.races] == ["data-race:allocated in count"]


@pytest.mark.slow
def test_the_order_of_events_shows_the_same_race() -> None:
    space = space_with("Counts")
    sample = races_along(space, Random(Streams(1).stream("walk").below, 100))
    assert sample.stopped is None
    assert sample.schedules == 100
    assert sample.races.keys() == found_in(space).keys()
    race = next(iter(sample.races.values()))
    assert race.finding.id in races_shown(space, race.schedule)


@pytest.mark.slow
def test_both_engines_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_in(space_with("Counts"))
    monkeypatch.setenv(PURE, "1")
    assert found_in(space_with("Counts")) == found


@pytest.mark.slow
@pytest.mark.parametrize("variant", BASES)
@pytest.mark.parametrize("name", ["few-files", "moved-sleeper", "stale-attr", "module-exit"])
@pytest.mark.proof
def test_a_shipped_kernel_has_none(name: str, variant: str) -> None:
    assert found_in(space_of(load_scenario(name, {"variant": variant}))) == {}


@pytest.mark.proof
def test_what_landed_has_one() -> None:
    space = space_of(load_scenario("patch-race", {"variant": "v7.0+percpu-v5"}))
    assert [*found_in(space)] == [NR_HGEI]


@pytest.mark.proof
def test_a_second_one_in_the_same_function_is_not_hidden_by_the_one_that_is_accepted() -> None:
    """The ids are the same; the pieces of kvm_riscv_aia_enable are not."""
    variant = f"v7.0+percpu-v5+{PATCHES}:WritesAgain"
    said = hgeisim("explore", "patch-race", "--variant", variant, "--json")
    assert said.status == 1
    (one,) = (each for each in said.document()["findings"] if each["id"] == NR_HGEI)
    assert (one["new"], one["standing"], one["known_as"]) == (True, "introduced", None)
    assert one["steps"] < 60


RACES = {
    V2: {NR_HGEI, "data-race:free_bitmap in kvm_riscv_aia_enable and kvm_riscv_aia_free_hgei"},
    V7_3: {NR_HGEI},
}
"""The data races of shipped kernels: V2-2 and V2-4."""


@pytest.mark.proof
@pytest.mark.parametrize(("variant", "name"), proved_in(SEARCHED))
def test_no_other_shipped_kernel_has_any(variant: str, name: str) -> None:
    below = Streams(1).stream("data-race").below
    races = look_for_races(space_of(load_scenario(name, {"variant": variant})), ALL, below)
    assert races.stopped is None
    assert races.found.keys() <= RACES.get(variant, set())


@pytest.mark.slow
def test_explore_compares_it_with_the_base_and_replay_shows_it() -> None:
    variant = f"v7.0+{PATCHES}:Counts"
    document = hgeisim("explore", "few-files", "--variant", variant, "--json")
    assert document.status == 1
    result = document.document()
    assert "data-race" not in result["not_checked"]
    one = next(each for each in result["findings"] if each["new"])
    assert (one["id"], one["standing"]) == ("data-race:allocated in count", "introduced")
    assert [side["does"] for side in one["race"]["sides"]] == ["write", "read"]
    again = hgeisim("replay", one["token"], "--variant", variant, "--json")
    assert again.status == 1
    found = {each["id"]: each for each in again.document()["findings"]}
    assert found[one["id"]]["race"] == one["race"]
    assert found[one["id"]]["standing"] == "introduced"


@pytest.mark.slow
def test_a_sample_finds_it_too() -> None:
    variant = f"v7.0+{PATCHES}:Counts"
    document = hgeisim("explore", "few-files", "--variant", variant, "--walk", "50", "--json")
    new = {each["id"] for each in document.document()["findings"] if each["new"]}
    assert (document.status, new) == (1, {"data-race:allocated in count"})


@pytest.mark.slow
def test_a_mail_has_both_stacks() -> None:
    variant = f"v7.0+{PATCHES}:Counts"
    lines = hgeisim("explore", "few-files", "--variant", variant, "--mail").out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 72
    sides = [line for line in lines if line.endswith("with no lock:")]
    assert [line.split()[0] for line in sides] == ["write", "read"]
    assert lines.count("  kvm_riscv_aia_alloc_hgei") == 2
    assert any(line.startswith("Closes   Hold one lock") for line in lines)


def test_a_shipped_kernel_is_looked_at_only_when_asked() -> None:
    document = hgeisim("explore", "blocked-move", "--variant", "v7.0", "--json").document()
    assert "data-race" in document["not_checked"]
    document = hgeisim(
        "explore", "blocked-move", "--variant", "v7.0", "--races", "--json"
    ).document()
    assert document["data_races"]["states"] == 28


@pytest.mark.slow
@pytest.mark.parametrize(("walk", "schedules"), [("5", 5), ("2000", 500)])
def test_as_many_schedules_as_were_asked_for(walk: str, schedules: int) -> None:
    command = ("explore", "blocked-move", "--variant", "v7.0", "--races")
    document = hgeisim(*command, "--walk", walk, "--strategy", "pct", "--json").document()
    assert document["data_races"]["schedules"] == schedules
    assert document["data_races"]["states"] == 0


def test_a_comparison_of_versions_does_not_look_for_them() -> None:
    versions = (f"{PATCHES}:Counts", f"{PATCHES}:CountsLocked")
    document = hgeisim("explore", "few-files", "--races", "--revisions", *versions)
    assert (document.status, document.out) == (2, "")
    assert "--races: does not go with --revisions" in document.err
