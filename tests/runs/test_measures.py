"""The table of a run agrees with itself, and with the lines themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.drivers.timed.simulation import Simulation
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.runs.measures import hart_summaries, mean_exhausted, span_totals, vm_totals
from hgeisim.runs.occupancy_steps import offline_windows
from hgeisim.runs.tables import SPANS, VCPUS
from hgeisim.runs.timeline import ALLOC, FAIL, FREE, OFFLINE, ONLINE, SGEI, Timeline
from tests.support.simulations import HEALTHY, simulations
from tests.support.timelines import topology

US = 1_000


def initial(sim: Simulation) -> list[int]:
    """Lines of each HART that are taken before time begins."""
    return list(sim.timeline.busy_at)


@pytest.mark.slow
@settings(max_examples=60)
@given(simulations(HEALTHY), st.integers(1, 3000))
def test_allocs_and_frees_account_for_every_taken_line(sim: Simulation, until_us: int) -> None:
    """A probe fires a little after the line changed hands, when its function returns; so there is
    a difference for a moment, and never for long."""
    before = initial(sim)
    sim.run(until_us * US)
    gaps = [unaccounted(sim, before)]
    while any(gaps[-1]) and len(gaps) < 100:
        sim.run(sim.timeline.end_ns + US)
        gaps.append(unaccounted(sim, before))
    assert not any(gaps[-1])
    assert all(abs(gap) <= 2 for gap in gaps[0])


def unaccounted(sim: Simulation, before: list[int]) -> list[int]:
    """For each HART, initial + allocs - frees - taken."""
    return [
        was + hart["alloc"] - hart["free"] - busy
        for was, hart, busy in zip(
            before, hart_summaries(sim.timeline), sim.timeline.busy_at, strict=True
        )
    ]


@pytest.mark.slow
@settings(max_examples=60)
@given(simulations(("v6.12", "v6.12+percpu-v2", "v6.12+percpu-v5")), st.integers(1, 3_000_000))
def test_parts_are_parts_and_means_are_means(sim: Simulation, until_ns: int) -> None:
    sim.run(until_ns)
    for hart in hart_summaries(sim.timeline):
        assert 0 <= hart["busy_mean"] <= hart["busy_max"]
        assert 0 <= hart["exhausted"] <= 1
        assert hart["lines"] <= hart["guest_files"]
        if hart["lines"] == 0:
            assert hart["exhausted"] == 0


@pytest.mark.slow
@settings(max_examples=60)
@given(simulations(("v6.12+percpu-v5",)), st.integers(1, 3_000_000))
def test_a_healthy_kernel_takes_no_line_that_is_not_there(sim: Simulation, until_ns: int) -> None:
    sim.run(until_ns)
    for hart in hart_summaries(sim.timeline):
        assert hart["busy_max"] <= hart["lines"]
        assert hart["busy_max"] == hart["lines"] or hart["exhausted"] == 0
        assert hart["fail"] == 0 or hart["busy_max"] == hart["lines"]
    assert "no-such-line:hgei" not in sim.findings


def recorded(lines: int, end_ns: int, *steps: tuple[int, int]) -> dict[str, Any]:
    timeline = Timeline(topology(lines))
    timeline.end_ns = end_ns
    for when, busy in steps:
        timeline.occupy(when, 0, busy)
    return hart_summaries(timeline)[0]


def test_figures_by_hand() -> None:
    made = recorded(2, 1000, (100, 1), (200, 2), (700, 1), (900, 0))
    assert made["busy_max"] == 2
    assert made["busy_mean"] == 1.3
    assert made["exhausted"] == 0.5


def test_lines_that_do_not_exist_count_as_exhausted_too() -> None:
    made = recorded(1, 1000, (250, 3))
    assert (made["busy_max"], made["busy_mean"], made["exhausted"]) == (3, 2.25, 0.75)


def test_what_is_taken_from_the_start_counts_from_the_start() -> None:
    made = recorded(1, 1000, (0, 1))
    assert (made["busy_max"], made["busy_mean"], made["exhausted"]) == (1, 1.0, 1.0)


def test_a_change_at_the_very_end_has_no_length() -> None:
    made = recorded(1, 1000, (1000, 1))
    assert (made["busy_mean"], made["exhausted"]) == (0.0, 0.0)


def test_a_hart_without_lines_is_never_exhausted() -> None:
    assert recorded(0, 1000)["exhausted"] == 0.0


def test_lines_that_the_kernel_withholds_are_not_to_be_had() -> None:
    timeline = Timeline(topology(7))
    timeline.end_ns, timeline.usable = 1000, [3]
    timeline.occupy(200, 0, 3)
    (made,) = hart_summaries(timeline)
    assert (made["lines"], made["usable"], made["withheld"]) == (7, 3, 4)
    assert made["exhausted"] == 0.8


def test_lines_without_a_guest_file_are_nobody_s_to_withhold() -> None:
    harts = (HartSpec(guest_files=3, geilen=7),)
    timeline = Timeline(Topology(harts, 3, "test"))
    timeline.end_ns, timeline.usable = 1000, [3]
    (made,) = hart_summaries(timeline)
    assert (made["lines"], made["usable"], made["withheld"]) == (7, 3, 0)


def test_a_hart_that_is_off_at_first_is_not_online_until_it_says_so() -> None:
    timeline = Timeline(topology(1, 1))
    timeline.end_ns, timeline.off_at_first = 1000, [True, True]
    timeline.event(600, ONLINE, 0)
    timeline.occupy(800, 0, 1)
    first, never = hart_summaries(timeline)
    assert (first["online"], first["exhausted"]) == (0.4, 0.5)
    assert (never["online"], never["exhausted"]) == (0.0, 0.0)
    assert offline_windows(timeline) == [[(0, 600)], [(0, 1000)]]
    assert mean_exhausted([first, never]) == 0.5


def test_exhausted_is_a_share_of_the_time_online() -> None:
    timeline = Timeline(topology(1))
    timeline.end_ns = 1000
    timeline.occupy(0, 0, 1)
    timeline.event(500, OFFLINE, 0)
    timeline.event(900, ONLINE, 0)
    timeline.occupy(950, 0, 0)
    (made,) = hart_summaries(timeline)
    assert made["exhausted"] == round(550 / 600, 6)


def test_a_run_of_no_time_is_no_division_by_zero() -> None:
    assert recorded(1, 0, (0, 1))["busy_mean"] == 0.0


def test_events_are_counted_for_their_hart() -> None:
    timeline = Timeline(topology(2, 2))
    timeline.end_ns = 100
    for kind, hart in ((ALLOC, 0), (ALLOC, 1), (ALLOC, 1), (FAIL, 0), (FREE, 1), (SGEI, 1)):
        timeline.event(50, kind, hart)
    counted = [
        {n: h[n] for n in ("alloc", "fail", "free", "sgei")} for h in hart_summaries(timeline)
    ]
    assert counted == [
        {"alloc": 1, "fail": 1, "free": 0, "sgei": 0},
        {"alloc": 2, "fail": 0, "free": 1, "sgei": 1},
    ]


def test_times_are_apart_by_mode_and_by_what_was_met() -> None:
    """Two vCPUs of each mode, and an SGEI of none."""
    lives = [
        (number, f"v{number}", vm, "auto", mode, 0, 100, 0, *times)
        for number, vm, mode, times in (
            (1, "web#1", "auto", (30, 10, 0, 0, 60)),
            (2, "web#2.1", "auto", (50, 10, 0, 0, 40)),
            (3, "db", "emul", (0, 0, 0, 0, 100)),
        )
    ]
    vcpus = np.array(lives, VCPUS)
    came = [("msi-vsfile", 1, "guest", 5), ("msi-vsfile", 2, "wfi", 7), ("msi-vsfile", 1, "wfi", 9)]
    came += [("msi-vsfile", 3, "wfi", 11), ("sgei-taken", 0, "", 2)]
    spans = np.array([(k, 0, ns, 0, -1, vcpu, 0, met) for k, vcpu, met, ns in came], SPANS)
    found = [
        (each["kind"], each["mode"], each["met"], each["count"], each["max_ns"])
        for each in span_totals(spans, vcpus)
    ]
    assert found == [
        ("sgei-taken", "", "", 1, 2),
        ("msi-vsfile", "auto", "guest", 1, 5),
        ("msi-vsfile", "auto", "wfi", 2, 9),
        ("msi-vsfile", "emul", "wfi", 1, 11),
    ]
    web, db = vm_totals(vcpus)
    assert (web["name"], web["vms"], web["count"], web["vsfile_ns"]) == ("web", 2, 2, 80)
    assert (web["mode_granted"], web["vsfile_of_guest"]) == ("auto", 0.8)
    assert (db["mode_asked"], db["mode_granted"], db["vsfile_of_guest"]) == ("auto", "emul", None)
