"""[[lock_load]]: closed, from one HART, and open, from HARTs in turn."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.timed.simulation import simulate
from hgeisim.errors import InputError
from hgeisim.runs.tables import LockUse
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.watch.lock_takers import LockTakers

MS = 1_000_000


def constant(value: str) -> dict[str, str]:
    return {"distribution": "constant", "value": value}


def scenario(**places: Any) -> Scenario:
    """Takers of the lock of HART 0, and no VM."""
    load = {"name": "l", "lines_of": 0, "every": constant("10us"), "holds": constant("15us")}
    nobody = {"name": "nobody", "vcpus": 1, "arrives": "1s"}
    times = {"run": constant("1us"), "msi": constant("1s")}
    return scenario_from(
        {
            "machine": {"harts": [{"count": 5, "guest_files": 3}]},
            "vm": [nobody | times],
            "lock_load": [load | places],
        }
    )


def use(**places: Any) -> LockUse:
    simulation = simulate(scenario(**places), record="occupancy")
    takers = LockTakers(simulation.k, simulation.k.hgei[0].lock, 0)
    simulation.k.watch.add(takers)
    simulation.run(MS)
    assert not simulation.findings
    assert sum(each.count for each in takers.turns.values()) == takers.use.acquisitions
    return takers.use


def test_an_open_load_does_not_wait_for_its_own_takers() -> None:
    """They come every 10 us and hold the lock for 15 us, so the queue grows until all HARTs wait; a
    closed load of one thread never waits."""
    many, one = use(harts=[1, 2, 3, 4]), use(hart=1)
    assert many.hold_ns_total > 0.95 * MS
    assert many.wait_ns_max > 40_000
    assert one.hold_ns_total < 0.6 * MS
    assert one.contended == 0


def test_it_is_open_or_closed() -> None:
    for places in ({}, {"hart": 0, "harts": [1]}):
        with pytest.raises(InputError, match="must have either `hart` or `harts`"):
            scenario(**places)
    with pytest.raises(InputError, match=r"lock_load\[0\].harts\[1\] = 7"):
        scenario(harts=[0, 7])
