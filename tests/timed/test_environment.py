"""The fast lane is SimPy, only faster: the same order, the same times, the same events."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import simpy

from hgeisim.drivers.timed.environment import LaneEnvironment, LaneGenerator
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.scenario.load import load_scenario
from tests.support.stock_environment import StockEnvironment

Log = list[tuple[int, str]]


def sleeper(env: LaneEnvironment, log: Log, name: str, *delays: int) -> LaneGenerator:
    for delay in delays:
        yield delay
        log.append((int(env.now), name))


@pytest.mark.parametrize("make", [LaneEnvironment, StockEnvironment])
def test_ties_are_served_in_order_of_arrival(make: type[LaneEnvironment]) -> None:
    env, log = make(), []
    log = list[tuple[int, str]]()
    env.lane(sleeper(env, log, "a", 5, 5))
    env.lane(sleeper(env, log, "b", 5, 0, 5))
    env.lane(sleeper(env, log, "c", 10))
    env.run()
    assert log == [(5, "a"), (5, "b"), (5, "b"), (10, "c"), (10, "a"), (10, "b")]


@pytest.mark.parametrize("make", [LaneEnvironment, StockEnvironment])
def test_a_process_can_wait_for_a_lane(make: type[LaneEnvironment]) -> None:
    env = make()

    def waiter() -> Generator[simpy.Event, object, int]:
        yield env.lane(sleeper(env, [], "a", 3, 4)) & env.timeout(2)
        return int(env.now)

    assert env.run(until=env.process(waiter())) == 7


@pytest.mark.parametrize("make", [LaneEnvironment, StockEnvironment])
def test_parked_until_woken(make: type[LaneEnvironment]) -> None:
    env = make()
    log: Log = []

    def parked() -> LaneGenerator:
        yield None
        log.append((int(env.now), "woken"))

    lane = env.lane(parked())

    def waker() -> Generator[simpy.Event, object, None]:
        yield env.timeout(9)
        lane.wake()

    env.process(waker())
    env.run(until=100)
    assert log == [(9, "woken")]


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v6.12+percpu-v5"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.proof
def test_timelines_are_those_of_stock_simpy(variant: str, seed: int) -> None:
    scenario = load_scenario("big-little", {"variant": variant, "seed": seed, "until": "8ms"})
    prints = []
    for env in (LaneEnvironment(), StockEnvironment()):
        simulation = simulate(scenario, env)
        simulation.run(scenario.run.until)
        prints.append(fingerprint(simulation.timeline))
    assert prints[0] == prints[1]
