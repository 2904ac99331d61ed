"""Entries and returns become calls, thread by thread; none is lost, and half calls are open."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import Lost, Record, parse_ftrace
from hgeisim.trace.interval import (
    FUNCTIONS,
    Event,
    Gap,
    Interval,
    events_of,
    in_order,
    intervals_of,
)
from hgeisim.trace.kvm_event import Cpu
from tests.support.traces import NAMES, calls, line, script, trace_text

ALLOC, ALLOC_RET = "alloc: cpu=0 vcpu=a", "alloc_ret: ret=1"
UPD, UPD_RET = "upd: vcpu=a vcpu_cpu=0 vs_cpu=-1 vs_hgei=-1", "upd_ret: ret=1"
REL, REL_RET = "rel: vcpu=a vs_cpu=0 vs_hgei=1", "rel_ret: vcpu=a"
FREE = "free: cpu=0 hgei=1"


def shown(intervals: list[Interval]) -> list[str]:
    """Each call as FUNCTION first-last line, its parent and its gap."""
    return [
        " ".join(
            filter(
                None,
                [
                    call.function,
                    f"{call.start.record.line if call.start else '?'}"
                    f"-{call.end.record.line if call.end else '?'}",
                    f"in {call.parent.function}" if call.parent else "",
                    call.gap.value,
                ],
            )
        )
        for call in intervals
    ]


def test_nested_calls() -> None:
    made = calls(
        *(f"0 v-1 {UPD}", f"0 v-1 {ALLOC}", f"0 v-1 {ALLOC_RET}", f"0 v-1 {REL}"),
        *(f"0 v-1 {FREE}", "0 v-1 free_ret: ", f"0 v-1 {REL_RET}", f"0 v-1 {UPD_RET}"),
    )
    assert shown(made) == ["upd 1-8", "alloc 2-3 in upd", "rel 4-7 in upd", "free 5-6 in rel"]
    free = made[3]
    assert free.inside("upd") is made[0]
    assert free.inside("dis") is None
    assert isinstance(free.first.meaning, kvm.Free)
    assert isinstance(free.last.meaning, kvm.FreeReturn)
    assert not any(call.is_open for call in made)


def test_threads_do_not_mix_and_idle_tasks_are_one_for_each_cpu() -> None:
    made = calls(
        *(f"0 v-1 {ALLOC}", f"1 v-2 {ALLOC}", f"0 v-2 {ALLOC_RET}", f"1 v-1 {ALLOC_RET}"),
        *(f"0 <idle>-0 {REL}", f"1 <idle>-0 {REL}", f"0 <idle>-0 {REL_RET}"),
    )
    assert shown(made) == ["alloc 1-4", "alloc 2-3", "rel 5-7", "rel 6-? after the trace"]


def test_half_calls_at_both_ends_of_the_trace() -> None:
    made = calls(f"0 v-1 {ALLOC_RET}", f"0 v-2 {REL_RET}", f"0 v-1 {ALLOC}", f"0 v-2 {REL}")
    assert shown(made) == [
        "alloc ?-1 before the trace",
        "rel ?-2 before the trace",
        "alloc 3-? after the trace",
        "rel 4-? after the trace",
    ]
    assert [call.first.record.line for call in made] == [1, 2, 3, 4]
    assert [call.last.record.line for call in made] == [1, 2, 3, 4]


def test_a_function_without_a_probe_at_its_return_is_not_after_the_trace() -> None:
    assert shown(calls(f"0 v-1 {FREE}")) == ["free 1-? not recorded"]


def test_a_call_that_cannot_have_made_the_next_one_has_ended_unseen() -> None:
    made = calls(f"0 v-1 {REL}", f"0 v-1 {FREE}", f"0 v-1 {ALLOC}", f"0 v-1 {ALLOC_RET}")
    assert shown(made)[1:] == ["free 2-? in rel not recorded", "alloc 3-4"]


def test_a_return_ends_the_calls_inside() -> None:
    made = calls(f"0 v-1 {REL}", f"0 v-1 {FREE}", f"0 v-1 {REL_RET}", f"0 v-1 {ALLOC_RET}")
    assert shown(made) == ["rel 1-3", "free 2-? in rel not recorded", "alloc ?-4 not recorded"]


def test_nothing_is_paired_across_a_hole() -> None:
    made = calls(
        *(f"0 v-1 {ALLOC}", f"1 v-2 {ALLOC}", "CPU:0 [LOST 3 EVENTS]"),
        *(f"0 v-1 {ALLOC_RET}", f"1 v-2 {ALLOC_RET}", f"0 v-1 {ALLOC}", f"0 v-1 {ALLOC_RET}"),
    )
    assert shown(made) == [
        "alloc 1-? events were lost",
        "alloc 2-5",
        "alloc ?-4 events were lost",
        "alloc 6-7",
    ]


def test_hotplug_steps_are_paired_by_their_number() -> None:
    made = calls(
        "0 cpuhp/0-9 cpuhp_enter: cpu: 0000 target: 145 step: 149 (sched_cpu_wait_empty)",
        "0 cpuhp/0-9 cpuhp_enter: cpu: 0000 target: 145 step: 148 (kvm_offline_cpu)",
        "0 cpuhp/0-9 dis: ",
        f"0 cpuhp/0-9 {REL}",
        f"0 cpuhp/0-9 {REL_RET}",
        "0 cpuhp/0-9 dis_ret: ",
        "0 cpuhp/0-9 cpuhp_exit: cpu: 0000  state: 147 step: 148 ret: 0",
        "0 cpuhp/0-9 cpuhp_exit: cpu: 0000  state: 147 step: 149 ret: 0",
    )
    assert shown(made) == [
        "cpuhp 1-? not recorded",
        "cpuhp 2-7",
        "dis 3-6 in cpuhp",
        "rel 4-5 in dis",
        "cpuhp ?-8 not recorded",
    ]
    assert made[3].inside("cpuhp") is made[1]


def test_events_are_sorted_by_time_and_holes_stay_in_place() -> None:
    text = line(5, 0, FREE) + line(3, 1, FREE) + "CPU:1 [LOST EVENTS]\n" + line(4, 1, FREE)
    ordered = in_order(events_of(parse_ftrace(text.splitlines(keepends=True), "t"), Events(), "t"))
    assert [e.line if isinstance(e, Lost) else e.record.line for e in ordered] == [2, 3, 4, 1]


def test_only_what_is_wanted_is_decoded() -> None:
    entries = parse_ftrace(script("0 v-1 free: broken", f"0 v-1 {ALLOC}").splitlines(True), "t")
    (event,) = events_of(entries, Events(), "t", only=(kvm.Alloc,))
    assert isinstance(event, Event)
    assert event.meaning == kvm.Alloc(Cpu(0), "a")


PAIRED = {cls for function in FUNCTIONS for cls in (function.entry, function.exit)}
STEPS = (ALLOC, ALLOC_RET, UPD, UPD_RET, REL, REL_RET, FREE, "free_ret: ", "dis: ", "dis_ret: ")


@given(
    st.lists(
        st.one_of(
            st.just("CPU:0 [LOST EVENTS]"),
            st.builds(
                "{} v-{} {}".format,
                st.integers(0, 1),
                st.integers(0, 2),
                st.sampled_from(STEPS),
            ),
        )
    )
)
def test_each_event_is_in_exactly_one_call(steps: list[str]) -> None:
    made = calls(*steps)
    ends = [event.record.line for call in made for event in (call.start, call.end) if event]
    events = [at for at, step in enumerate(steps, 1) if not step.startswith("CPU")]
    assert sorted(ends) == events
    lines = [call.first.record.line for call in made]
    assert lines == sorted(lines)
    for call in made:
        assert call.is_open == (call.start is None or call.end is None)
        if call.start and call.end:
            assert call.start.record.line < call.end.record.line
            assert call.start.thread == call.end.thread
        if call.parent and call.parent.end:
            assert call.last.record.line < call.parent.end.record.line


@pytest.mark.parametrize(
    ("name", "closed", "open_calls"),
    [
        ("migrations-3132", {"alloc": 523, "rel": 48}, {"free": 95}),
        (
            "hotplug",
            {"alloc": 256, "cpuhp": 14, "rel": 9, "dis": 5, "en": 4},
            {"cpuhp": 14, "free": 9},
        ),
        ("enable-at-vm-create", {"alloc": 3, "cpuhp": 8, "dis": 4, "en": 4}, {"free": 3}),
        ("exhausted", {"alloc": 54}, {}),
        ("update", {"alloc": 4, "upd": 18}, {}),
        ("locks", {"alloc": 1}, {}),
    ],
)
def test_calls_of_the_real_traces(
    name: str, closed: dict[str, int], open_calls: dict[str, int]
) -> None:
    entries = parse_ftrace(trace_text(name).splitlines(keepends=True), name)
    made = intervals_of(events_of(entries, Events(), name))
    assert Counter(call.function for call in made if not call.is_open) == closed
    assert Counter(call.function for call in made if call.is_open) == open_calls


@pytest.mark.parametrize("name", NAMES)
def test_no_event_of_the_real_traces_is_dropped(name: str) -> None:
    entries = list(parse_ftrace(trace_text(name).splitlines(keepends=True), name))
    table = Events()
    paired = [e for e in entries if isinstance(e, Record) and table.meaning[e.event] in PAIRED]
    made = intervals_of(events_of(entries, table, name))
    assert sum((call.start is not None) + (call.end is not None) for call in made) == len(paired)
    allowed = {function.name: function.calls for function in FUNCTIONS}
    assert all(call.function in allowed[call.parent.function] for call in made if call.parent)
    assert all(call.gap in (Gap.NONE, Gap.UNRECORDED, Gap.AFTER) for call in made)
