"""The tables of a run fit a mail, however many HARTs there are, and leave nobody out.

What `run` says of its measures agrees with summary.json.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.report.run_tables import (
    COUNTS,
    HARTS_SHOWN_MAX,
    SPAN_LABELS,
    STATES,
    WORST,
    HartTable,
    hart_tables,
    measure_lines,
    span_rows,
)
from hgeisim.runs.tables import SPAN_NAMES, STATE_NAMES
from tests.support.commands import hgeisim
from tests.support.golden import check_golden

HARTS = st.builds(
    lambda lines, withheld, busy, exhausted, counts: {
        "lines": lines,
        "usable": lines - min(lines, withheld),
        "withheld": min(lines, withheld),
        "guest_files": lines,
        "busy_max": busy,
        "busy_mean": busy / 2,
        "exhausted": exhausted,
        **dict(zip(COUNTS, counts, strict=True)),
    },
    st.sampled_from((0, 3, 63)),
    st.integers(0, 4),
    st.integers(0, 63),
    st.floats(0, 1),
    st.tuples(*[st.integers(0, 10**9)] * 4),
)


def numbered(harts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"hart": number, **hart} for number, hart in enumerate(harts)]


def tables(harts: list[dict[str, Any]]) -> list[HartTable]:
    return list(hart_tables(numbered(harts)))


@given(st.lists(HARTS, min_size=1, max_size=60))
def test_totals_are_of_all_harts(harts: list[dict[str, Any]]) -> None:
    first = tables(harts)[0]
    for name, total in zip(COUNTS, first.rows[-1][-4:], strict=True):
        assert total == sum(hart[name] for hart in harts)
    assert first.rows[-1][0] == "all"
    shown = [row for row in first.rows[:-1] if isinstance(row[6], int)]
    if shown:
        assert sum(int(str(row[6])) for row in shown) == first.rows[-1][6]


@given(st.lists(HARTS, min_size=1, max_size=60))
def test_tables_are_short(harts: list[dict[str, Any]]) -> None:
    made = tables(harts)
    assert len(made) <= 2
    assert all(len(table.rows) <= HARTS_SHOWN_MAX + 1 for table in made)
    assert all(len(row) == len(table.heads) for table in made for row in table.rows)


@given(st.lists(HARTS, min_size=HARTS_SHOWN_MAX + 1, max_size=60))
def test_no_hart_is_worse_than_the_worst(harts: list[dict[str, Any]]) -> None:
    made = tables(harts)
    worst = [int(str(row[0])) for row in made[1].rows] if len(made) > 1 else []
    others = [hart["exhausted"] for at, hart in enumerate(harts) if at not in worst]
    if len(worst) < WORST:
        assert not any(others)
    else:
        assert max(others) <= min(harts[at]["exhausted"] for at in worst)


@given(st.lists(HARTS, min_size=1, max_size=60))
def test_more_lines_than_there_are_is_always_seen(harts: list[dict[str, Any]]) -> None:
    first = tables(harts)[0]
    over = any(hart["busy_max"] > hart["usable"] for hart in harts)
    assert any("!" in str(row[2]) for row in first.rows) == over


@pytest.mark.slow
def test_64_harts() -> None:
    output = hgeisim("run", "server-64", "--until", "4ms")
    assert (output.status, output.err) == (0, "")
    assert max(map(len, output.out.splitlines())) <= 80
    check_golden("run-server-64", output.out)


@pytest.mark.slow
def test_groups_of_64_harts() -> None:
    harts = "[{ count = 60, guest_files = 3 }, { count = 4, guest_files = 7 }]"
    output = hgeisim("run", "server-64", "--until", "2ms", "-s", f"machine.harts={harts}")
    assert max(map(len, output.out.splitlines())) <= 80
    check_golden("run-64-harts-in-groups", output.out)


LONG = {"count": 12_345_678, "p50_ns": 140, "p99_ns": 17_900_000, "max_ns": 1_234_567_890}
WAIT = {"contended": 1, "wait_ns_total": 10**9}


def result(**more: Any) -> dict[str, Any]:
    vcpus = {"count": 1_000, "life_ns": 4_000, **{f"{name}_ns": 800 for name in STATE_NAMES}}
    quiet = {"spans": {kind: {"count": 0} for kind in SPAN_NAMES}, "vcpus": vcpus, "locks": {}}
    return quiet | more


def test_all_kinds_and_states_have_a_label() -> None:
    assert set(SPAN_LABELS) == set(SPAN_NAMES)
    assert list(STATES) == [f"{name}_ns" for name in STATE_NAMES]


def test_only_spans_that_occurred_have_a_row() -> None:
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


def test_a_run_without_vcpus_has_no_shares_of_time() -> None:
    assert len(list(measure_lines(result(vcpus={"count": 0, "life_ns": 0})))) == 1
