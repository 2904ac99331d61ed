"""Why a HART had no line left, by hand and in runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hgeisim
from hgeisim.errors import InputError
from hgeisim.library.run import Result
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.runs.exhaustions import Exhaustion, exhaustions, offenders
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import IDLE, OWNERS, SPANS
from hgeisim.runs.timeline import OFFLINE, Timeline
from tests.support.commands import hgeisim as command
from tests.support.golden import check_golden

US = 1000


def recorded() -> Recording:
    """Two HARTs with two lines each; HART 0 is full from 100 to 500 us, HART 1 from 300 us on and
    offline from 400 us on."""
    timeline = Timeline(Topology((HartSpec(2), HartSpec(2)), 2, "test"))
    timeline.end_ns = 1000 * US
    for at, hart, busy in ((0, 0, 1), (100, 0, 2), (300, 1, 2), (500, 0, 1)):
        timeline.occupy(at * US, hart, busy)
    timeline.event(400 * US, OFFLINE, 1)
    owners = [(0, 1000, 0, 1, 7), (100, 500, 0, 2, 8), (300, 400, 1, 1, 9), (300, 400, 1, 2, 5)]
    idle = [(7, "blocked", 50, 300), (8, "failed", 450, 600), (8, "blocked", 0, 90)]
    spans = [("fallback", 110, 120, 0), ("refused", 499, 501, 0), ("move", 200, 201, 0)]
    spans += [("fallback", 350, 360, 1), ("fallback", 600, 610, 0)]
    return Recording(
        {"scenario": {"title": "by hand"}, "variant": "v", "preemption": "none", "seed": 1},
        {},
        timeline,
        {
            "owners": np.array(
                [(s * US, e * US, 1, 1, hart, line, v) for s, e, hart, line, v in owners], OWNERS
            ),
            "idle": np.array([(v, what, s * US, e * US) for v, what, s, e in idle], IDLE),
            "spans": np.array(
                [(kind, s * US, e * US, hart, -1, 1, 0, "") for kind, s, e, hart in spans], SPANS
            ),
        },
    )


def test_by_hand() -> None:
    first, second = exhaustions(recorded())
    assert (first.hart, first.start_ns, first.end_ns) == (0, 100 * US, 500 * US)
    assert first.refusals == {"fallback": 1, "refused": 1}
    held = [(each.vcpu, each.line, each.since_ns, each.held_ns) for each in first.holders]
    assert held == [(7, 1, 0, 400 * US), (8, 2, 100 * US, 400 * US)]
    assert [(each.blocked_ns, each.failed_ns) for each in first.holders] == [
        (200 * US, 0),
        (0, 50 * US),
    ]
    assert (first.free_ns, first.free_harts) == (200 * US, {1: 200 * US})
    assert (second.hart, second.start_ns, second.end_ns) == (1, 300 * US, 400 * US)
    assert (second.refusals, second.free_ns, second.free_harts) == ({"fallback": 1}, 0, {})


def test_the_worst_holders_come_first() -> None:
    names = [(each.name, each.held_ns, each.idle_ns) for each in offenders(exhaustions(recorded()))]
    assert names[:2] == [("vCPU 7", 400 * US, 200 * US), ("vCPU 8", 400 * US, 50 * US)]
    assert [name for name, *_ in names[2:]] == ["vCPU 5", "vCPU 9"]


def test_one_hart() -> None:
    assert [each.hart for each in exhaustions(recorded(), 1)] == [1]
    with pytest.raises(InputError, match=r"0\.\.1"):
        exhaustions(recorded(), 2)


@pytest.fixture(scope="module")
def result() -> Result:
    return hgeisim.run(hgeisim.load("big-little", variant="v7.1", until="2ms"))


def each_line_has_its_holders(result: Result, each: Exhaustion) -> None:
    """While a HART is out of lines, each of its lines has one holder at any time."""
    held: dict[int, int] = {}
    for holder in each.holders:
        held[holder.line] = held.get(holder.line, 0) + holder.held_ns
        assert 0 <= holder.idle_ns <= holder.held_ns
    assert held == dict.fromkeys(range(1, result.steps[each.hart].lines + 1), each.lasted_ns)


def test_laws(result: Result) -> None:
    found = hgeisim.explain(result).exhaustions
    assert found
    for each in found:
        each_line_has_its_holders(result, each)
        assert max(each.free_harts.values(), default=0) <= each.free_ns <= each.lasted_ns
    order = [(-each.refused, -each.lasted_ns) for each in found]
    assert order == sorted(order)
    lasted = sum(each.lasted_ns for each in found)
    assert lasted == sum(end - start for steps in result.steps for start, end in steps.exhausted)


def test_idle_times_are_those_of_the_table_of_vcpus(result: Result) -> None:
    idle, vcpus = result.tables["idle"], result.tables["vcpus"]
    for state in ("blocked", "failed"):
        mine = idle[idle["state"] == state]
        assert int((mine["end_ns"] - mine["start_ns"]).sum()) == int(vcpus[f"{state}_ns"].sum())


def test_the_command(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path / "run")
    said = command("explain", str(tmp_path / "run"), "--top", "2")
    assert (said.status, said.err) == (0, "")
    check_golden("explain", said.out)
    document: dict[str, Any] = command("explain", str(tmp_path / "run"), "--json").document()
    assert document == json.loads(json.dumps(hgeisim.explain(result).document))


def test_a_run_without_owners(tmp_path: Path) -> None:
    made = hgeisim.run(hgeisim.load("homogeneous", until="100us"), record="occupancy")
    made.write(tmp_path / "run")
    said = command("explain", str(tmp_path / "run"))
    assert said.status == 2
    assert "--record all" in said.err
