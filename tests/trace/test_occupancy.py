"""Owners, failures, moves, releases and hotplug windows; what a trace shows of the machine."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.runs.measures import hart_summaries
from hgeisim.trace.imported_run import timeline_of
from hgeisim.trace.interval import intervals_of
from hgeisim.trace.line_history import follow_lines
from hgeisim.trace.occupancy import (
    Lines,
    Moment,
    Occupancy,
    Ownership,
    guest_index_bits,
    machine_of,
)
from tests.support.traces import NAMES, events_in, imported


def followed(*steps: str) -> Occupancy:
    """Follow a trace of such steps (see `script`), 10 us each from time 5 s on."""
    events = events_in(*steps)
    end = Moment(5_000_000_000 + 10_000 * len(steps), len(steps))
    return follow_lines(events, intervals_of(events), Moment(5_000_000_000, 0), end)


def took(cpu: int, thread: str, vcpu: str, line: int, old: tuple[int, int] = (-1, -1)) -> list[str]:
    """The steps of an allocation."""
    return [
        f"{cpu} {thread} alloc: cpu={cpu} vcpu={vcpu} old_cpu={old[0]} old_hgei={old[1]}",
        f"{cpu} {thread} alloc_ret: ret={line}",
    ]


def spans(occupancy: Occupancy) -> list[tuple[int, int, int, int, int | None]]:
    """HART, line, vCPU, first and last line of the file of each ownership."""
    return [
        (each.hart, each.line, each.vcpu, each.start.line, each.end.line if each.end else None)
        for each in occupancy.ownerships
    ]


def test_a_line_is_owned_from_the_return_of_alloc_to_the_entry_of_free() -> None:
    occupancy = followed(*took(0, "a-1", "pa", 1), "1 m-9 free: cpu=0 hgei=1", "1 m-9 free_ret: ")
    assert spans(occupancy) == [(0, 1, 1, 2, 3)]
    assert occupancy.ownerships[0].start_known
    assert occupancy.ownerships[0].end_known
    assert [(v.number, v.pointer, v.comm, v.pid) for v in occupancy.vcpus] == [(1, "pa", "a", 1)]


def test_a_migration_owns_two_lines_for_a_while() -> None:
    occupancy = followed(
        *took(0, "a-1", "pa", 1), *took(1, "a-1", "pa", 2, (0, 1)), "1 a-1 free: cpu=0 hgei=1"
    )
    assert spans(occupancy) == [(0, 1, 1, 2, 5), (1, 2, 1, 4, None)]
    assert [each.is_migration for each in occupancy.allocations] == [False, True]
    assert occupancy.allocations[1].old_hart == 0


def test_where_the_old_line_was_is_found_when_the_probe_does_not_name_it() -> None:
    occupancy = followed(
        *("0 a-1 alloc: cpu=0 vcpu=pa", "0 a-1 alloc_ret: ret=1"),
        *("1 a-1 alloc: cpu=1 vcpu=pa", "1 a-1 alloc_ret: ret=1"),
    )
    assert [each.old_hart for each in occupancy.allocations] == [-1, 0]


def test_a_failed_allocation_takes_nothing_and_is_no_migration() -> None:
    occupancy = followed(*took(0, "a-1", "pa", 1), *took(0, "b-2", "pb", -2, (1, 3)))
    failed = occupancy.allocations[1]
    assert failed.failed
    assert not failed.is_migration
    assert (failed.hart, failed.vcpu, failed.owned) == (0, 2, 1)
    assert spans(occupancy) == [(0, 1, 1, 2, None), (1, 3, 2, 0, None)]


def test_what_was_owned_before_the_trace_is_known_from_its_uses() -> None:
    for use in (
        "0 a-1 alloc: cpu=0 vcpu=pa old_cpu=2 old_hgei=3",
        "0 a-1 upd: vcpu=pa vcpu_cpu=0 vs_cpu=2 vs_hgei=3",
        "0 a-1 rel: vcpu=pa vs_cpu=2 vs_hgei=3",
        "2 a-1 run: vcpu=pa cpu=2 hstatus=0x3180",
        "0 m-9 inject: vcpu=pa iid=1 vs_cpu=2 vs_hgei=3",
    ):
        occupancy = followed(use, "0 a-1 free: cpu=2 hgei=3")
        assert spans(occupancy) == [(2, 3, 1, 0, 2)], use
        assert not occupancy.ownerships[0].start_known
        assert not occupancy.doubts
    occupancy = followed("0 m-9 free: cpu=2 hgei=3")
    assert spans(occupancy) == [(2, 3, 0, 0, 1)], "by an unknown vCPU"


def test_an_unknown_owner_gets_its_name_later() -> None:
    occupancy = followed("0 a-1 alloc_ret: ret=2", "0 a-1 run: vcpu=pa cpu=0 hstatus=0x2180")
    assert spans(occupancy) == [(0, 2, 1, 1, None)]


def test_two_owners_of_one_line_are_noted() -> None:
    occupancy = followed(*took(0, "a-1", "pa", 1), *took(0, "b-2", "pb", 1))
    (doubt,) = occupancy.doubts
    assert doubt == (4, "HART 0 line 1 is handed out, but vCPU 1 owns it")
    assert spans(occupancy) == [(0, 1, 1, 2, 4), (0, 1, 2, 4, None)]
    assert not occupancy.ownerships[0].end_known


def test_other_contradictions_are_noted() -> None:
    occupancy = followed(
        *took(0, "a-1", "pa", 1),
        "0 b-2 run: vcpu=pb cpu=0 hstatus=0x1180",
        "0 a-1 free: cpu=0 hgei=1",
        "0 a-1 run: vcpu=pa cpu=0 hstatus=0x1180",
        "0 a-1 free: cpu=0 hgei=1",
    )
    assert [doubt.text for doubt in occupancy.doubts] == [
        "HART 0 line 1 is used by vCPU 2, but vCPU 1 owns it",
        "HART 0 line 1 is used by vCPU 1, but nobody owns it",
        "HART 0 line 1 is freed, but nobody owns it",
    ]
    assert spans(occupancy) == [(0, 1, 1, 2, 4)]
    assert len(occupancy.frees) == 2


def test_after_a_hole_later_events_are_believed() -> None:
    hole = "CPU:1 [LOST 9 EVENTS]"
    occupancy = followed(*took(0, "a-1", "pa", 1), hole, *took(0, "b-2", "pb", 1))
    assert not occupancy.doubts
    assert spans(occupancy) == [(0, 1, 1, 2, 5), (0, 1, 2, 5, None)]
    occupancy = followed(*took(0, "a-1", "pa", 1), hole, "0 b-2 run: vcpu=pb cpu=0 hstatus=0x1180")
    assert not occupancy.doubts
    assert spans(occupancy) == [(0, 1, 1, 2, 3), (0, 1, 2, 3, None)]
    assert not occupancy.ownerships[1].start_known


def test_releases_and_windows() -> None:
    occupancy = followed(
        *took(0, "a-1", "pa", 1),
        "0 cpuhp/0-9 dis: ",
        "0 cpuhp/0-9 rel: vcpu=pa vs_cpu=0 vs_hgei=1",
        "0 cpuhp/0-9 free: cpu=0 hgei=1",
        "0 cpuhp/0-9 rel_ret: vcpu=pa",
        "0 cpuhp/0-9 dis_ret: ",
        "0 cpuhp/0-9 en: ",
        "0 cpuhp/0-9 en_ret: ",
        "1 b-2 rel: vcpu=pb vs_cpu=-1 vs_hgei=-1",
        "1 b-2 rel_ret: vcpu=pb",
        "1 cpuhp/1-8 en: ",
        "1 cpuhp/1-8 en_ret: ",
        "1 cpuhp/1-8 dis: ",
    )
    (released,) = occupancy.releases
    assert (released.at.line, released.hart, released.vcpu, released.line) == (6, 0, 1, 1)
    assert released.by_hotplug
    windows = [(w.hart, w.start and w.start.line, w.end and w.end.line) for w in occupancy.windows]
    assert windows == [(0, 3, 9), (1, None, 13), (1, 14, None)]


def test_an_allocation_without_return_is_not_counted() -> None:
    occupancy = followed("0 a-1 alloc: cpu=0 vcpu=pa")
    assert (occupancy.unanswered, occupancy.allocations) == (1, [])


def test_lines_count_what_is_owned() -> None:
    lines = Lines(Moment(0, 0))
    lines.taken(Moment(1, 1), 0, 1, 1)
    lines.taken(Moment(2, 2), 0, 2, 2)
    lines.taken(Moment(3, 3), 1, 1, 2)
    assert (lines.count(0), lines.count(1), lines.count(2)) == (2, 1, 0)
    assert (lines.hart_of(2), lines.hart_of(1), lines.hart_of(0)) == (1, 0, -1)
    lines.freed(Moment(4, 4), 0, 1)
    assert lines.count(0) == 1
    assert lines.hart_of(1) == -1


STEP = st.tuples(
    st.sampled_from(("taken", "freed", "seen", "lost")),
    *(st.integers(0, 1), st.integers(1, 2), st.integers(1, 3)),
)


@given(st.lists(STEP))
def test_ownerships_of_one_line_do_not_overlap(steps: list[tuple[str, int, int, int]]) -> None:
    lines = Lines(Moment(0, 0))
    for at, (act, hart, line, vcpu) in enumerate(steps, start=1):
        now = Moment(at, at)
        if act == "taken":
            lines.taken(now, hart, line, vcpu)
        elif act == "freed":
            lines.freed(now, hart, line)
        elif act == "seen":
            lines.seen(now, hart, line, vcpu)
        else:
            lines.unknown_until = now
    places: dict[tuple[int, int], list[Ownership]] = {}
    for each in lines.ownerships:
        places.setdefault((each.hart, each.line), []).append(each)
    for owners in places.values():
        for before, after in pairwise(owners):
            assert before.end is not None
            assert before.start <= before.end <= after.start
    still = [each for each in lines.ownerships if each.end is None]
    assert [lines.count(hart) for hart in (0, 1)] == [
        sum(each.hart == hart for each in still) for hart in (0, 1)
    ]


def test_pages_show_the_stride() -> None:
    def pages(*places: tuple[int, int, int]) -> dict[tuple[int, int], int]:
        return {(hart, line): page << 12 for hart, line, page in places}

    assert guest_index_bits(pages((0, 1, 0x101), (1, 3, 0x107), (3, 2, 0x10E))) == 2
    assert guest_index_bits(pages((0, 1, 0x101), (2, 1, 0x181))) == 6
    assert guest_index_bits(pages((0, 1, 0x101), (0, 2, 0x102))) == 0, "one HART only"
    assert guest_index_bits(pages((0, 1, 0x101), (0, 2, 0x103), (1, 1, 0x105))) == 0
    assert guest_index_bits(pages((0, 1, 0x101), (1, 1, 0x104))) == 0, "no power of two"
    assert guest_index_bits(pages((0, 1, 0x101), (1, 1, 0x105), (2, 1, 0x10D))) == 0
    assert guest_index_bits({}) == 0


def test_lines_are_proven_by_a_failure_or_guessed() -> None:
    occupancy = followed(
        *(*took(0, "a-1", "pa", 1), *took(0, "b-2", "pb", 2), *took(0, "c-3", "pc", -2)),
        *took(1, "c-3", "pc", 1),
    )
    machine = machine_of(occupancy, 3, "t")
    assert [hart.lines for hart in machine.topology.harts] == [2, 2, 2]
    assert machine.proven == (True, False, False)


def test_a_failure_with_a_line_to_spare_proves_nothing() -> None:
    """A free that was entered but not done, or a line that was owned before the trace."""
    occupancy = followed(
        *(*took(0, "a-1", "pa", 1), *took(0, "b-2", "pb", 2), "1 a-1 free: cpu=0 hgei=1"),
        *took(0, "c-3", "pc", -2),
    )
    assert machine_of(occupancy, 1, "t").proven == (False,)


def test_the_user_knows_better() -> None:
    occupancy = followed(*took(0, "a-1", "pa", 1))
    assert [h.lines for h in machine_of(occupancy, 2, "t", (7,)).topology.harts] == [7, 7]
    assert [h.lines for h in machine_of(occupancy, 2, "t", (3, 0, 1)).topology.harts] == [3, 0, 1]
    assert machine_of(occupancy, 2, "t", (0,)).proven == (True, True)
    with pytest.raises(InputError) as error:
        machine_of(occupancy, 4, "t.txt", (3, 1))
    (problem,) = error.value.problems
    assert str(problem) == (
        "--lines = 3,1: must be one number, or one for each of the 4 HARTs in t.txt"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_timeline_of_a_real_trace_holds_together(name: str) -> None:
    trace = imported(name)
    timeline = timeline_of(trace.occupancy, trace.machine)
    assert list(timeline.event_time_ns) == sorted(timeline.event_time_ns)
    for hart, row in enumerate(hart_summaries(timeline)):
        times = [at for at, _ in timeline.steps(hart)]
        assert times == sorted(times)
        assert row["busy_max"] <= row["lines"]
        mine = [each for each in trace.occupancy.ownerships if each.hart == hart]
        assert timeline.busy_at[hart] == sum(each.end is None for each in mine)
        assert row["alloc"] == len(mine), "every one is seen to begin"
    assert not trace.occupancy.doubts
    assert timeline.end_ns == trace.extent.last_ns - trace.extent.first_ns


def test_a_vcpu_owns_one_line_or_two_while_it_moves() -> None:
    """The lines of a vCPU overlap from the allocation on the new HART to the free on the old."""
    owners = imported("migrations-3132").occupancy.ownerships
    by_vcpu: dict[int, list[Ownership]] = {}
    for each in owners:
        by_vcpu.setdefault(each.vcpu, []).append(each)
    overlaps = [
        (before, after)
        for mine in by_vcpu.values()
        for before, after in pairwise(mine)
        if before.end is not None and before.end > after.start
    ]
    assert len(overlaps) == 47
    assert all(before.hart != after.hart for before, after in overlaps)
