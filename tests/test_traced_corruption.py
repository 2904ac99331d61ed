"""`hgeisim trace check` says no to a trace that no such kernel can have left.

`python -m tests.test_traced_corruption` tries more than 1,000 and states the rate.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from hgeisim.drivers.traced.conformance import Disagreement
from tests.corruption import KINDS, Corruption, Trace, corruptions
from tests.traced import check_file
from tests.traces import trace_text

NAMES = (
    *("storm-auto", "storm-hwaccel", "exhausted", "update"),
    *("enable-at-vm-create", "hotplug", "migrations-3132", "16-double-free", "21-eight-cpus"),
)
REJECTED_MIN = 0.99


def verdicts(most: int, tmp_path: Path) -> list[tuple[Corruption, Disagreement | None]]:
    """What is said of at most so many corruptions of each kind of each excerpt."""
    path = tmp_path / "corrupted.txt"
    found = []
    for name in NAMES:
        trace = Trace(trace_text(name))
        for corruption in corruptions(trace, most):
            path.write_text(trace.corrupted(corruption))
            found.append((corruption, check_file(path, name).disagreement))
    return found


def stated(found: list[tuple[Corruption, Disagreement | None]]) -> str:
    """How many of each kind were rejected."""
    made = Counter(corruption.kind for corruption, _ in found)
    rejected = Counter(corruption.kind for corruption, told in found if told)
    kinds = (f"{kind} {rejected[kind]}/{made[kind]}" for kind in made)
    return f"{rejected.total()} of {made.total()} rejected: {', '.join(kinds)}"


@pytest.mark.slow
def test_corrupted_traces_are_rejected(tmp_path: Path) -> None:
    """More than 200: one or more of each kind; all are rejected, 99 % must be."""
    found = verdicts(6, tmp_path)
    sys.stdout.write(stated(found) + "\n")
    assert len(found) >= 200
    assert len({corruption.kind for corruption, _ in found}) == len(KINDS)
    assert sum(told is not None for _, told in found) >= REJECTED_MIN * len(found), stated(found)


@pytest.mark.slow
def test_what_is_rejected_is_told_at_the_corruption_or_later(tmp_path: Path) -> None:
    for corruption, told in verdicts(1, tmp_path):
        assert told is not None, corruption
        assert told.why
        assert told.record.line >= min(corruption.changes)


def test_a_trace_that_is_not_corrupted_is_the_same() -> None:
    trace = Trace(trace_text("hotplug"))
    assert trace.corrupted(Corruption("nothing", 0, {})) == trace_text("hotplug")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(stated(verdicts(60, Path(folder))) + "\n")
