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
    MET_LABELS,
    OF_LIFE,
    SPAN_LABELS,
    VM_HEADS,
    VMS_SHOWN,
    WORST,
    HartTable,
    hart_tables,
    lock_lines,
    msi_rows,
    refusals,
    span_rows,
    vm_rows,
)
from hgeisim.runs.tables import MET_NAMES, SPAN_NAMES, STATE_NAMES
from tests.support.commands import hgeisim
from tests.support.golden import check_golden

HARTS = st.builds(
    lambda lines, withheld, busy, exhausted, online, counts: {
        "lines": lines,
        "usable": lines - min(lines, withheld),
        "withheld": min(lines, withheld),
        "guest_files": lines,
        "busy_max": busy,
        "busy_mean": busy / 2,
        "exhausted": exhausted,
        "online": online,
        **dict(zip(COUNTS, counts, strict=True)),
    },
    st.sampled_from((0, 3, 63)),
    st.integers(0, 4),
    st.integers(0, 63),
    st.floats(0, 1),
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


def vm(name: str = "web", asked: str = "auto", granted: str = "", **more: Any) -> dict[str, Any]:
    times = {f"{state}_ns": 800 for state in STATE_NAMES}
    modes = {"mode_asked": asked, "mode_granted": granted or asked}
    return {"name": name, **modes, "vms": 1, "count": 5, "life_ns": 4_000, **times, **more}


def span(kind: str, mode: str = "auto", met: str = "") -> dict[str, Any]:
    return {"kind": kind, "mode": mode, "met": met, **LONG}


def test_all_kinds_and_states_have_a_label() -> None:
    assert set(SPAN_LABELS) == set(SPAN_NAMES)
    assert tuple(MET_LABELS) == MET_NAMES
    assert list(OF_LIFE) == [f"{name}_ns" for name in STATE_NAMES]


def test_spans_have_a_row_for_each_mode_only_if_there_are_several() -> None:
    times = ("12,345,678", "140 ns", "17.9 ms", "1.23 s")
    spans = [span("msi-vsfile", met="runnable"), span("move", mode="")]
    assert list(span_rows({"vms": [vm()], "spans": spans})) == [
        ("MSI to VS-file, no HART", *times),
        ("VS-file moved to another HART", *times),
    ]
    rows = list(span_rows({"vms": [vm(), vm(asked="hwaccel")], "spans": spans}))
    assert [row[0] for row in rows] == [
        "auto: MSI to VS-file, no HART",
        "VS-file moved to another HART",
    ]


def test_a_vm_has_a_row_and_each_mode_has_one() -> None:
    one = vm(asked="hwaccel", vsfile_ns=1_600, swfile_ns=0)
    shares = ("100%", "40%", "0%", "20%", "20%", "20%")
    assert list(vm_rows({"vms": [one]})) == [("web", "hwaccel", "5", *shares)]
    rows = list(vm_rows({"vms": [vm("a"), vm("b"), vm("c", "auto", "emul")]}))
    assert [row[:3] for row in rows] == [
        ("a", "auto", "5"),
        ("b", "auto", "5"),
        ("c", "-EINVAL", "5"),
        ("all", "auto", "10"),
    ]
    assert rows[3][3:] == ("50%", *["20%"] * 5)
    vms = [*(vm(f"v{n}") for n in range(VMS_SHOWN)), vm("x", "emul")]
    many = list(vm_rows({"vms": vms}))
    assert [row[:3] for row in many] == [
        ("all", "auto", f"{5 * VMS_SHOWN}"),
        ("all", "emul", "5"),
    ]
    assert all(len(row) == len(VM_HEADS) for row in (*rows, *many))


def test_a_vm_that_never_ran_has_no_shares() -> None:
    idle = vm() | dict.fromkeys(("life_ns", *OF_LIFE), 0)
    assert list(vm_rows({"vms": [idle]})) == [("web", "auto", "5", *["-"] * 6)]
    assert list(vm_rows({"vms": []})) == []


def test_lines_fit_a_mail() -> None:
    names = [f"a_subsystem->with_a_long_lock_name_{n}" for n in range(9)]
    lines = list(lock_lines({"locks": dict.fromkeys(names, WAIT)}))
    assert max(map(len, lines)) <= 78
    assert sum("long_lock_name" in word for word in " ".join(lines).split()) == 3
    assert all(text.isascii() for text in lines)


def test_locks_with_the_longest_waits_come_first() -> None:
    locks = {name: WAIT | {"wait_ns_total": ns} for name, ns in (("a", 5), ("b", 50), ("c", 5))}
    locks["free"] = {"contended": 0, "wait_ns_total": 0}
    assert list(lock_lines({"locks": locks})) == ["lock waits: b 50 ns, a 5 ns, c 5 ns"]
    assert list(lock_lines({"locks": {}})) == ["lock waits: none"]


def hart(usable: int, exhausted: float, online: float = 1.0) -> dict[str, Any]:
    counts = dict.fromkeys(COUNTS, 0)
    few = {"lines": 7, "usable": usable, "withheld": 7 - usable, "guest_files": 7}
    return {
        **few,
        "busy_max": 0,
        "busy_mean": 0.0,
        "exhausted": exhausted,
        "online": online,
        **counts,
    }


def cells(harts: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Lines and exhausted of each row."""
    return [(row[1], row[4]) for table in tables(harts) for row in table.rows]


def test_withheld_lines_are_said_and_who_has_none_is_not_exhausted() -> None:
    rows = cells([hart(3, 0.5), hart(7, 0.0), hart(0, 0.0), hart(2, 0.0, online=0.0)])
    assert rows[:4] == [("3 of 7", "50.0%"), ("7", "0.0%"), ("0 of 7", "-"), ("2 of 7", "-")]


def test_an_average_is_over_the_time_in_which_there_was_something_to_exhaust() -> None:
    half = [hart(3, 1.0) for _ in range(10)] + [hart(0, 0.0) for _ in range(10)]
    assert cells(half)[2] == ("30 of 140", "100.0%")
    late = [hart(3, 1.0) for _ in range(10)] + [hart(3, 0.0, online=0.25) for _ in range(10)]
    assert cells(late)[0] == ("60 of 140", "80.0%")


def test_a_refusal_names_the_mode_that_was_asked_for() -> None:
    vms = [
        {"name": name, "mode_asked": asked, "mode_granted": granted}
        for name, asked, granted in (
            ("a", "auto", "auto"),
            ("b", "auto", "emul"),
            ("c", "hwaccel", "emul"),
            ("d", "auto", "emul"),
        )
    ]
    assert list(refusals({"vms": vms})) == [
        "-EINVAL: refused auto, in emul: b, d",
        "-EINVAL: refused hwaccel, in emul: c",
    ]


def test_of_many_vms_each_table_has_a_row_of_msis() -> None:
    row = {"sent": 2, "delivered": 1, "merged": 0, "pending": 1, "lost": 0, "dropped": {"r": 1}}
    vms = {f"{name}#{i}": row for name in "ab" for i in range(VMS_SHOWN)}
    every = {"all": {**row, "sent": 4 * VMS_SHOWN}, "vms": vms}
    assert [made[:2] for made in msi_rows(every)] == [("a", "16"), ("b", "16"), ("all", "32")]
    assert [made[5] for made in msi_rows(every)][:2] == ["8", "8"]


def test_msis_are_dropped_by_other_rules_in_each_vm() -> None:
    row = {"sent": 2, "delivered": 1, "merged": 0, "pending": 0, "lost": 0}
    vms = {f"a#{i}": {**row, "dropped": {f"r{i}": 1}} for i in range(VMS_SHOWN + 1)}
    made = list(msi_rows({"all": {**row, "dropped": {}}, "vms": vms}))
    assert len(made) == 1
