"""Findings that are known: the baseline of shipped kernels, and names for the faults of patches.

They are the blocks of known.toml.  An accepted finding is printed, with its reason, and does not
count as new.  The others have only a name: the hazard that a reviewer knows them by.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.cause import NOT_KNOWN, Cause
from hgeisim.checks.known_entry import Known, one_of
from hgeisim.checks.known_file import read_known
from hgeisim.kernel.variants import own_files
from hgeisim.lockorder.baseline_text import read_baseline
from hgeisim.lockorder.circle import Edges, circle_of
from hgeisim.lockorder.shipped import shipped_path


@cache
def entries() -> tuple[Known, ...]:
    """All blocks of known.toml, read once."""
    return read_known()


@cache
def _entries_by_id() -> dict[str, list[Known]]:
    by_id: dict[str, list[Known]] = {}
    for entry in entries():
        for finding in entry.ids:
            by_id.setdefault(finding, []).append(entry)
    return by_id


def known(
    finding_id: str, variant: str, realtime: bool = False, cause: Cause = NOT_KNOWN
) -> Known | None:
    """The entry for a finding in a variant, with PREEMPT_RT or without.  Where its cause is not
    known, several may fit, which then make one: accepted only if all of them are.

    A circle of locks is also known if it is a longer way of a known one over dependencies that the
    kernel has without the user's own patches (`lockorder/circle.py`).
    """
    candidates = _entries_by_id().get(finding_id, [])
    fitting = [each for each in candidates if each.holds_in(variant, realtime)]
    fitting = [each for each in fitting if each.explains(cause)]
    if len(fitting) > 1:
        return one_of(fitting)
    return fitting[0] if fitting else _known_circle(finding_id, variant, realtime, cause)


def _known_circle(finding_id: str, variant: str, realtime: bool, cause: Cause) -> Known | None:
    circle = circle_of(finding_id)
    if circle is None:
        return None
    edges = _edges_of(variant)
    for entry in entries():
        known_ones = filter(None, map(circle_of, entry.ids))
        holds = entry.holds_in(variant, realtime) and entry.explains(cause)
        if holds and circle.is_known_by(known_ones, edges):
            return entry
    return None


@cache
def _edges_of(variant: str) -> Edges:
    """The dependencies of the kernel that a variant is made of, as far as it has a baseline."""
    parts = variant.split("+")
    stacks = ("+".join(parts[:length]) for length in range(len(parts), 0, -1))
    path = next(filter(None, map(shipped_path, stacks)), None)
    return read_baseline(path).edges if path else {}


def accepted(
    finding_id: str, variant: str, realtime: bool = False, cause: Cause = NOT_KNOWN
) -> bool:
    """Whether a finding is accepted of a kernel, as nothing is of a user's own file."""
    entry = known(finding_id, variant, realtime, cause)
    return entry is not None and entry.accepted and not own_files(variant)


def known_facts(
    finding_id: str, variant: str, realtime: bool = False, cause: Cause = NOT_KNOWN
) -> dict[str, str | None]:
    """The name and the reason of a known finding as documents have them, None when it is new."""
    entry = known(finding_id, variant, realtime, cause)
    return {"known_as": entry.name if entry else None, "reason": entry.reason if entry else None}


def hazard(finding_id: str, variant: str, realtime: bool = False) -> str:
    """The name by which people know a finding in a variant; its own id when it has none."""
    entry = known(finding_id, variant, realtime)
    return entry.name if entry else finding_id


def new_findings(
    found: Mapping[str, Cause], variant: str, strict: bool = False, realtime: bool = False
) -> list[str]:
    """The ids of what is found that the baseline does not accept; with `strict`, all of them.
    Notes are none."""
    looked_up = (
        (i, known(i, variant, realtime, cause)) for i, cause in found.items() if not is_note(i)
    )
    return [i for i, entry in looked_up if strict or entry is None or not entry.accepted]
