"""The simulator against theory: cases whose results are known exactly, with intervals.

Each quantity has Student's t over replications, whose seeds are fixed, and is inside if its exact
value lies within the bounds.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hgeisim.errors import did_you_mean
from hgeisim.library.answer import Answer
from hgeisim.library.arguments import check_names, wrong
from hgeisim.library.progress import SILENT, Progress
from hgeisim.report.grid import Grid, plain
from hgeisim.scenario.canonical import with_seed
from hgeisim.scenario.load import load_scenario
from hgeisim.study.cases import CASES, Case, Quantity
from hgeisim.study.observe import Numbers
from hgeisim.study.plan import Plan, plan_of
from hgeisim.study.pool import Pool, pool
from hgeisim.study.replication import Job, job_of, nth
from hgeisim.study.statistics import Interval, mean_interval, precise

INSIDE, OUTSIDE, WIDE = "inside", "OUTSIDE", "wide"
ROUNDING = 1e-9
"""How far apart, as a share, two numbers may be that are the same but for rounding."""


@dataclass(frozen=True, repr=False)
class Validation(Answer):
    """A case with its exact and simulated results."""

    document: dict[str, Any]

    def __str__(self) -> str:
        """The text of `hgeisim validate`."""
        from hgeisim.report.validation import parts  # noqa: PLC0415

        return plain(parts(self.document))

    def _grid(self) -> Grid:
        from hgeisim.report.validation import results  # noqa: PLC0415

        return results(self.document)

    @property
    def _headline(self) -> str:
        word = "inside" if self.inside else "OUTSIDE"
        return f"validate {self.document['case']}: {word}"

    @property
    def inside(self) -> bool:
        """Whether each exact value lies within its interval."""
        return all(each["verdict"] != OUTSIDE for each in self.document["quantities"])


@dataclass
class Sample:
    """The replications of a case that were made."""

    case: Case
    plan: Plan
    rows: list[Numbers] = field(default_factory=list)

    def make(self, job: Job, workers: Pool, progress: Progress, name: str) -> None:
        """Make replications until all are made, or are precise enough."""
        if self.case.alike:
            self.rows = workers.map(self.case.observe, [job])
            return
        with progress.replicating(name) as reached:
            for numbers in self.plan.rounds():
                self.rows += workers.map(self.case.observe, [nth(job, n) for n in numbers])
                if reached is not None:
                    reached(len(self.rows), self.plan.most)
                if self.plan.precision is not None and self.precise(self.plan.precision):
                    return

    def precise(self, precision: float) -> bool:
        """Whether no interval is wider than it should be."""
        found = zip(self.case.quantities, self.intervals(), strict=True)
        return all(precise(made, precision, each.exact) for each, made in found)

    def intervals(self) -> list[Interval]:
        """The interval of each quantity."""
        columns = [*zip(*self.rows, strict=True)]
        if self.case.alike:
            return [Interval(value, value, value, 1, "exact") for (value,) in columns]
        return [mean_interval(column, self.plan.share) for column in columns]


def validate(
    case: str, *, seed: int = 1, progress: Progress = SILENT, **options: Any
) -> Validation:
    """Simulate a case of `CASES`, and compare it with its exact result.

    `options` are the parameters of the case, and `replications`, `precision` (default 1 %),
    `at_most` (default 5000), `level` (default 99) and `executor` as in `Plan`.  `seed` is that of
    the first replication.  InputError: there is not such a case, or a parameter cannot be.
    """
    if case not in CASES:
        allowed = f"must be one of {', '.join(CASES)}"
        raise wrong(("validate", "case"), case, allowed, did_you_mean(case, CASES))
    how = {name: options.pop(name) for name in HOW if name in options}
    given = {name: value for name, value in options.items() if value is not None}
    made = _case(case, given)
    if seed < 0:
        raise wrong(("validate", "seed"), str(seed), "must be 0 or more")
    scenario = with_seed(load_scenario(made.document), seed)
    if how.get("replications") is None and how.get("precision") is None:
        how["precision"] = 0.01
    plan = plan_of("validate", {"at_most": 5000, "level": 99.0} | _without_none(how), scenario)
    sample, stopped = Sample(made, plan), True
    with suppress(KeyboardInterrupt):
        with pool(plan.executor) as workers:
            sample.make(job_of(scenario, warm_up_ns=made.warm_up_ns), workers, progress, case)
        stopped = False
    if stopped and len(sample.rows) < 2:
        raise KeyboardInterrupt
    return Validation(_document(case, given, sample, seed, stopped))


HOW = ("replications", "precision", "at_most", "level", "executor")


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _case(name: str, given: dict[str, Any]) -> Case:
    """A case with its parameters."""
    known = CASES[name].__code__.co_varnames[: CASES[name].__code__.co_argcount]
    check_names(f"validate {name}", given, [*known, *HOW])
    for missing in (each for each in known if each not in given):
        raise wrong((f"validate {name}", missing), "", "must be given")
    return CASES[name](**given)


def _document(
    name: str, given: dict[str, Any], sample: Sample, seed: int, stopped: bool
) -> dict[str, Any]:
    found = zip(sample.case.quantities, sample.intervals(), strict=True)
    return {
        "case": name,
        "parameters": given,
        "simulated": sample.case.simulated,
        "until_ns": load_scenario(sample.case.document).run.until,
        "warm_up_ns": sample.case.warm_up_ns,
        "replications": len(sample.rows),
        "seed": seed,
        "level": sample.plan.level,
        "precision": None if sample.case.alike else sample.plan.precision,
        "quantities": [_result(each, made, sample.plan) for each, made in found],
        "interrupted": stopped,
        "scenario": sample.case.document,
    }


def _result(quantity: Quantity, found: Interval, plan: Plan) -> dict[str, Any]:
    return {
        "name": quantity.name,
        "unit": quantity.unit,
        "source": quantity.source,
        "exact": quantity.exact,
        "simulated": found.value,
        "interval": [found.low, found.high],
        "half_width": None if found.half is None else _share(found.half, quantity.exact),
        "verdict": _verdict(quantity, found, plan),
    }


def _share(half: float, exact: float) -> float | None:
    """Half of the width as a share of the exact value."""
    return half / abs(exact) if exact else (None if half else 0.0)


def _verdict(quantity: Quantity, found: Interval, plan: Plan) -> str:
    """Inside or not; wide, where the interval is wider than was asked for."""
    slack = ROUNDING * abs(quantity.exact)
    if found.low is None or found.high is None:
        return WIDE
    if not found.low - slack <= quantity.exact <= found.high + slack:
        return OUTSIDE
    asked = plan.precision if found.method == "t" else None
    return WIDE if asked is not None and not precise(found, asked, quantity.exact) else INSIDE
