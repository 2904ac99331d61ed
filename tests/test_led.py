"""A kernel is led along a schedule of another one, which takes other steps on the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.cli.own_patch import execute
from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.led import led, place_of, replayed, shown_when_led
from hgeisim.drivers.explored.model.answer import after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches
from hgeisim.kernel.variants import variant_problem
from hgeisim.scenario.load import load_scenario
from tests.commands import hgeisim

FOLDER = Path(__file__).parent / "data/patches"
PATCHED = f"v7.1+{FOLDER}/sound.py:LockOnceMore"


def space(variant: str, name: str = "move-offline") -> Space:
    execute(variant)
    return space_of(load_scenario(name, {"variant": variant}, variant_problem))


@pytest.mark.slow
def test_a_kernel_that_takes_a_lock_more() -> None:
    """All that a sound patch shows, its base shows when it is led; step by step it does not."""
    patched, base = space(PATCHED), space("v7.1")
    ways = fewest_switches(patched, 200_000).ways
    given = [way.schedule for _, way in sorted(ways.items())]
    assert len(given) > 8
    by_steps = replayed(base, given)
    shown = shown_when_led(patched, given, base)
    assert by_steps < shown
    assert ways.keys() <= shown
    for schedule in given:
        assert len(led(patched, schedule, base)) < len(schedule)


@pytest.mark.slow
def test_the_same_kernel_takes_the_same_steps() -> None:
    one, other = space("v7.1"), space("v7.1")
    for _, way in sorted(fewest_switches(one, 200_000).ways.items()):
        assert led(one, way.schedule, other) == way.schedule


def test_where_a_context_stands() -> None:
    fine = space("v7.1").fine
    start = fine.initial()
    slots = range(len(fine.locations))
    rest = [slot for slot in slots if place_of(fine, slot, start) is None]
    assert rest == [slot for slot in slots if slot not in fine.pending(start)]
    first = fine.ask(0, start)
    assert first.writes is not None
    assert place_of(fine, 0, after(start, first.writes)) != place_of(fine, 0, start)


@pytest.mark.slow
@pytest.mark.parametrize("patch", ["sound.py:LockOnceMore", "sound.py:StepMore"])
def test_a_sound_patch_is_not_accused_where_no_search_ends(patch: str) -> None:
    told = hgeisim(
        *("explore", "everything", "--states", "30000"),
        *("--variant", f"v7.1+{FOLDER / patch}"),
    )
    assert told.status == 0, told.out


@pytest.mark.slow
def test_what_its_clean_twin_shows_counts_where_no_search_ends() -> None:
    """The base's F-3 hides what the patch forgets, but for the twin without hotplug."""
    told = hgeisim(
        *("explore", "everything", "--states", "30000"),
        *("--variant", f"v7.1+{FOLDER}/broken.py:PendingForgotten"),
    )
    assert told.status == 1
    assert "clean twin, without cpuhp/0: bounded" in told.out
    assert "sent-lost:vcpu: " in told.out.split("clean twin")[1]
