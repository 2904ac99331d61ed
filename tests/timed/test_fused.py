"""A fused kernel behaves in time exactly as the plain one."""

from __future__ import annotations

import inspect
from functools import wraps
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings

from hgeisim.drivers.timed import simulation
from hgeisim.drivers.timed.completion import COMPLETIONS
from hgeisim.drivers.timed.environment import LaneGenerator
from hgeisim.drivers.timed.fused import KINDS, fused
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel import kvm_main as block
from hgeisim.kernel.main import Module
from hgeisim.kernel.variants import BASES, find_variant
from hgeisim.machine import guest, idle, ops
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import STEP, Op, Path, Step
from hgeisim.machine.task import Runner
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.schema import Scenario
from tests.support.kernels import V6_12, add_vcpu, booted
from tests.support.stock_environment import StockEnvironment
from tests.timed.test_consistency import scenarios

BASES_OF_OPS: list[type[Op]] = [Op, *Op.__subclasses__()]
EVERY_OP = dict.fromkeys(kind for base in BASES_OF_OPS for kind in base.__subclasses__())

Shown = list[tuple[int, str, str]]
"""The time, the context and the operation."""


def shown_by(scenario: Scenario, plainly: bool) -> Shown:
    """The operations that watchers see in a run."""
    shown: Shown = []
    run = made(scenario, plainly)
    for kind in EVERY_OP.keys() - {Step}:
        run.driver.done[kind].append(
            lambda who, op, waited_ns: shown.append((int(run.env.now), who.name, str(op)))
        )
    run.run(1_000_000)
    return shown


def made(scenario: Scenario, plainly: bool) -> Simulation:
    """A run of plain paths on stock processes, or of fused paths on lanes."""
    if plainly:
        return simulate(scenario, StockEnvironment(), "occupancy")
    return simulate(scenario, record="occupancy", form=fused)


@pytest.mark.slow
@pytest.mark.parametrize("preemption", ["none", "full", "rt"])
@pytest.mark.parametrize("variant", BASES)
def test_watchers_see_the_same_operations(variant: str, preemption: str) -> None:
    scenario = load_scenario("big-little", {"variant": variant, "preemption": preemption})
    shown = shown_by(scenario, plainly=False)
    assert shown == shown_by(scenario, plainly=True)
    assert len({what.split()[0] for _, _, what in shown}) > 12


def test_every_operation_with_a_completion_of_its_own_is_fused() -> None:
    """No such operation of a kernel path falls back to the driver."""
    run = made(load_scenario("big-little", {"preemption": "none"}), plainly=False)
    asked: set[type[Op]] = set()
    complete = run.driver.complete

    def note(who: Any, op: Op) -> LaneGenerator:
        asked.add(type(op))
        return complete(who, op)

    run.driver.complete = note  # type: ignore[method-assign]
    run.run(3_000_000)
    assert Ipi in asked
    assert not asked & set(COMPLETIONS)


def test_names_of_operations_are_those_of_the_machine() -> None:
    """Otherwise the prediction would fail each time and the path fall back to the driver."""
    k = booted(V6_12, (2,))
    vcpu = add_vcpu(k, "v", 0)
    where = (
        k.hgei[0].lock,
        vcpu.vsfile_lock,
        vcpu,
        vcpu.vm.srcu,
        k.hart[0],
        ops,
        guest,
        block,
        idle,
    )
    for ident, (kind, facts) in KINDS.items():
        found = [getattr(each, ident) for each in where if hasattr(each, ident)]
        found = [op for op in found if isinstance(op, Op)]
        assert {type(op) for op in found} == {kind}
        for fact, value in facts.items():
            assert [attrgetter(fact)(op) for op in found] == [value] * len(found)


class Misnamed(find_variant(V6_12)):  # type: ignore[misc]
    """A path whose operations have the names of other operations."""

    def kvm_shutdown(k, current: Runner) -> Path[None]:
        """Its interrupts are off between the two operations."""
        lock, unlock = k.hgei[0].lock.lock_irqsave, k.hgei[0].lock.unlock_irqrestore
        yield lock
        off = current.hart.irq_off, current.hart.preempt_count
        yield unlock
        assert off == (1, 0)
        lock, guest = k.kvm_usage_lock.lock, k.kvm_usage_lock.unlock
        yield lock
        assert k.kvm_usage_lock.owner == current.id
        yield guest


def test_a_wrong_prediction_from_a_name_is_noticed() -> None:
    scenario = load_scenario("homogeneous", {"until": "1ms"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "find_variant", lambda _: Misnamed)
        run = simulate(scenario, record="occupancy", form=fused)
    thread = run.k.add_thread("t", 0)
    lane = run.driver.spawn(thread, run.k.kvm_shutdown(thread))
    run.run(10_000_000)
    assert lane.processed
    hart = run.k.hart[thread.cpu]
    assert run.k.kvm_usage_lock.owner == 0
    assert hart.preempt_count >= 0


class Odd(find_variant(V6_12)):  # type: ignore[misc]
    """Paths that cannot be fused, and one that can."""

    def anybody(k, *who: Runner) -> Path[None]:
        """Takes any number of contexts."""
        yield STEP

    @staticmethod
    def nobody(current: Runner) -> Path[None]:
        """Has no kernel."""
        yield STEP

    @wraps(Module.ack_flush)
    def ack_flush(k, current: Runner, sender: Runner) -> Path[None]:
        """Is decorated."""
        yield STEP

    def scheduler_ipi(k, current: Runner) -> Path[None]:
        yield from super().scheduler_ipi(current)


def test_a_path_that_cannot_be_fused_stays_as_it_is() -> None:
    changed = {
        name for name in list(vars(Odd)) if getattr(fused(Odd), name) is not getattr(Odd, name)
    }
    assert changed & {"anybody", "nobody", "ack_flush", "scheduler_ipi"} == {"scheduler_ipi"}


def test_without_a_timed_driver_a_path_is_the_plain_one() -> None:
    k = booted(V6_12, (2, 2))
    vcpu = add_vcpu(k, "v", 0)
    k.__class__ = fused(find_variant(V6_12))
    ops = [str(op) for op in k.kvm_riscv_aia_alloc_hgei(0, vcpu)]
    assert ops == ["lock hgei0.lock", "step", "step", "unlock hgei0.lock"]


@pytest.mark.parametrize("variant", BASES)
def test_names_and_docstrings_stay(variant: str) -> None:
    kernel = find_variant(variant)
    for name, path in inspect.getmembers(fused(kernel), inspect.isgeneratorfunction):
        before = getattr(kernel, name)
        assert (path.__name__, path.__doc__) == (name, before.__doc__)
        assert path.__code__.co_filename == before.__code__.co_filename


def fingerprint_of(scenario: Scenario, plainly: bool) -> str:
    """The timeline of a run."""
    run = made(scenario, plainly)
    run.run(6_000_000)
    return fingerprint(run.timeline)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(raw=scenarios())
def test_timelines_are_those_of_plain_paths(raw: dict[str, Any]) -> None:
    """Fused paths on lanes, compared with plain paths on stock processes."""
    scenario = scenario_from(raw)
    assert fingerprint_of(scenario, False) == fingerprint_of(scenario, True)


@pytest.mark.proof
@settings(max_examples=1000, deadline=None)
@given(raw=scenarios())
def test_timelines_of_many_more(raw: dict[str, Any]) -> None:
    scenario = scenario_from(raw)
    assert fingerprint_of(scenario, False) == fingerprint_of(scenario, True)
