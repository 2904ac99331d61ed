"""Livelocks are found, and sound waits are not taken for livelocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.baselines import LARGE
from hgeisim.checks.finding import INTRODUCED, PRE_EXISTING
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.counterexample.replay import findings_of
from hgeisim.drivers.explored.counterexample.shrink import shrink
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.patch_trial import Trial
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED
from hgeisim.library.own_patch import execute
from hgeisim.machine.ops import STEP
from hgeisim.machine.ops import Path as KernelPath
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock
from hgeisim.scenario.canonical import on_variant
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from tests.support import toys
from tests.support.commands import hgeisim
from tests.support.kernels import proved_in

DATA = Path(__file__).parent.parent / "data"
SLEEPERS = str(DATA / "scenarios/two-sleepers.toml")
MANY = 100_000
PATCHES = DATA / "patches/livelock.py"
SEARCHED = [each for each in built_in_names() if load_scenario(each).task and each not in LARGE]


class Flags(Shared):
    """Two words that tasks share."""

    a: Field
    b: Field


def keeps_and_tries(own: RawSpinlock, other: RawSpinlock) -> KernelPath[None]:
    """Never gives its own up."""
    yield own.lock
    while not (yield other.trylock):
        yield STEP
    yield other.unlock
    yield own.unlock


def tries_and_backs_off(own: RawSpinlock, other: RawSpinlock) -> KernelPath[None]:
    """The sound way round: gives its own up before it tries again."""
    while True:
        yield own.lock
        if (yield other.trylock):
            break
        yield own.unlock
    yield other.unlock
    yield own.unlock


def exchanges(flags: Flags) -> KernelPath[None]:
    """A loop of compare and exchange."""
    yield STEP
    seen = flags.a
    while True:
        yield STEP
        found = flags.a
        if found == seen:
            flags.a = seen + 1
            break
        seen = found


def polls(flags: Flags) -> KernelPath[None]:
    """Waits for the other task."""
    while True:
        yield STEP
        if flags.b:
            break


def sets(flags: Flags) -> KernelPath[None]:
    """Is waited for."""
    yield STEP
    flags.b = 1


def undoes(flags: Flags, value: int) -> KernelPath[None]:
    """Is content only with a word that the other one changes, whenever it is not."""
    while True:
        yield STEP
        if flags.a == 2:
            break
        flags.a = value


def of_locks(path: Callable[[RawSpinlock, RawSpinlock], KernelPath[None]]) -> toys.Toy:
    def toy(memory: Memory) -> toys.Paths:
        one, two = (raw_spinlock(memory, name, name) for name in ("one", "two"))
        return [partial(path, one, two), partial(path, two, one)]

    return toy


def of_flags(*paths: Callable[[Flags], KernelPath[None]]) -> toys.Toy:
    def toy(memory: Memory) -> toys.Paths:
        flags = build(Flags, memory, "flags")
        return [partial(path, flags) for path in paths]

    return toy


TOYS: dict[str, tuple[toys.Toy, set[str]]] = {
    "keeps and tries": (of_locks(keeps_and_tries), {"livelock:keeps_and_tries"}),
    "undoes": (
        of_flags(partial(undoes, value=0), partial(undoes, value=1)),
        {"livelock:undoes"},
    ),
    "polls for nobody": (of_flags(polls, polls), {"livelock:polls"}),
    "tries and backs off": (of_locks(tries_and_backs_off), set()),
    "compares and exchanges": (of_flags(exchanges, exchanges, exchanges), set()),
    "polls": (of_flags(polls, polls, sets), set()),
}


@pytest.mark.parametrize("merging", [False, True])
@pytest.mark.parametrize("name", TOYS)
def test_toys(name: str, merging: bool) -> None:
    toy, wanted = TOYS[name]
    space = Space(toys.system(toy), merging=merging)
    verdict = exhaustive(space, toys.STATES_MAX)
    assert verdict.coverage == EXHAUSTED
    assert set(verdict.counterexamples) == wanted
    for finding, way in verdict.counterexamples.items():
        assert finding in {each.id for each in findings_of(space, way.schedule)}
        assert findings_of(space, way.schedule[:1]) == ()


@pytest.mark.slow
def test_a_patch_is_found_and_its_schedule_shrinks() -> None:
    variant = f"v7.0+{PATCHES}:WakesSiblings"
    execute(variant)
    space = space_of(load_scenario(SLEEPERS, {"variant": variant}))
    verdict = exhaustive(space, toys.STATES_MAX)
    long = verdict.counterexamples["livelock:kvm_vcpu_block"]
    schedule = shrink(space, long.schedule, long.finding.id)
    assert len(schedule) < len(long.schedule)
    assert [each.id for each in findings_of(space, schedule)] == [long.finding.id]


@pytest.mark.proof
def test_a_patch_is_found_and_its_token_replays() -> None:
    variant = f"v7.0+{PATCHES}:WakesSiblings"
    explored = hgeisim("explore", SLEEPERS, "--variant", variant, "--json")
    assert explored.status == 1
    found = {each["id"]: each for each in explored.document()["findings"]}
    each = found["livelock:kvm_vcpu_block"]
    assert each["new"]
    assert each["standing"] == "introduced"
    assert "vcpu/v1 in kvm_vcpu_block, vcpu/v2 in kvm_vcpu_block go round" in each["text"]
    replayed = hgeisim("replay", each["token"], "--scenario", SLEEPERS, "--variant", variant)
    assert replayed.status == 1
    assert "livelock:kvm_vcpu_block" in replayed.out


@pytest.mark.slow
def test_what_the_base_shows_as_well_is_pre_existing() -> None:
    variant = f"v7.0+{PATCHES}:WakesSiblings"
    execute(variant)
    scenario = load_scenario(SLEEPERS, {"variant": variant})
    space = space_of(scenario)
    trial = Trial(scenario, exhaustive(space, MANY), Base(scenario, MANY))
    trial.count(space, MANY)
    assert trial.standings()["livelock:kvm_vcpu_block"].word == PRE_EXISTING
    trial = Trial(scenario, trial.verdict, Base(on_variant(scenario, "v7.0"), MANY))
    trial.count(space, MANY)
    assert trial.standings()["livelock:kvm_vcpu_block"].word == INTRODUCED


@pytest.mark.slow
def test_a_sound_patch_is_not_accused() -> None:
    variant = f"v7.0+{PATCHES}:WakesOnce"
    result = hgeisim("explore", SLEEPERS, "--variant", variant, "--json").document()
    assert [each["id"] for each in result["findings"] if each["new"]] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["on-swfile", "moved-sleeper", "stale-attr"])
def test_a_shipped_kernel_shows_none(name: str) -> None:
    assert livelocks(name, "v7.0") == []


@pytest.mark.proof
@pytest.mark.parametrize(("variant", "name"), proved_in(SEARCHED))
def test_no_shipped_kernel_shows_any(variant: str, name: str) -> None:
    assert livelocks(name, variant) == []


def livelocks(name: str, variant: str) -> list[str]:
    """The findings of a search."""
    verdict = exhaustive(space_of(load_scenario(name, {"variant": variant})), 3_000_000)
    return [each for each in verdict.counterexamples if each.startswith("livelock:")]
