"""The result of `explore --series` and `--revisions`: a document, and text for people.

The text has tables of the kernels side by side, and the changes that each patch made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

from hgeisim.checks.catalogue import not_checked, severity_of
from hgeisim.checks.finding import (
    COUNTING,
    EASIER,
    GONE,
    PRE_EXISTING,
    UNKNOWN,
    Finding,
    Standing,
)
from hgeisim.checks.known import known_facts
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.comparison import CAME, WORDS, Changes
from hgeisim.drivers.explored.explored_scenario import token_of
from hgeisim.drivers.explored.model.system import EXPLORED
from hgeisim.drivers.explored.series import Series, SeriesLocks
from hgeisim.drivers.explored.strategies.verdict import (
    BOUNDED,
    EXHAUSTED,
    Schedule,
    ended,
    switches,
)
from hgeisim.kernel.variants import own_files, patched_functions
from hgeisim.report.counterexample import replay_facts
from hgeisim.report.findings import bounds_facts, bounds_text, in_order, possible_cause, unlooked
from hgeisim.report.kernel_names import in_c
from hgeisim.report.layout import columns, count, indented
from hgeisim.scenario.canonical import left_out


class Explored(Protocol):
    """An exploration of a scenario on several kernels, with its clean twin."""

    series: Series
    twin: Series | None
    locks: SeriesLocks | None
    stopped: BaseException | None


def document(name: str, made: Explored, patches: Sequence[str], stacked: bool) -> dict[str, Any]:
    """The result as plain data.

    Every kernel of a series is judged, since a bisection may stop at any; of revisions only the
    last is.
    """
    scenario, variants = made.series.scenario, [each.variant for each in made.series.kernels]
    kernels = [*_kernels(name, made.series, made.locks)]
    twin = [*_kernels(name, made.twin, None)] if made.twin else []
    judged = variants[1:] if stacked else variants[-1:]
    judged_kernels = (each for each in (*kernels, *twin) if each["variant"] in judged)
    new = any(finding["new"] for each in judged_kernels for finding in each["findings"])
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


def _lock_order(locks: SeriesLocks | None) -> dict[str, Any] | None:
    if locks is None:
        return None
    edges = [{"edge": edge, "kinds": kinds} for edge, kinds in locks.edges().items()]
    return {"schedules": max(each.schedules for each in locks.kernels), "edges": edges}


def _kernels(name: str, series: Series, locks: SeriesLocks | None) -> Iterator[dict[str, Any]]:
    """The findings of each kernel, and from the second on its changes to the one before."""
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
            "findings": [*_finding_facts(series, at, standings, new)],
            "gone": [i for i, each in standings.items() if each.word == GONE],
            **(_change_facts(name, series, locks, at) if at else {}),
        }


def _finding_facts(
    series: Series, at: int, standings: Mapping[str, Standing], new: set[str]
) -> Iterator[dict[str, Any]]:
    kernel, base = series.kernels[at], series.kernels[0]
    shown = kernel.known().switches
    for finding_id, standing in standings.items():
        if standing.word != GONE:
            yield {
                "id": finding_id,
                **_known(kernel, base, finding_id, standing.word),
                "switches": bounds_facts(shown.get(finding_id)),
                "standing": standing.word if at else None,
                "base_switches": bounds_facts(standing.base) if at else None,
                "new": at > 0 and finding_id in new,
            }


def _known(kernel: Base, base: Base, finding_id: str, word: str) -> dict[str, str | None]:
    """The name and reason of a finding; a pre-existing one has those of the base, and other
    findings of a user's own file have none."""
    if word == PRE_EXISTING:
        kernel = base
    elif own_files(kernel.variant):
        return {"known_as": None, "reason": None}
    config = kernel.scenario.kernel
    return known_facts(finding_id, config.variant, config.realtime, possible_cause(kernel.scenario))


def _never_entered(series: Series, at: int) -> list[str]:
    """The functions of a user's own patches that no task entered."""
    kernel = series.kernels[at]
    if not kernel.states or not own_files(kernel.variant):
        return []
    patched = patched_functions(kernel.variant, series.kernels[0].variant)
    return [name for name in patched if name not in kernel.space.system.k.entered]


def _change_facts(name: str, series: Series, locks: SeriesLocks | None, at: int) -> dict[str, Any]:
    """The changes of a kernel to the one before, with a schedule for each finding it introduces."""
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
        "before": {i: bounds_facts(before.get(i)) for ids in made.values() for i in ids},
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


