"""`hgeisim trace check` says no to a trace that no such kernel can have left.

`python -m tests.traced.test_corruption` tries almost 2,000 and states the rate; so does make proof.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from hgeisim.drivers.traced.conformance import Disagreement
from tests.support.traced import check_file
from tests.support.traces import trace_text
from tests.traced.corruption import KINDS, Corruption, Trace, corruptions

NAMES = (
    *("storm-auto", "storm-hwaccel", "exhausted", "update"),
    *("enable-at-vm-create", "hotplug", "migrations-3132", "16-double-free"),
)
LONG = "21-eight-cpus"
"""A check of it takes seconds."""
MOST = 60
"""The most corruptions of each kind in each trace."""
UNREJECTED = {
    ("16-double-free", "wrong line", 385): (
        "the first of its thread after a joint, whose call began before it: nothing there shows "
        "which line it had"
    ),
    ("16-double-free", "dropped free", 385): "the same free: no vCPU asks for that line again",
    ("21-eight-cpus", "missing release", 699): (
        "the vCPU frees the line itself before aia_disable needs to come to it: the trace is legal"
    ),
}
"""The corruptions that are not rejected, by trace, kind and line, and why."""


def verdicts(
    names: Iterable[str], most: int, tmp_path: Path
) -> list[tuple[str, Corruption, Disagreement | None]]:
    """The verdicts on at most `most` corruptions of each kind in each trace."""
    path = tmp_path / "corrupted.txt"
    found = []
    for name in names:
        trace = Trace(trace_text(name))
        for corruption in corruptions(trace, most):
            path.write_text(trace.corrupted(corruption))
            found.append((name, corruption, check_file(path, name).disagreement))
    return found


def survivors(
    found: list[tuple[str, Corruption, Disagreement | None]],
) -> set[tuple[str, str, int]]:
    """The corruptions that were not rejected, as `UNREJECTED` names them."""
    return {
        (name, each.kind, each.line) for name, each, disagreement in found if disagreement is None
    }


def stated(found: list[tuple[str, Corruption, Disagreement | None]]) -> str:
    """The number of rejected corruptions of each kind."""
    made = Counter(corruption.kind for _, corruption, _ in found)
    rejected = Counter(corruption.kind for _, corruption, disagreement in found if disagreement)
    kinds = (f"{kind} {rejected[kind]}/{made[kind]}" for kind in made)
    return f"{rejected.total():,} of {made.total():,} rejected: {', '.join(kinds)}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "most"), [(NAMES, 6), ((LONG,), 1)], ids=["most", "the long one"]
)
@pytest.mark.proof
def test_corrupted_traces_are_rejected(names: tuple[str, ...], most: int, tmp_path: Path) -> None:
    """Some of each kind."""
    found = verdicts(names, most, tmp_path)
    sys.stdout.write(stated(found) + "\n")
    assert survivors(found) <= set(UNREJECTED), stated(found)
    if names is NAMES:
        assert len(found) >= 200
        assert len({corruption.kind for _, corruption, _ in found}) == len(KINDS)


@pytest.mark.proof
def test_all_corrupted_traces_are_rejected_except_the_listed_ones(tmp_path: Path) -> None:
    found = verdicts((*NAMES, LONG), MOST, tmp_path)
    assert survivors(found) == set(UNREJECTED)
    assert stated(found).startswith("1,973 of 1,976 rejected: ")


@pytest.mark.slow
def test_a_rejection_is_at_the_corruption_or_later(tmp_path: Path) -> None:
    for name, corruption, disagreement in verdicts(NAMES, 1, tmp_path):
        if (name, corruption.kind, corruption.line) in UNREJECTED:
            continue
        assert disagreement is not None, corruption
        assert disagreement.why
        assert disagreement.record.line >= min(corruption.changes)


def test_a_trace_that_is_not_corrupted_is_the_same() -> None:
    trace = Trace(trace_text("hotplug"))
    assert trace.corrupted(Corruption("nothing", 0, {})) == trace_text("hotplug")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(stated(verdicts((*NAMES, LONG), MOST, Path(folder))) + "\n")
