"""A kernel is guided along the schedule of another; `explore --after` begins where one ends.

The other kernel makes other steps on the same way.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from hgeisim.drivers.explored.counterexample.token import encode
from hgeisim.drivers.explored.explored_scenario import space_of, token_of
from hgeisim.drivers.explored.guided_replay import (
    continued,
    guided,
    place_of,
    replayed,
    shown_when_guided,
)
from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.strategy import CannotStep
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.kernel.variants import variant_problem
from hgeisim.library.own_patch import execute
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

FOLDER = Path(__file__).parent.parent / "data/patches"
PATCHED = f"v7.0+{FOLDER}/sound.py:LockOnceMore"


def space(variant: str, name: str = "move-offline") -> Space:
    execute(variant)
    return space_of(load_scenario(name, {"variant": variant}, variant_problem))


@pytest.mark.slow
def test_a_kernel_that_takes_a_lock_more() -> None:
    """All that a sound patch shows, its base shows when it is guided; step by step it does not."""
    patched, base = space(PATCHED), space("v7.0")
    ways = fewest_switches(patched, 200_000).ways
    given = [way.schedule for _, way in sorted(ways.items())]
    assert len(given) > 8
    by_steps = replayed(base, given)
    shown = shown_when_guided(patched, given, base)
    assert by_steps < shown
    assert ways.keys() <= shown
    for schedule in given:
        assert len(guided(patched, schedule, base)) < len(schedule)


@pytest.mark.slow
def test_the_same_kernel_takes_the_same_steps() -> None:
    one, other = space("v7.0"), space("v7.0")
    for _, way in sorted(fewest_switches(one, 200_000).ways.items()):
        assert guided(one, way.schedule, other) == way.schedule


def test_where_a_context_stands() -> None:
    fine = space("v7.0").fine
    start = fine.initial()
    slots = range(len(fine.locations))
    rest = [slot for slot in slots if place_of(fine, slot, start) is None]
    assert rest == [slot for slot in slots if slot not in fine.pending(start)]
    first = fine.ask(0, start)
    assert first.writes is not None
    assert place_of(fine, 0, after(start, first.writes)) != place_of(fine, 0, start)


@pytest.mark.slow
@pytest.mark.parametrize("patch", ["sound.py:LockOnceMore", "sound.py:StepMore"])
@pytest.mark.proof
def test_a_sound_patch_is_not_accused_where_no_search_ends(patch: str) -> None:
    output = hgeisim(
        *("explore", "everything", "--states", "30000"),
        *("--variant", f"v7.0+{FOLDER / patch}"),
    )
    assert output.status == 0, output.out


@pytest.mark.slow
@pytest.mark.proof
def test_what_its_clean_twin_shows_counts_where_no_search_ends() -> None:
    """The base's F-3 hides what the patch forgets, but for the twin without hotplug."""
    output = hgeisim(
        *("explore", "everything", "--states", "30000"),
        *("--variant", f"v7.0+{FOLDER}/broken.py:PendingForgotten"),
    )
    assert output.status == 1
    assert "clean twin, without cpuhp/0: bounded" in output.out
    assert "sent-lost:vcpu: " in output.out.split("clean twin")[1]


NAME, VARIANT = "move-offline", "v7.0"
SCENARIO = load_scenario(NAME, {"variant": VARIANT})
EXPLORE = ("explore", NAME, "--variant", VARIANT)
LOST = "set-up-lost:vcpu"


@cache
def found() -> dict[str, Schedule]:
    """The findings from the start, and a schedule for each."""
    verdict = exhaustive(space_of(SCENARIO), 200_000)
    return {i: each.schedule for i, each in verdict.counterexamples.items()}


def word(schedule: Schedule, name: str = NAME) -> str:
    """The token of a schedule."""
    return encode(token_of(name, SCENARIO, schedule))


@pytest.mark.slow
def test_nothing_before_is_all() -> None:
    whole = exhaustive(space_of(SCENARIO), 200_000)
    assert exhaustive(continued(space_of(SCENARIO), ()), 200_000) == whole


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 10, 60, -1])
def test_what_comes_after_a_part_of_a_schedule(steps: int) -> None:
    """It shows what the rest of that shows, in fewer states, and nothing that all does not."""
    begun = found()[LOST][:steps]
    later = exhaustive(continued(space_of(SCENARIO), begun), 200_000)
    assert later.coverage == "exhausted"
    assert LOST in later.counterexamples
    assert later.counterexamples.keys() <= found().keys()
    rest = later.counterexamples[LOST].schedule
    assert len(rest) <= len(found()[LOST]) - len(begun)
    assert LOST in exhaustive(continued(space_of(SCENARIO), begun + rest[:-1]), 10).counterexamples


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--walk", "300"), ("--strategy", "switches")])
def test_on_the_command_line(options: tuple[str, ...]) -> None:
    """Schedules that it prints begin at the start, so that they can be replayed."""
    begun = found()[LOST][:60]
    output = hgeisim(*EXPLORE, "--after", word(begun), "--json", *options)
    result = output.document()
    assert output.status == 0
    assert 0 < result["states"] < 3_000
    findings = {each["id"]: each for each in result["findings"]}
    assert {i for i in findings if not i.startswith("wait-context")} <= found().keys()
    replayed = hgeisim("replay", findings[LOST]["token"])
    assert (replayed.status, LOST in replayed.out) == (0, True)


def test_a_schedule_that_cannot_be_followed() -> None:
    with pytest.raises(CannotStep, match=r"at step 1, .* cannot step"):
        continued(space_of(SCENARIO), (0, 7))
    with pytest.raises(CannotStep, match=r"at step 0, context 99 cannot step"):
        continued(space_of(SCENARIO), (99,))


def mistakes() -> dict[str, tuple[tuple[str, ...], str]]:
    good = word((0, 0))
    return {
        "no token": ((*EXPLORE, "--after", "hello"), "--after = hello: is not a replay token"),
        "damaged": ((*EXPLORE, "--after", good[:-1] + "x"), "its checksum does not fit"),
        "another version": ((*EXPLORE, "--after", "hg1" + good[3:]), "explore again"),
        "another kernel": (
            ("explore", NAME, "--variant", "v6.12", "--after", good),
            "is not a schedule of this scenario, kernel and preemption",
        ),
        "another preemption": (
            (*EXPLORE, "--preemption", "none", "--after", good),
            "is not a schedule of this scenario, kernel and preemption",
        ),
        "another scenario": (
            ("explore", "on-swfile", "--variant", VARIANT, "--after", good),
            "take a token that `hgeisim explore` has printed for them",
        ),
        "impossible": (
            (*EXPLORE, "--after", word((0, 7))),
            "its schedule cannot be followed: at step 1,",
        ),
        "no such context": (
            (*EXPLORE, "--after", word((0, 99))),
            "its schedule cannot be followed: at step 1, context 99 cannot step",
        ),
    }


@pytest.mark.parametrize("what", mistakes())
def test_mistakes(what: str) -> None:
    words, text = mistakes()[what]
    output = hgeisim(*words)
    assert (output.status, output.out) == (2, "")
    assert text in output.err.replace("\n  ", " ")
