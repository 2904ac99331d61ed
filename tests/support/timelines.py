"""Synthetic recordings: what a run could have left behind, without running anything."""

from __future__ import annotations

from hypothesis import strategies as st

from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.runs.timeline import ALLOC, EVENT_NAMES, FAIL, FREE, OFFLINE, ONLINE, Timeline


def topology(*lines: int) -> Topology:
    """Return HARTs with a number of guest files and as many lines, as from a test."""
    return Topology(tuple(HartSpec(count, count) for count in lines), 3, "test")


def busy_timeline(lines: tuple[int, ...], *, beyond: int = 0, steps: int = 60) -> Timeline:
    """Fill and empty each HART like a tide, up to `beyond` lines more than it has.

    The last HART is offline for a fifth of the time.  20 ms, `steps` records a HART at most.
    """
    made = Timeline(topology(*lines))
    made.end_ns = 20_000_000
    taken = [0] * len(lines)
    away = len(lines) - 1
    for step in range(1, steps):
        now = made.end_ns * step // steps
        if step in (steps * 2 // 5, steps * 3 // 5):
            made.event(now, OFFLINE if step < steps // 2 else ONLINE, away)
        for hart, count in enumerate(lines):
            offline = hart == away and steps * 2 // 5 <= step < steps * 3 // 5
            tide = 0 if offline else _tide(step * 3 + hart * 17, count + beyond)
            made.event(now, ALLOC if tide > taken[hart] else FREE, hart, step, 1)
            if tide == count and not beyond:
                made.event(now, FAIL, hart, step)
            taken[hart] = tide
            made.occupy(now, hart, tide)
    return made


def _tide(phase: int, top: int) -> int:
    """Go up and down between 0 and `top`, with a little stutter."""
    span = 3 * top + 4
    at = phase % (2 * span)
    height = at if at < span else 2 * span - at
    return max(0, min(top, height // 2 - phase % 3))


HARTS = 3

occupancy_records = st.lists(
    st.tuples(st.integers(0, 10**12), st.integers(0, HARTS - 1), st.integers(0, 255)),
    max_size=20,
).map(sorted)
event_records = st.lists(
    st.tuples(
        st.integers(0, 10**12),
        st.integers(0, len(EVENT_NAMES) - 1),
        st.integers(0, HARTS - 1),
        st.integers(-1, 10**6),
        st.integers(0, 255),
    ),
    max_size=20,
).map(sorted)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Draw a recording of three HARTs with whatever records fit into the columns."""
    made = Timeline(topology(7, 3, 1))
    made.end_ns = draw(st.integers(0, 10**12))
    for at, hart, busy in draw(occupancy_records):
        made.occupy(at, hart, busy)
    for record in draw(event_records):
        made.event(*record)
    return made
