"""The table of a run fits a mail, however many HARTs there are, and leaves nobody out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.report.harts import COUNTS, SHOWN_MAX, WORST, HartTable, hart_tables
from tests.commands import hgeisim
from tests.golden import check_golden

HARTS = st.builds(
    lambda lines, busy, exhausted, counts: {
        "lines": lines,
        "guest_files": lines,
        "busy_max": busy,
        "busy_mean": busy / 2,
        "exhausted": exhausted,
        **dict(zip(COUNTS, counts, strict=True)),
    },
    st.sampled_from((0, 3, 63)),
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
    told = tables(harts)
    assert len(told) <= 2
    assert all(len(table.rows) <= SHOWN_MAX + 1 for table in told)
    assert all(len(row) == len(table.heads) for table in told for row in table.rows)


@given(st.lists(HARTS, min_size=SHOWN_MAX + 1, max_size=60))
def test_no_hart_is_worse_than_the_worst(harts: list[dict[str, Any]]) -> None:
    told = tables(harts)
    worst = [int(str(row[0])) for row in told[1].rows] if len(told) > 1 else []
    others = [hart["exhausted"] for at, hart in enumerate(harts) if at not in worst]
    if len(worst) < WORST:
        assert not any(others)
    else:
        assert max(others) <= min(harts[at]["exhausted"] for at in worst)


@given(st.lists(HARTS, min_size=1, max_size=60))
def test_more_lines_than_there_are_is_always_seen(harts: list[dict[str, Any]]) -> None:
    first = tables(harts)[0]
    over = any(hart["busy_max"] > hart["lines"] for hart in harts)
    assert any("!" in str(row[2]) for row in first.rows) == over


@pytest.mark.slow
def test_64_harts() -> None:
    told = hgeisim("run", "server-64", "--until", "4ms")
    assert (told.status, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= 80
    check_golden("run-server-64", told.out)


@pytest.mark.slow
def test_groups_of_64_harts() -> None:
    harts = "[{ count = 60, guest_files = 3 }, { count = 4, guest_files = 7 }]"
    told = hgeisim("run", "server-64", "--until", "2ms", "-s", f"machine.harts={harts}")
    assert max(map(len, told.out.splitlines())) <= 80
    check_golden("run-64-harts-in-groups", told.out)
