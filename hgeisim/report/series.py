"""The result of `explore --series` and `--revisions` as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from hgeisim.checks.catalogue import not_checked
from hgeisim.checks.finding import Finding
from hgeisim.checks.known import known_facts
from hgeisim.checks.standing import GONE, PRE_EXISTING, Bounds, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.changes import CAME, Changes
from hgeisim.drivers.explored.counterexample.shrink import switches
from hgeisim.drivers.explored.explorable import token_of
from hgeisim.drivers.explored.model.system import EXPLORED
from hgeisim.drivers.explored.series import Series
from hgeisim.drivers.explored.series_locks import SeriesLocks
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, EXHAUSTED, Schedule, ended
from hgeisim.kernel.variants import own_files, patched_functions
from hgeisim.report.causes import possible
from hgeisim.report.exploration import replay_facts
from hgeisim.report.findings import in_order
from hgeisim.scenario.clean_twin import left_out


class Explored(Protocol):
    """What was explored: a scenario with several kernels, and its clean twin."""

    series: Series
    twin: Series | None
    locks: SeriesLocks | None
    stopped: BaseException | None


def document(name: str, made: Explored, patches: Sequence[str], stacked: bool) -> dict[str, Any]:
    """Everything that there is to say, as plain data.

    All kernels of a series are judged, since a bisection may stop at any; of revisions the last.
    """
    scenario, variants = made.series.scenario, [each.variant for each in made.series.kernels]
    kernels = [*_kernels(name, made.series, made.locks)]
    twin = [*_kernels(name, made.twin, None)] if made.twin else []
    judged = variants[1:] if stacked else variants[-1:]
    new = any(_speaks_against(each) for each in (*kernels, *twin) if each["variant"] in judged)
    whole = made.series.whole and (made.twin is None or made.twin.whole)
    coverage = EXHAUSTED if whole else BOUNDED
    return {
        "scenario": name,
        "preemption": scenario.kernel.preemption,
        "harts": len(scenario.topology.harts),
        "tasks": [task.name for task in scenario.task],
        "form": "series" if stacked else "revisions",
        "patches": list(patches),
        "judged": judged,
        "verdict": "violation" if new else coverage,
        "coverage": coverage,
        "stopped": ended(made.stopped) if made.stopped else "",
        "kernels": kernels,
        "lock_order": _lock_order(made.locks),
        "clean_twin": {"left_out": left_out(scenario), "kernels": twin} if made.twin else None,
        "not_checked": not_checked(EXPLORED),
    }


def _speaks_against(kernel: dict[str, Any]) -> bool:
    return any(each["new"] for each in kernel["findings"])


def _lock_order(locks: SeriesLocks | None) -> dict[str, Any] | None:
    if locks is None:
        return None
    edges = [{"edge": edge, "kinds": kinds} for edge, kinds in locks.edges().items()]
    return {"schedules": max(each.schedules for each in locks.kernels), "edges": edges}


def _kernels(name: str, series: Series, locks: SeriesLocks | None) -> Iterator[dict[str, Any]]:
    """What each kernel shows, and from the second on what it has changed of the one before."""
    for at, kernel in enumerate(series.kernels):
        known = kernel.known()
        standings = dict(series.standings(at))
        new = set(series.counting(at))
        if locks is not None:
            standings |= locks.standings(at)
            new |= {*locks.counting(at)}
        yield {
            "variant": kernel.variant,
            "recorded": kernel.recorded is not None,
            "coverage": EXHAUSTED if known.whole else BOUNDED,
            "states": kernel.states,
            "levels": known.others,
            "never_entered": _never_entered(series, at),
            "findings": [*_findings(series, at, standings, new)],
            "gone": [i for i, each in standings.items() if each.word == GONE],
            **(_changed(name, series, locks, at) if at else {}),
        }


def _findings(
    series: Series, at: int, standings: Mapping[str, Standing], new: set[str]
) -> Iterator[dict[str, Any]]:
    kernel, base = series.kernels[at], series.kernels[0]
    shown = kernel.known().switches
    for finding_id, standing in standings.items():
        if standing.word != GONE:
            yield {
                "id": finding_id,
                **_known(kernel, base, finding_id, standing.word),
                "switches": _bounds(shown.get(finding_id)),
                "standing": standing.word if at else None,
                "base_switches": _bounds(standing.base) if at else None,
                "new": at > 0 and finding_id in new,
            }


def _known(kernel: Base, base: Base, finding_id: str, word: str) -> dict[str, str | None]:
    """What is pre-existing is known as it is of the base; nothing else is of a user's own file."""
    if word == PRE_EXISTING:
        kernel = base
    elif own_files(kernel.variant):
        return {"known_as": None, "reason": None}
    config = kernel.scenario.kernel
    return known_facts(finding_id, config.variant, config.realtime, possible(kernel.scenario))


def _bounds(bounds: Bounds | None) -> dict[str, int] | None:
    return bounds._asdict() if bounds is not None else None


def _never_entered(series: Series, at: int) -> list[str]:
    """The functions of a user's own patches in a kernel that no task entered."""
    kernel = series.kernels[at]
    if not kernel.states or not own_files(kernel.variant):
        return []
    patched = patched_functions(kernel.variant, series.kernels[0].variant)
    return [name for name in patched if name not in kernel.space.system.k.entered]


def _changed(name: str, series: Series, locks: SeriesLocks | None, at: int) -> dict[str, Any]:
    """What a kernel has changed of the one before, and schedules of what it has brought."""
    made: Changes = series.changes(at)
    evidence = [
        _evidence(name, series.kernels[at], way.finding, way.schedule)
        for way in series.evidence(at).values()
    ]
    if locks is not None:
        sampled = locks.changes(at)
        made = {word: [*ids, *sampled[word]] for word, ids in made.items()}
        shown, standings = locks.kernels[at].findings, locks.standings(at)
        brought = (i for i in sampled[CAME] if standings[i].word != PRE_EXISTING)
        evidence += [_evidence(name, series.kernels[at], *shown[i]) for i in brought]
    before = series.kernels[at - 1].known().switches
    return {
        "beside": series.kernels[at - 1].variant,
        "changes": {word: [*ids] for word, ids in made.items()},
        "before": {i: _bounds(before.get(i)) for ids in made.values() for i in ids},
        "evidence": in_order(evidence),
    }


def _evidence(name: str, kernel: Base, finding: Finding, schedule: Schedule) -> dict[str, Any]:
    return {
        "id": finding.id,
        "text": finding.text,
        "steps": len(schedule),
        "switches": switches(schedule),
        **replay_facts(token_of(name, kernel.scenario, schedule)),
    }
