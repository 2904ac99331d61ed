"""The real traces, whole: the model agrees with each, and docs/traces.md has them beside their
simulations (HGEISIM_UPDATE=1 rewrites the tables there)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from hgeisim.drivers.timed.simulation import simulate
from hgeisim.drivers.traced.conformance import Conformance, check_trace
from hgeisim.drivers.traced.read_trace import read_trace
from hgeisim.runs.measures import hart_summaries
from hgeisim.runs.timeline import Timeline
from hgeisim.scenario.load import load_scenario
from hgeisim.trace.event_names import Events
from hgeisim.trace.import_trace import import_trace
from hgeisim.trace.imported_run import timeline_of
from tests.support.golden import updating
from tests.support.traces import FOLDER

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "traces.md"
SCENARIOS = ROOT / "scenarios" / "traces"
CHECKED = {
    "01-no-contention": 473,
    "02-exhausted-auto": 898,
    "03-exhausted-hwaccel": 727,
    "04-exhausted-move": 1039,
    "06-storm-auto": 1555,
    "07-storm-hwaccel": 1469,
    "08-storm-two-vms": 1631,
    "11-hotplug-slow": 502,
    "12-hotplug-storm": 1668,
    "17-pinned-one-line": 511,
    "18-storm-3132": 1574,
    "20-enable-at-vm-create": 319,
    "22-locks": 50,
}
"""The traces, and the number of events compared in each."""
FOUND = {
    "06-storm-auto": {"lost-wakeup:vcpu": 510},
    "07-storm-hwaccel": {"lost-wakeup:vcpu": 426, "stale-armed:hgei": 516},
    "22-locks": {"lost-wakeup:vcpu": 801},
}
"""Faults of the kernel, and the first line of each."""
LATER = {"31-v7.2-migration": ("v7.2", 7967), "32-v7.3-migration": ("v7.3", 8119)}
"""Traces of later kernels: which, and the number of events compared."""
IMPORTED = {
    "31-v7.2-migration": [201, 502, 201, 601, 70],
    "32-v7.3-migration": [194, 497, 194, 647, 65],
}
"""The counts that are compared."""
COUNTED = ("alloc", "fail", "free", "sgei", "release")
HEAD = """\
| trace | allocations | failures | frees | SGEIs | releases | most lines taken, by HART |
|---|---|---|---|---|---|---|
"""


def lines_of(name: str) -> tuple[int, ...]:
    return (3, 1, 3, 2) if name[:2] in ("17", "18") else (3,)


@cache
def checked(name: str) -> Conformance:
    variant = "v6.12+percpu-v2" if name[:2] in ("17", "18") else "v6.12"
    return check_trace(read_trace(FOLDER / f"{name}.txt.gz", Events(), lines_of(name)), variant)


@cache
def real(name: str) -> Timeline:
    imported = import_trace(FOLDER / f"{name}.txt.gz", Events(), lines_of(name))
    return timeline_of(imported.occupancy, imported.machine)


@cache
def simulated(name: str) -> Timeline:
    scenario = load_scenario(SCENARIOS / f"{name}.toml")
    simulation = simulate(scenario)
    simulation.run(scenario.run.until)
    return simulation.timeline


def totals(timeline: Timeline) -> list[int]:
    harts = hart_summaries(timeline)
    return [sum(hart[key] for hart in harts) for key in COUNTED]


def peaks(timeline: Timeline) -> list[int]:
    return [hart["busy_max"] for hart in hart_summaries(timeline)]


def row(name: str) -> str:
    sides = [(totals(timeline), peaks(timeline)) for timeline in (real(name), simulated(name))]
    counts = [f"{a:,} / {b:,}" for a, b in zip(sides[0][0], sides[1][0], strict=True)]
    most = " / ".join(" ".join(map(str, each)) for _, each in sides)
    return f"| {' | '.join([name, *counts, most])} |\n"


def test_there_is_a_scenario_for_each() -> None:
    assert [path.stem for path in sorted(SCENARIOS.glob("*.toml"))] == list(CHECKED)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_a_trace_agrees_to_its_end(name: str) -> None:
    result = checked(name)
    assert result.disagreement is None
    assert (result.checked.total(), result.agreed) == (CHECKED[name], CHECKED[name])
    found = {each.finding.id: each.line for each in reversed(result.findings)}
    assert found == FOUND.get(name, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", LATER)
def test_traces_of_later_kernels_agree(name: str) -> None:
    variant, compared = LATER[name]
    assert totals(real(name)) == IMPORTED[name]
    trace = read_trace(FOLDER / f"{name}.txt.gz", Events(), (3,))
    result = check_trace(trace, variant)
    assert (result.disagreement, result.findings) == (None, [])
    assert result.agreed == compared


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHECKED if name[:2] not in ("17", "18")])
def test_the_stable_tree_agrees_as_well(name: str) -> None:
    """The traces are of 6.12.117: what it has over the first release is not in their events."""
    trace = read_trace(FOLDER / f"{name}.txt.gz", Events(), (3,))
    result = check_trace(trace, "v6.12+stable")
    assert (result.disagreement, result.agreed) == (None, CHECKED[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_machine_and_length_are_those_of_the_trace(name: str) -> None:
    one, other = real(name), simulated(name)
    assert [hart.lines for hart in one.topology.harts] == [
        hart.lines for hart in other.topology.harts
    ]
    assert abs(one.end_ns - other.end_ns) <= 1_000_000


@pytest.mark.slow
def test_the_table_is_what_comes_out() -> None:
    now = HEAD + "".join(map(row, CHECKED))
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(r"^\| trace \|.*\n(?:\|.*\n)+", page, re.MULTILINE)
    assert found is not None
    if updating():
        PAGE.write_text(page.replace(found[0], now), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8").count(now) == 1, now


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHECKED if name != "11-hotplug-slow"])
def test_a_simulation_is_not_far_off(name: str) -> None:
    """Allocations and failures agree within a factor of 1.6; with another policy they would not."""
    for key, one, other in zip(COUNTED, totals(real(name)), totals(simulated(name)), strict=True):
        if key in ("alloc", "fail"):
            assert other <= 1.6 * one + 3, (key, one, other)
            assert one <= 1.8 * other + 3, (key, one, other)
