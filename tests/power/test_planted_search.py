"""Planted faults, and how many of them a search notices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.power import PlantedSpace, Power
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.power.planting import BOUND, DROP, INVERT, UNLOCK, Fault, planted
from hgeisim.drivers.power.trials import NO_EFFECT, NOTICED, SURVIVED
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import STEP, Path
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

NAME, VARIANT = "moved-sleeper", "v7.0"
STATES_MAX = 50_000


class Doer:
    """Functions of a file that is none of the kernel's."""

    def counts(k, times: int) -> list[int]:
        """A loop with a bound, a condition, an assignment, a call."""
        made: list[int] = []
        number = 0
        while number < times:
            if number != 1:
                made.append(number)
            number += 1
        return made

    def locks(k, lock: Any) -> Path[int]:
        """A lock, with one way out in the middle."""
        yield STEP
        yield lock.lock_irqsave
        found = yield lock.find
        if found:
            yield lock.unlock_irqrestore
            return 1
        lock.x = 1
        yield lock.unlock_irqrestore
        return 0


class Base:
    """The class on which a patch builds."""

    def adds(k, made: list[str]) -> list[str]:
        """One thing."""
        return [*made, "base"]


class Patched(Base):
    """A patch that calls what it patches."""

    def adds(k, made: list[str]) -> list[str]:
        """More of it."""
        made = super().adds(made)
        made.append("patch")
        return made


@dataclass
class Kernel:
    """A kernel that says which fault is on."""

    on: int

    def at(self, number: int) -> bool:
        """Whether it is this one."""
        return number == self.on


def broken(kernel: type[Any], name: str) -> list[tuple[Fault, Callable[..., Any]]]:
    """A function with each of its faults on."""
    cls, faults = planted(kernel)
    function = vars(cls)[name]
    own = [fault for fault in faults if fault.function == name]
    return [(fault, partial(function, Kernel(fault.number))) for fault in own]


def test_what_is_planted() -> None:
    """Each fault does what it says; without `number += 1` the loop would not end."""
    made = {
        (fault.operator, fault.text): function(3)
        for fault, function in broken(Doer, "counts")
        if fault.text != "number += 1"
    }
    assert made == {
        (BOUND, "number < times"): [0, 2, 3],
        (INVERT, "number < times"): [],
        (INVERT, "number != 1"): [1],
        (DROP, "made.append(number)"): [],
    }


def test_a_function_that_calls_what_it_patches_still_does() -> None:
    """Its own patch is in front of another, and `super()` means that."""
    cls, faults = planted(Patched)
    (fault,) = (each for each in faults if each.function == "adds")
    patched = type("Both", (cls, Patched), {"__init__": lambda k: None, "at": lambda k, n: False})()
    assert patched.adds([]) == ["base", "patch"]
    assert (fault.operator, fault.text) == (DROP, "made.append('patch')")


@pytest.mark.parametrize("found", [0, 1])
def test_a_lock_is_left_out_with_every_unlock_of_it(found: int) -> None:
    ((_, function),) = (each for each in broken(Doer, "locks") if each[0].operator == UNLOCK)
    path = function(Lock())
    assert [next(path), next(path), next(path)] == [STEP, STEP, "find"]
    assert path.send(found) is STEP
    with pytest.raises(StopIteration) as ended:
        next(path)
    assert ended.value.value == found


class Lock:
    """Operations by their names."""

    lock_irqsave, find, unlock_irqrestore, x = "lock", "find", "unlock", 0


@pytest.mark.slow
def test_the_kernel_is_the_same_where_no_fault_is_on() -> None:
    measured, scenario = power(), load_scenario(NAME, {"variant": VARIANT})
    plain = exhaustive(space_of(scenario), STATES_MAX)
    assert measured.verdict.counterexamples.keys() == plain.counterexamples.keys()
    assert (measured.verdict.states, measured.verdict.ends) == (plain.states, plain.ends)


@cache
def power() -> Power:
    """Measured once."""
    made = Power(load_scenario(NAME, {"variant": VARIANT}), STATES_MAX)
    made.search()
    made.measure(600)
    return made


@pytest.mark.slow
def test_all_that_is_reached_is_tried() -> None:
    made = power()
    assert [each.fault for each in made.outcomes] == sorted(made.reached)
    words = Counter(each.word for each in made.outcomes)
    assert words[NOTICED] >= 65
    assert words[NO_EFFECT] >= 8
    assert set(words) <= {NOTICED, NO_EFFECT, SURVIVED, "no kernel"}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
@pytest.mark.proof
def test_a_search_of_its_own_says_the_same(part: int) -> None:
    """The fault is on from the start of the tasks, and nothing is shared."""
    made = power()
    for outcome in made.outcomes[part::12]:
        space = PlantedSpace(made.broken)
        space.turn_on(outcome.fault.number)
        found = exhaustive(space, STATES_MAX)
        new = [i for i in found.counterexamples if i not in made.verdict.counterexamples]
        noticed = outcome.word == NOTICED and not outcome.what.startswith("easier")
        assert bool(new) == noticed, outcome


@pytest.mark.slow
def test_any_first_part_is_spread_evenly() -> None:
    reached = power().reached
    functions = {each.function for each in reached}
    assert {each.function for each in reached[: len(functions)]} == functions


def test_a_fault_names_its_place() -> None:
    fault = Fault(1, DROP, "f", "aia.py", 7, "x = 1")
    assert str(fault) == "aia.py:7 f: drop x = 1"
    _, faults = planted(find_variant("v7.0+percpu-v5"))
    assert {each.file for each in faults} >= {"aia.py", "aia_imsic.py", "percpu_v5.py", "v6_16.py"}
    assert len({each.number for each in faults}) == len(faults) > 200


@pytest.mark.slow
@pytest.mark.proof
def test_on_the_command_line() -> None:
    output = hgeisim("explore", NAME, "--variant", VARIANT, "--power")
    assert output.status == 0
    assert "reached 86 | no kernel 0, no effect 10 | noticed 69 of 76" in output.out
    assert "not noticed:" in output.out
    result = hgeisim("explore", NAME, "--variant", VARIANT, "--power", "--json").document()
    assert len(result["faults"]) == result["tried"] == result["reached"] == 86
    short = hgeisim("explore", NAME, "--variant", VARIANT, "--power", "--seconds", "0.001")
    assert "0 of those reached were tried, evenly over functions" in short.out.replace("\n", " ")


@pytest.mark.parametrize("option", [("--walk", "3"), ("--first",), ("--proof",), ("--mail",)])
def test_options_that_it_has_no_use_for(option: tuple[str, ...]) -> None:
    output = hgeisim("explore", NAME, "--power", *option)
    assert (output.status, output.out) == (2, "")
    assert f"{option[0]}: does not go with --power" in output.err
