"""`hgeisim trace calibrate`: the durations, the laws that they become, and the table as text."""

from __future__ import annotations

import json
import math
import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.report.timing_table import WARNING, document, text
from hgeisim.scenario.timing import TIMING_NS, Constant, Empirical, Exponential, Timing
from hgeisim.trace import duration
from hgeisim.trace.calibration import (
    UNMEASURABLE,
    Calibration,
    fitted,
    quantile,
    why_missing,
)
from hgeisim.trace.duration import MEASURES
from hgeisim.trace.event_names import MEANINGS, Events
from hgeisim.trace.interval import intervals_of
from tests.support.golden import check_golden
from tests.support.traces import NAMES, events_in, script, trace_command, trace_path

US = 1_000
HOLE = "CPU:1 [LOST 3 EVENTS]"


def measured(of: Callable[[Any], Iterator[int]], *steps: str, by_call: bool = False) -> list[int]:
    """The durations in us that a measure finds in steps 10 us apart."""
    events = events_in(*steps)
    return [ns // US for ns in of(intervals_of(events) if by_call else events)]


HOLD = ("1 a-1 lock_acquire: 07 &hgctrl->lock", "1 a-1 lock_release: 07 &hgctrl->lock")
CALL = (
    "0 a-1 csd_queue_cpu: cpu=1 callsite=f func=g csd=07",
    "1 b-2 csd_function_entry: func=g, csd=07",
)
SWEEP = (
    "1 b-2 csd_function_entry: func=imsic_vsfile_local_read, csd=07",
    "1 b-2 csd_function_exit: func=imsic_vsfile_local_read, csd=07",
)
TAKEOVER = (
    "0 a-1 ioremap: kvm=k gpa=0x0 hpa=0x0",
    "1 b-2 lread: data=0 hgei=3",
    "2 a-1 free: cpu=1 hgei=3",
)
WAKE = (
    "0 a-1 sched_waking: comm=b pid=2 target_cpu=001",
    "0 a-1 sched_wakeup: comm=b pid=2 target_cpu=001",
)
IDLE = ("1 <idle>-0 kick: vcpu=p cpu=-1 mode=0", "1 b-2 vload: vcpu=p cpu=1")
SWITCH = (
    *("1 b-2 wakeon: vcpu=p en=1", "1 b-2 vput: vcpu=p cpu=1", "1 c-3 vload: vcpu=q cpu=1"),
    *("0 x-9 kick: vcpu=p cpu=-1 mode=0", "1 c-3 wakeon: vcpu=q en=1", "1 c-3 vput: vcpu=q cpu=1"),
    "1 b-2 vload: vcpu=p cpu=1",
)
END = ("1 m-9 free: cpu=1 hgei=1", "1 m-9 free: cpu=2 hgei=1")
MOVE = (
    "1 a-1 alloc: cpu=1 vcpu=p old_cpu=2 old_hgei=1",
    "1 a-1 alloc_ret: cpu=1 vcpu=p ret=2",
    "1 a-1 run: vcpu=p cpu=1 hstatus=0x2000",
)
DOWN = (
    "1 c-3 cpuhp_enter: cpu: 0001 target: 145 step: 235 (sched_cpu_deactivate)",
    "1 c-3 cpuhp_exit: cpu: 0001 state: 234 step: 235 ret: 0",
    "1 c-3 cpuhp_enter: cpu: 0001 target: 145 step: 148 (kvm_offline_cpu)",
    "1 c-3 cpuhp_exit: cpu: 0001 state: 147 step: 148 ret: 0",
    "0 k-4 cpuhp_enter: cpu: 0001 target: 0 step: 145 (takedown_cpu)",
    "0 k-4 cpuhp_exit: cpu: 0001 state: 87 step: 145 ret: 0",
)


@pytest.mark.parametrize(
    ("of", "steps", "expected"),
    [
        (duration.holds, HOLD, [10]),
        (duration.cross_calls, CALL, [10]),
        (duration.sweeps, SWEEP, [10]),
        (duration.until_sweep, TAKEOVER, [10]),
        (duration.since_sweep, TAKEOVER, [10]),
        (duration.ipi_round_trips, TAKEOVER, [20]),
        (duration.wake_ups, WAKE, [10]),
        (duration.idle_wake_ups, IDLE, [10]),
        (duration.switches, SWITCH, [10]),
        (duration.teardowns, END, [10]),
        (duration.migrations, MOVE, [20]),
    ],
)
def test_a_duration(
    of: Callable[[Any], Iterator[int]], steps: tuple[str, ...], expected: list[int]
) -> None:
    assert measured(of, *steps) == expected
    assert measured(of, *steps, *steps) == expected * 2 or of is duration.teardowns
    for at in range(1, len(steps)):
        begun, rest = steps[:at], steps[at:]
        assert measured(of, *begun, HOLE, *rest) == [], at


def test_callbacks_of_hotplug() -> None:
    up = [
        step.replace("145 step: 1", "240 step: 1").replace("145 step: 2", "240 step: 2")
        for step in DOWN[:4]
    ]
    steps = [*DOWN, *up, *DOWN]
    assert measured(duration.callbacks, *steps, by_call=True) == [20, 20, 20]
    assert measured(duration.takedowns, *steps, by_call=True) == [10, 10]


def test_what_is_not_counted() -> None:
    """A contended lock, another lock, a wake-up elsewhere, a failed move, a vCPU not waiting."""
    contended = (HOLD[0], "1 a-1 lock_contended: 07 &hgctrl->lock", HOLD[1])
    assert measured(duration.holds, *contended) == []
    assert measured(duration.holds, *(step.replace("hgctrl", "rq") for step in HOLD)) == []
    assert measured(duration.idle_wake_ups, IDLE[0], IDLE[1].replace("1 b", "2 b")) == []
    assert measured(duration.idle_wake_ups, IDLE[0].replace("<idle>-0", "a-1"), IDLE[1]) == []
    assert measured(duration.migrations, MOVE[0], MOVE[1].replace("ret=2", "ret=-2"), MOVE[2]) == []
    assert (
        measured(duration.migrations, MOVE[0].replace("old_cpu=2", "old_cpu=-1"), *MOVE[1:]) == []
    )
    assert measured(duration.switches, *(step for step in SWITCH if "kick" not in step)) == []
    assert measured(duration.teardowns, END[0], "1 m-9 alloc: cpu=1 vcpu=p", END[1]) == []


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_a_law_keeps_within_what_was_measured(times: list[int]) -> None:
    law = fitted(times)
    if isinstance(law, Empirical):
        assert (law.quantiles[0], law.quantiles[-1]) == (min(times), max(times))
        assert set(law.quantiles) <= set(times)
        assert list(law.quantiles) == sorted(law.quantiles)
    elif isinstance(law, Constant):
        assert len(set(times)) == 1
        assert law.value == max(1, times[0])
    else:
        assert isinstance(law, Exponential)
        assert len(times) >= 20


def test_exponential_times_are_recognised_and_others_are_not() -> None:
    """A random seed would have 5 % odds of an error of the first kind; these seeds have none."""
    draws = random.Random(1)
    times = [round(draws.expovariate(1 / 50_000)) for _ in range(500)]
    law = fitted(times)
    assert isinstance(law, Exponential)
    assert math.isclose(law.mean, 50_000, rel_tol=0.15)
    assert isinstance(fitted([draws.randint(0, 100_000) for _ in range(500)]), Empirical)
    assert isinstance(fitted([t + 50_000 for t in times]), Empirical)
    assert isinstance(fitted(times[:10]), Empirical)


def test_quantiles() -> None:
    assert [quantile([1, 2, 3, 4, 5], part) for part in (0, 0.25, 0.5, 1)] == [1, 2, 3, 5]
    assert quantile([7], 0.95) == 7


def test_every_entry_is_measured_or_says_why_not() -> None:
    entries = {measure.entry for measure in MEASURES} - {""}
    assert entries | set(UNMEASURABLE) == set(TIMING_NS)
    assert not entries & set(UNMEASURABLE)
    for measure in MEASURES:
        assert set(measure.events) <= set(MEANINGS), "they are named as in the table of events"
    assert why_missing("wake_up") == (
        "it never happened, or was not recorded; needs sched_waking and sched_wakeup, or kick and "
        "vload"
    )


def calibration(*names: str) -> dict[str, Any]:
    made = Calibration()
    for name in names:
        made.add(trace_path(name), Events())
    return document(made)


def test_the_text() -> None:
    table = "\n".join(text(calibration("storm-auto", "hotplug", "locks"))) + "\n"
    assert " ".join(WARNING.split()) in " ".join(table.replace("#", "").split())
    check_golden("trace-calibrate", table)


@pytest.mark.parametrize("names", [("storm-auto",), ("locks",), NAMES])
def test_the_table_is_one(names: tuple[str, ...]) -> None:
    result = calibration(*names)
    read = tomllib.loads("\n".join(text(result)))
    assert read == {"timing": result["timing"]}
    timing = Timing.model_validate(read["timing"])
    assert timing.model_dump(mode="json", include=set(read["timing"])) == {
        entry: {**law} for entry, law in read["timing"].items()
    }
    assert set(result["timing"]) | set(result["not_measured"]) == set(TIMING_NS)


def test_two_traces_are_measured_together() -> None:
    one, two, both = (
        calibration("storm-auto"),
        calibration("hotplug"),
        calibration("storm-auto", "hotplug"),
    )
    counts = [each["measured"]["vsfile_sweep"]["count"] for each in (one, two, both)]
    assert counts[0] + counts[1] == counts[2]


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "timing.toml"
    answer = trace_command("calibrate", trace_path("storm-auto"), "-o", out)
    assert answer.status == 0
    assert "not hardware's" in answer.out
    printed = trace_command("calibrate", trace_path("storm-auto")).out
    assert out.read_text() == printed
    result = json.loads(trace_command("calibrate", trace_path("storm-auto"), "--json").out)
    assert tomllib.loads(printed)["timing"] == result["timing"]
    assert result["warning"] == WARNING


def test_a_trace_without_any_duration(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(script("0 a-1 alloc_ret: ret=1"))
    answer = trace_command("calibrate", path)
    assert answer.status == 2
    assert "nothing in it shows how long anything took" in answer.problems[0]
    assert trace_command("calibrate", tmp_path / "none").status == 2
    answer = trace_command("calibrate", trace_path("storm-auto"), "-o", tmp_path / "no" / "t.toml")
    assert answer.problems[0].endswith(
        "no/t.toml: cannot be written: No such file or directory; nothing was changed"
    )