NOT_SHOWN, SHOWN, NOT_KNOWN = "-", "shown", "?"
BROUGHT = (CAME, EASIER, UNKNOWN)
Document: TypeAlias = dict[str, Any]


def text(result: Document) -> Iterator[str]:
    """The document as lines of at most 80 columns, except for the tokens."""
    heads = heads_of(result["form"], [each["variant"] for each in result["kernels"]])
    yield from _opening(result, heads)
    yield from _findings(result["kernels"], heads)
    yield from _locks(result, heads)
    yield from _changes(result["kernels"], heads)
    if twin := result["clean_twin"]:
        yield from _twin(twin, heads)
    yield ""
    yield from _closing(result, heads)
    yield from unlooked(result["not_checked"])


def heads_of(form: str, variants: Sequence[str]) -> list[str]:
    """Short names of the kernels: the base, then each by its last patch, with a `+` in a series.

    A user's own patch goes by its class, with its file if two classes have the same name.
    """
    base, *others = variants
    ends = [each.removeprefix(f"{base}+") for each in others]
    if form == "series":
        ends = [each.removeprefix(f"{under}+") for under, each in pairwise(variants)]
    classes = [each.rpartition(":")[2] for each in ends]
    files = [each.rpartition("/")[2] for each in ends]
    # The shortest names that differ from each other.
    names = next(each for each in (classes, files, ends) if len({*each}) == len(each))
    return [base, *(f"+{each}" if form == "series" else each for each in names)]


def _opening(result: Document, heads: Sequence[str]) -> Iterator[str]:
    kernels, tasks = result["kernels"], count(len(result["tasks"]), "task")
    where = f"{kernels[0]['variant']}, preemption {result['preemption']}"
    yield f"{result['scenario']} on {where}: {tasks} on {count(result['harts'], 'HART')}"
    stacked = result["form"] == "series"
    form = "series, one on top of the other" if stacked else "revisions, each alone"
    yield from indented(f"{form}: {', '.join(result['patches'])}", 0)
    pairs = zip(heads, kernels, strict=True)
    cut = [head for head, each in pairs if each["coverage"] != "exhausted"]
    covered = f"bounded: the search was cut short for {', '.join(cut)}"
    if not cut:
        covered = "exhausted: every interleaving, up to the order of independent steps"
    yield from indented(covered, 0)
    if result["stopped"]:
        yield from indented(f"it {result['stopped']}: what is not known yet is {NOT_KNOWN}", 0)


def _findings(kernels: Sequence[Document], heads: Sequence[str]) -> Iterator[str]:
    """The fewest switches of each finding in each kernel."""
    ids = {i: None for each in kernels for i in _switches(each)}
    rows = [
        (_named(i, kernels), [_cell(each, i) for each in kernels])
        for i in sorted(ids, key=lambda i: (severity_of(i), i))
    ]
    if rows:
        yield ""
        yield from columns("fewest switches", heads, rows)


def _switches(kernel: Document) -> dict[str, dict[str, int]]:
    """The findings of a search, each with the switches that it needs."""
    return {each["id"]: each["switches"] for each in kernel["findings"] if each["switches"]}


def _cell(kernel: Document, finding_id: str) -> str:
    needed = _switches(kernel).get(finding_id)
    if needed is None:
        return NOT_SHOWN if kernel["coverage"] == "exhausted" else NOT_KNOWN
    least, most = needed["least"], needed["most"]
    return str(least) if least == most else f"{least} to {most}"


def _named(finding_id: str, kernels: Iterable[Document]) -> str:
    """The id of a finding, with the name by which it is known on one of the kernels."""
    found = (each for kernel in kernels for each in kernel["findings"])
    known = (each["known_as"] for each in found if each["id"] == finding_id)
    name = next(filter(None, known), None)
    return f"{finding_id} ({name})" if name else finding_id


def _locks(result: Document, heads: Sequence[str]) -> Iterator[str]:
    """Findings of lock order, and the dependencies that not all kernels have."""
    order, kernels = result["lock_order"], result["kernels"]
    if order is None:
        yield "lock order was not looked at"
        return
    sampled = [{each["id"] for each in k["findings"] if not each["switches"]} for k in kernels]
    rows = [
        (_named(i, kernels), [SHOWN if i in shown else NOT_SHOWN for shown in sampled])
        for i in sorted(set().union(*sampled))
    ]
    rows += [(each["edge"], [*map(_edge, each["kinds"])]) for each in order["edges"]]
    yield ""
    sample = f"sampled: {count(order['schedules'], 'schedule')}"
    if rows:
        yield from columns("lock order", heads, rows)
        known = any(kinds["known"] for each in order["edges"] for kinds in each["kinds"])
        brackets = "; in brackets: not seen here, but its baseline has it" if known else ""
        yield from indented(f"{sample}{brackets}", 0)
    else:
        yield from indented(f"lock order: {sample}; the same in all kernels", 0)


