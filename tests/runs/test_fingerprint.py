"""A fingerprint stands for every record: it stays with equal runs and moves with any change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.timeline import ALLOC, EVENT_NAMES, Timeline, event_records
from tests.support.timelines import busy_timeline, timelines, topology


@given(timelines())
def test_equal_records_give_an_equal_fingerprint(timeline: Timeline) -> None:
    again = Timeline(timeline.topology)
    for hart in range(len(timeline.topology.harts)):
        for at, busy in timeline.steps(hart):
            again.occupy(at, hart, busy)
    for record in event_records(timeline).tolist():
        at, name, *rest = record
        again.event(at, EVENT_NAMES.index(name), *rest)
    again.end_ns = timeline.end_ns
    assert fingerprint(again) == fingerprint(timeline)


@given(timelines(), st.data())
def test_any_changed_value_changes_it(timeline: Timeline, data: st.DataObject) -> None:
    before = fingerprint(timeline)
    events = [column for name, column in vars(timeline).items() if name.startswith("event_")]
    filled = [column for column in (*timeline.occupancy, *events) if column]
    if not filled:
        timeline.end_ns += 1
    else:
        column = data.draw(st.sampled_from(filled))
        at = data.draw(st.integers(0, len(column) - 1))
        column[at] += -1 if column[at] else 1
    assert fingerprint(timeline) != before


@given(timelines())
def test_an_added_record_changes_it(timeline: Timeline) -> None:
    before = fingerprint(timeline)
    timeline.event(timeline.end_ns, ALLOC, 0)
    assert fingerprint(timeline) != before


def test_a_value_counts_where_it_stands() -> None:
    """Equal bytes in another column, or split differently between columns, are another run."""
    one, other = Timeline(topology(7)), Timeline(topology(7))
    one.event(0, ALLOC, 0, vcpu=1, line=2)
    other.event(0, ALLOC, 0, vcpu=2, line=1)
    assert fingerprint(one) != fingerprint(other)


def test_its_form_is_kept() -> None:
    """Fingerprints are kept in files: a change of the form must be a decision."""
    assert fingerprint(Timeline(topology(7))) == "baef797c1c5f8fa7"
    assert fingerprint(busy_timeline((7, 3))) == "fc52f4a630f22f0b"
