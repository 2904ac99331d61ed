"""The warm-up of a run: how much of it comes before it has settled, by MSER-5.

MSER-5 (K. P. White, Simulation 69, 1997) leaves out the beginning whose loss makes the mean of the
rest most certain: it takes means of 5 neighbours, and the cut after which the squared deviations
from the mean, divided by the square of the number that is left, are smallest.  A cut in the second
half means that the run is too short for a judgement.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hgeisim.library.arguments import wrong
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.table import format_duration, parse_duration
from hgeisim.study.pool import Pool
from hgeisim.study.replication import SLICES, Job, settling

BATCH = 5
AUTOMATIC, NONE = "mser-5", "none"


def mser_5(series: Sequence[float]) -> int | None:
    """How many numbers at the beginning of a series to leave out; None if it does not settle."""
    batches = len(series) // BATCH
    if batches < 2:
        return None
    means = np.asarray(series[: batches * BATCH], dtype=float).reshape(batches, BATCH).mean(axis=1)
    left = batches - np.arange(batches)
    sums, squares = np.cumsum(means[::-1])[::-1], np.cumsum(means[::-1] ** 2)[::-1]
    errors = np.maximum(squares - sums**2 / left, 0) / left**2
    # A few last ones may happen to be alike, whatever the series: they are not asked.
    usable = batches - max(BATCH, batches // 10)
    cut = int(np.argmin(errors[: max(usable, 1)]))
    return None if cut > batches // 2 else cut * BATCH


def warm_up_ns(pool: Pool, asked: str, jobs: Sequence[Job], until_ns: int) -> tuple[int, bool]:
    """The warm-up of some jobs that are to be compared, and whether it is known.

    `asked` is "mser-5", "none" or a time.  By MSER-5, all jobs get the longest warm-up that a first
    replication of any of them shows; if one of them does not settle, nothing is left out.
    InputError: it is none of these, or not shorter than a run.
    """
    if asked == NONE:
        return 0, True
    if asked != AUTOMATIC:
        return _given(asked, until_ns), True
    cuts = [mser_5(series) for found in pool.map(settling, jobs) for series in found]
    known = [cut for cut in cuts if cut is not None]
    if len(known) < len(cuts):
        return 0, False
    return until_ns * max(known, default=0) // SLICES, True


def _given(asked: str, until_ns: int) -> int:
    place = ("study", "warm_up")
    try:
        given = parse_duration(asked)
    except ValueError:
        allowed = f'must be {AUTOMATIC}, {NONE} or a time such as "2ms"'
        raise wrong(place, asked, allowed) from None
    if given >= until_ns:
        raise wrong(place, asked, f"must be shorter than the run, {format_duration(until_ns)}")
    return given


def check(asked: str, scenario: Scenario) -> None:
    """Refuse, by InputError, a warm-up that `warm_up_ns` would refuse."""
    if asked not in (AUTOMATIC, NONE):
        _given(asked, scenario.run.until)
