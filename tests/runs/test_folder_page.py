"""docs/run-folder.md names every column, event, kind of span and key of the summary."""

from __future__ import annotations

import re
from typing import Any

import pytest

import hgeisim
from hgeisim.runs.tables import (
    LOCKS,
    MET_NAMES,
    OWNERS,
    SPAN_NAMES,
    SPANS,
    STATE_NAMES,
    TRACED_VCPUS,
    VCPUS,
    head_of,
)
from hgeisim.runs.timeline import EVENT_NAMES, EVENTS, EVENTS_HEAD, OCCUPANCY, OCCUPANCY_HEAD
from tests.support.source import ROOT

TEXT = (ROOT / "docs" / "run-folder.md").read_text(encoding="utf-8")
QUOTED = set(re.findall(r"`([^`\n]+)`", TEXT))


@pytest.mark.parametrize("kind", [OCCUPANCY, EVENTS, OWNERS, SPANS, TRACED_VCPUS, LOCKS])
def test_every_table_has_its_head(kind: Any) -> None:
    assert head_of(kind) in QUOTED


def test_arrays_have_the_columns_of_the_csv() -> None:
    assert (head_of(OCCUPANCY), head_of(EVENTS)) == (OCCUPANCY_HEAD, EVENTS_HEAD)


def test_names_are_reported() -> None:
    states = [f"{name}_ns" for name in STATE_NAMES]
    fixed = head_of(VCPUS).removesuffix("," + ",".join(states))
    assert {fixed, *states, *EVENT_NAMES, *SPAN_NAMES, *filter(None, MET_NAMES)} <= QUOTED


LISTS = ("findings", "not_checked")
"""Lists of the summary whose rows are described elsewhere, or are words."""


def test_every_key_of_the_summary_is_reported() -> None:
    summary = hgeisim.run(hgeisim.load("big-little", until="3ms")).summary
    for key, value in summary.items():
        lists = isinstance(value, list)
        names = {f"{key}[]"} if lists else {key, f"{key}.KIND", f"{key}.CLASS"}
        assert names & QUOTED, key
        for inner in value[0] if lists and value and key not in LISTS else ():
            assert inner in QUOTED, inner
    assert {key for key in summary["vcpus"] if not key.endswith("_ns")} <= QUOTED
