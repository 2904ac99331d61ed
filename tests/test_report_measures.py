"""What `run` says of its measures fits a mail and agrees with summary.json."""

from __future__ import annotations

from typing import Any

from hgeisim.record.spans import SPAN_NAMES
from hgeisim.record.vcpu_time import STATE_NAMES
from hgeisim.report.measures import SPAN_LABELS, STATES, measure_lines, span_rows

LONG = {"count": 12_345_678, "p50_ns": 140, "p99_ns": 17_900_000, "max_ns": 1_234_567_890}
WAIT = {"contended": 1, "wait_ns_total": 10**9}


def result(**more: Any) -> dict[str, Any]:
    vcpus = {"count": 1_000, "life_ns": 4_000, **{f"{name}_ns": 800 for name in STATE_NAMES}}
    quiet = {"spans": {kind: {"count": 0} for kind in SPAN_NAMES}, "vcpus": vcpus, "locks": {}}
    return quiet | more


def test_all_kinds_and_states_have_a_label() -> None:
    assert set(SPAN_LABELS) == set(SPAN_NAMES)
    assert list(STATES) == [f"{name}_ns" for name in STATE_NAMES]


def test_only_what_there_was_is_told() -> None:
    assert list(span_rows(result())) == []
    spans = result()["spans"] | {"move": LONG}
    assert list(span_rows(result(spans=spans))) == [
        ("VS-file moved to another HART", "12,345,678", "140 ns", "17.9 ms", "1.23 s")
    ]


def test_lines_fit_a_mail() -> None:
    names = [f"a_subsystem->with_a_long_lock_name_{n}" for n in range(9)]
    lines = list(measure_lines(result(locks=dict.fromkeys(names, WAIT))))
    assert max(map(len, lines)) <= 78
    assert sum("long_lock_name" in word for word in " ".join(lines).split()) == 3
    assert all(text.isascii() for text in lines)


def test_locks_with_the_longest_waits_come_first() -> None:
    locks = {name: WAIT | {"wait_ns_total": ns} for name, ns in (("a", 5), ("b", 50), ("c", 5))}
    locks["free"] = {"contended": 0, "wait_ns_total": 0}
    assert list(measure_lines(result(locks=locks)))[-1] == ("lock waits: b 50 ns, a 5 ns, c 5 ns")
    assert list(measure_lines(result()))[-1] == "lock waits: none"


def test_a_run_without_vcpus_has_no_time_to_tell() -> None:
    assert len(list(measure_lines(result(vcpus={"count": 0, "life_ns": 0})))) == 1
