"""The result of `locks check`: what is new, what is known, what is stale."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hgeisim.drivers.lock_survey import Survey
from hgeisim.lockorder.baseline import Baseline, Pair
from hgeisim.lockorder.circle import circle_of
from hgeisim.lockorder.compare import Difference, compare
from hgeisim.lockorder.declared import (
    Breach,
    Declared,
    breaches,
    not_exercised,
    unknown_names,
)
from hgeisim.lockorder.report import Report
from hgeisim.lockorder.text import text_of
from hgeisim.report.layout import count, indented


@dataclass(frozen=True)
class Check:
    """`before` is the baseline, `after` what was seen.

    `grown` and `gone` are differences between them, without findings; `findings` are the reports by
    id that have no reason in the baseline, `known` those that have one, with it; `stale` are
    reasons for what did not show.
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
        """How many things are new."""
        return len(self.grown) + len(self.findings) + len(self.breaches)

    @property
    def lost(self) -> int:
        """How many facts the kernel of the baseline does not show any more itself; what another
        kernel does not show is no fault."""
        same = self.before.kernel == self.after.kernel
        return len(self.gone) + len(self.stale) if same else 0

    def strict(self) -> Check:
        """The same with nothing accepted."""
        return replace(self, findings={**self.findings, **self.accepted}, known={})


def checked(before: Baseline, after: Baseline, found: Survey, declared: Declared) -> Check:
    """Compare what a survey found with a baseline and a declared order."""
    whole = set(before.scenarios) <= set(found.scenarios)
    differences = [d for d in compare(before, after) if d.what != "finding"]
    reports = found.reports()
    known = {i: reason for i in reports if (reason := _accepted(before, i))}
    return Check(
        before,
        after,
        _coverage(found),
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
    """The reason why a baseline accepts a finding, also for a longer way of a circle; "" if it
    does not."""
    if finding_id in before.accepted:
        return before.accepted[finding_id]
    circle = circle_of(finding_id)
    for accepted, reason in before.accepted.items():
        known = circle_of(accepted)
        if circle and known and circle.is_known_by([known], before.edges):
            return reason
    return ""


def _coverage(found: Survey) -> str:
    runs = count(found.runs, "run")
    return f"sampled: {runs} in time, {count(found.schedules, 'random schedule')}"


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
        "coverage": result.coverage,
        "new": result.new,
        "lost": result.lost,
        "classes": len(result.after.classes),
        "edges": len(result.after.edges),
        "added": [_difference(d) for d in result.grown],
        "gone": [_difference(d) for d in result.gone],
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
    for title, lines in _parts(result):
        if lines:
            yield ""
            yield f"{title}:"
            for line in lines:
                yield from indented(line, 2)
    for finding, report in result.findings.items():
        yield ""
        yield from indented(f"new finding {finding}", 0)
        yield from in_columns(report, result.before.edges)


def in_columns(report: Report, known: Container[Pair] | None = None) -> Iterator[str]:
    """A report in the columns of a mail; the drawing of the CPUs stays as wide as it is."""
    drawing = False
    for line in text_of(report, known).splitlines():
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