def _edge(kinds: Document) -> str:
    known = f"({','.join(kinds['known'])})" if kinds["known"] else ""
    return ",".join(filter(None, (*kinds["seen"], known))) or NOT_SHOWN


def _changes(kernels: Sequence[Document], heads: Sequence[str]) -> Iterator[str]:
    """The changes that each patch makes to the kernel before it."""
    for at, kernel in enumerate(kernels[1:], 1):
        beside = f"{heads[at]} beside {heads[at - 1]}"
        yield ""
        if not any(kernel["changes"].values()):
            yield f"{beside}: no change"
        else:
            yield f"{beside}:"
            yield from _changed(kernel, kernels)
        if names := kernel["never_entered"]:
            yield from indented(f"functions that no task entered: {', '.join(names)}", 2)


def _changed(kernel: Document, kernels: Sequence[Document]) -> Iterator[str]:
    words = {i: word for word, ids in kernel["changes"].items() for i in ids}
    before = kernel["before"]
    evidence = {each["id"]: each for each in kernel["evidence"]}
    for finding_id, each in evidence.items():
        earlier = f" (before: {bounds_text(before[finding_id])})" if before[finding_id] else ""
        needed = count(each["switches"], "switch")
        word = f"{words[finding_id]}: {_named(finding_id, [kernel])}, {needed}{earlier}"
        yield from indented(word, 2)
        yield from indented(in_c(each["text"]), 4)
        yield f"    {each['replay']}"
    as_easily = {each["id"] for each in kernel["findings"] if each["standing"] == PRE_EXISTING}
    for word in WORDS:
        rest = [i for i in kernel["changes"][word] if i not in evidence]
        back = [i for i in rest if i in as_easily] if word in BROUGHT else []
        has_it = f", as {kernels[0]['variant']} has it"
        for ids, where in ((back, has_it), ([i for i in rest if i not in back], "")):
            if ids:
                names = ", ".join(_named(i, kernels) for i in ids)
                yield from indented(f"{word}{where}: {names}", 2)


def _twin(twin: Document, heads: Sequence[str]) -> Iterator[str]:
    """The clean twin: one line if no kernel shows anything in it, else tables of its own."""
    kernels = twin["kernels"]
    without = f"clean twin, without {', '.join(twin['left_out'])}"
    yield ""
    if not any(each["findings"] for each in kernels):
        whole = all(each["coverage"] == "exhausted" for each in kernels)
        yield f"{without}: {'no finding in any kernel' if whole else 'no finding so far'}"
        return
    yield f"{without}:"
    yield from _findings(kernels, heads)
    yield from _changes(kernels, heads)


def _closing(result: Document, heads: Sequence[str]) -> Iterator[str]:
    """The findings that count against the patches, and whether they still do in the end."""
    stacked, whole = result["form"] == "series", result["coverage"] == "exhausted"
    against = _against(result)
    clean = f"nothing that {heads[0]} does not show as easily{'' if whole else ', so far'}"
    if stacked and not any(against):
        yield from indented(f"after each patch: {clean}", 0)
        return
    last = len(heads) - 1
    for at in range(1, len(heads)) if stacked else [last]:
        where = f"after {heads[at]}" if stacked else f"{heads[at]}, the last revision"
        if against[at]:
            yield from indented(f"{where}, beside {heads[0]}: {'; '.join(against[at])}", 0)
        elif at == last:
            yield from indented(f"{where}: {clean}", 0)
    if stacked and whole and not against[last]:
        yield "mended in the end; a bisection may stop before that"


def _against(result: Document) -> list[list[str]]:
    """For each kernel the findings that count against it, in words."""
    made = [[*_new(each)] for each in result["kernels"]]
    for at, kernel in enumerate(result["clean_twin"]["kernels"] if result["clean_twin"] else ()):
        made[at] += _new(kernel, " in the clean twin")
    return made


def _new(kernel: Document, where: str = "") -> Iterator[str]:
    for word in COUNTING:
        ids = [f["id"] for f in kernel["findings"] if f["new"] and f["standing"] == word]
        if ids:
            yield f"{word}{where} {', '.join(sorted(ids))}"
