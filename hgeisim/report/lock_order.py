"""Lock order as a document and as text.

The result of `locks check`: what is new, what is known, what is stale.  The files of a run folder
that are about locks.  The lock order in the result of an exploration, beside the findings of its
search.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hgeisim.drivers.explored.strategies.lock_walks import LockWalks
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, SAMPLED, Counterexample, ended
from hgeisim.drivers.lock_survey import Survey
from hgeisim.drivers.timed.simulation import Simulation
from hgeisim.lockorder.baseline.baseline import (
    Baseline,
    Difference,
    compare,
    cycle_of,
    learned,
)
from hgeisim.lockorder.baseline.declared_order import (
    Breach,
    Declared,
    breaches,
    not_exercised,
    unknown_names,
)
from hgeisim.lockorder.baseline.proc_lockdep import proc_lockdep, proc_lockdep_stats
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.lockorder.report.text import text_of
from hgeisim.lockorder.report.violation import Report
from hgeisim.report.counterexample import finding_facts
from hgeisim.report.kernel_names import in_c
from hgeisim.report.layout import count, indented
from hgeisim.report.real_code import code_facts, code_lines
from hgeisim.scenario.schema import Scenario
from hgeisim.watch.lock_report import finding_of
from hgeisim.watch.lock_uses import lock_stat


@dataclass(frozen=True)
class Check:
    """A comparison of the baseline, `before`, with the lock order that was seen, `after`.

    `grown` and `gone` are differences between them, without findings.  `findings` are the reports
    by id for which the baseline has no reason; `known` has the ids for which it has one, with the
    reason, and `accepted` their reports; `stale` are accepted ids that did not show.
    """

    before: Baseline
    after: Baseline
    coverage: str
    grown: list[Difference]
    gone: list[Difference]
    findings: dict[str, Report]
    known: dict[str, str]
    stale: list[str]
    breaches: list[Breach]
    notes: list[str] = field(default_factory=list)
    accepted: dict[str, Report] = field(default_factory=dict)

    @property
    def new(self) -> int:
        """The number of new things."""
        return len(self.grown) + len(self.findings) + len(self.breaches)

    @property
    def lost(self) -> int:
        """The number of facts that the kernel of the baseline no longer shows.  Another kernel
        need not show them: 0."""
        same = self.before.kernel == self.after.kernel
        return len(self.gone) + len(self.stale) if same else 0

    def strict(self) -> Check:
        """The same with nothing accepted."""
        return replace(self, findings={**self.findings, **self.accepted}, known={})


def checked(before: Baseline, after: Baseline, found: Survey, declared: Declared) -> Check:
    """Compare the findings of a survey with a baseline and a declared order."""
    whole = set(before.scenarios) <= set(found.scenarios)
    differences = [d for d in compare(before, after) if d.what != "finding"]
    reports = found.reports()
    known = {i: reason for i in reports if (reason := _accepted(before, i))}
    runs, schedules = count(found.runs, "run"), count(found.schedules, "random schedule")
    return Check(
        before,
        after,
        f"sampled: {runs} in time, {schedules}",
        [d for d in differences if d.grows],
        [d for d in differences if not d.grows] if whole else [],
        {i: report for i, report in reports.items() if i not in known},
        known,
        [i for i in before.accepted if i not in reports] if whole else [],
        breaches(declared, after.edges),
        list(_notes(declared, after)),
        {i: reports[i] for i in known},
    )


def _accepted(before: Baseline, finding_id: str) -> str:
    """The reason why a baseline accepts a finding, or a shorter form of the same cycle; "" if it
    does not."""
    if finding_id in before.accepted:
        return before.accepted[finding_id]
    cycle = cycle_of(finding_id)
    for accepted, reason in before.accepted.items():
        known = cycle_of(accepted)
        if cycle and known and cycle.is_known_by([known], before.edges):
            return reason
    return ""


def _notes(declared: Declared, after: Baseline) -> Iterator[str]:
    for held, wanted in not_exercised(declared, after.edges):
        yield f"declared, not exercised: {held} < {wanted}"
    for name, near in unknown_names(declared, after.classes).items():
        hint = f"; did you mean {near}?" if near else ""
        yield f"declared, never seen: {name}{hint}"


def document(result: Check) -> dict[str, Any]:
    """The result for programs."""
    return {
        "kernel": result.after.kernel,
        "baseline": result.before.kernel,
        **code_facts(result.after.kernel),
        "coverage": result.coverage,
        "new": result.new,
        "lost": result.lost,
        "classes": len(result.after.classes),
        "edges": len(result.after.edges),
        "added": [*map(_difference, result.grown)],
        "gone": [*map(_difference, result.gone)],
        "findings": [
            {"id": i, "lock_order_id": report.id, "report": text_of(report, result.before.edges)}
            for i, report in result.findings.items()
        ],
        "known": result.known,
        "stale": result.stale,
        "breaches": [{"id": b.id, "text": str(b), "line": b.line} for b in result.breaches],
        "notes": result.notes,
    }


def _difference(each: Difference) -> dict[str, str]:
    return {"sign": each.sign, "what": each.what, "name": each.name, "detail": each.detail}


def text(result: Check) -> Iterator[str]:
    """The result for people, the summary first."""
    yield from indented(_summary(result), 0)
    yield result.coverage
    yield from code_lines(code_facts(result.after.kernel))
    for title, lines in _parts(result):
        if lines:
            yield ""
            yield f"{title}:"
            for line in lines:
                yield from indented(line, 2)
    for finding, report in result.findings.items():
        yield ""
        yield from indented(f"new finding {finding}", 0)
        yield from report_lines(report, result.before.edges)


def report_lines(report: Report, known: Container[Pair] | None = None) -> Iterator[str]:
    """A report in the columns of a mail; only the drawing of the CPUs keeps its width."""
    drawing = False
    for line in in_c(text_of(report, known)).splitlines():
        drawing = line.startswith("How it hangs") or (drawing and line.startswith(" "))
        lead = len(line) - len(line.lstrip())
        yield from [line] if drawing or not line else indented(line.strip(), lead, 4)


def _summary(result: Check) -> str:
    edges = [d for d in result.grown + result.gone if d.what == "edge"]
    added, removed = (sum(d.sign == sign for d in edges) for sign in "+-")
    stale = len(result.gone) + len(result.stale)
    return (
        f"lock order of {result.after.kernel} against {result.before.kernel}: {result.new} new, "
        f"{len(result.known)} known, {stale} {'lost' if result.lost else 'stale'}; "
        f"{count(len(result.after.edges), 'edge')} (+{added} -{removed})"
    )


def _parts(result: Check) -> Iterator[tuple[str, list[str]]]:
    yield "new", [str(d) for d in result.grown]
    yield "against the declared order", [str(b) for b in result.breaches]
    yield "known, with a reason in the baseline", list(result.known)
    yield (
        "lost" if result.lost else "stale",
        [*(str(d) for d in result.gone), *(f"- finding {i}" for i in result.stale)],
    )
    yield "notes", result.notes


def lock_files(scenario: Scenario, simulation: Simulation) -> dict[str, str]:
    """The lock files of a run folder by name: findings, dependencies, sizes, waits; none for a run
    that recorded nothing but the occupancy."""
    uses = simulation.recorded.get("locks")
    if simulation.lock_order is None or uses is None:
        return {}
    validator = simulation.lock_order.validator
    order = learned([validator.known], scenario.kernel.variant, (), {})
    findings = [
        "\n".join([f"finding {finding.id}", *report_lines(report), ""])
        for report in validator.reports
        if (finding := finding_of(report)).id in simulation.findings
    ]
    return {
        "lock-order.txt": "\n".join(findings) or "no finding in this run (one schedule)\n",
        "lockdep.txt": proc_lockdep(order),
        "lockdep_stats.txt": proc_lockdep_stats(order, validator.sizes),
        "lock_stat.txt": lock_stat(uses.locks),
    }


CONFIRMED, NO_SCHEDULE, NOT_TRIED = "confirmed", "no schedule in scope", "not tried"
"""Whether the search has shown the hang that a cycle of locks predicts."""


def add_lock_order(
    result: dict[str, Any],
    scenario: Scenario,
    walks: LockWalks,
    new: Collection[str],
) -> None:
    """Add the lock-order findings and their coverage to the document of an exploration.

    `alone` says whether the schedule of a finding shows it without the others, if that was tried;
    `cut` says what ended the sample early.  The coverage is never more than `sampled`.
    """
    sizes = walks.order.validator.sizes
    result["lock_order"] = {
        "coverage": SAMPLED,
        "schedules": walks.schedules,
        "cut": f", where it {ended(walks.stopped)}" if walks.stopped else "",
        "classes": sizes.classes,
        "dependencies": sizes.dependencies,
    }
    hangs = [*result["findings"]]
    for finding_id, (finding, schedule) in walks.findings.items():
        shown = Counterexample(finding, schedule)
        made = finding_facts(result["scenario"], scenario, shown, finding_id in new)
        made["alone"] = walks.alone.get(finding_id)
        made["hang"] = hang(finding_id, hangs, result["coverage"])
        result["findings"].append(made)


def hang(finding_id: str, hangs: list[dict[str, Any]], coverage: str) -> dict[str, str] | None:
    """Whether the search has shown the hang that a cycle of locks predicts, and in which schedule;
    None for a finding that is not a cycle."""
    cycle = cycle_of(finding_id)
    if cycle is None:
        return None
    classes = {*cycle.classes}
    for each in hangs:
        kind, _, about = each["id"].partition(":")
        if kind == "deadlock" and classes & {*about.split("+")}:
            return {"grade": CONFIRMED, "id": each["id"], "token": each["token"]}
    return {"grade": NO_SCHEDULE if coverage == EXHAUSTED else NOT_TRIED}
