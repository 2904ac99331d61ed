"""Kernels compared: the same replications on each, so that differences are paired.

Replication n has the same arrivals on every kernel (common random numbers).  The first kernel is
the one that the others are compared with.  With more than one other, each difference has the bounds
that hold for all of them together (Bonferroni).
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from hgeisim.library.answer import Answer
from hgeisim.library.arguments import wrong
from hgeisim.library.progress import SILENT, Progress
from hgeisim.report.grid import Grid, plain
from hgeisim.study.condition import Condition, condition
from hgeisim.study.estimate import estimate, of_numbers, of_pairs
from hgeisim.study.metrics import MAIN, METRICS
from hgeisim.study.plan import Plan, chosen, plan_of
from hgeisim.study.pool import Pool, pool
from hgeisim.study.replication import Job, Record, job_of, nth
from hgeisim.study.statistics import Interval, mean_interval, minus, precise
from hgeisim.study.warm_up import warm_up_ns

if TYPE_CHECKING:
    from hgeisim.library.scenarios import Source
    from hgeisim.plot.drawing import Drawing
    from hgeisim.scenario.schema import Scenario

VARIANTS_MAX = 8
DISAGREEING = 3
"""How many seeds are named whose differences are farthest from the mean."""
Progressing = Callable[[int, int], None] | None


@dataclass(frozen=True, repr=False)
class Comparison(Answer):
    """Kernels side by side; `records` has for each letter the replications, by number."""

    document: dict[str, Any]
    records: dict[str, list[Record]] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """The text of `hgeisim compare`."""
        from hgeisim.report.comparison import parts  # noqa: PLC0415

        return plain(parts(self.document))

    def _grid(self) -> Grid:
        from hgeisim.report.comparison import estimates  # noqa: PLC0415

        return estimates(self.document)

    @property
    def _headline(self) -> str:
        facts = self.document
        names = ", ".join(f"{letter} {name}" for letter, name in facts["variants"].items())
        return f"{facts['scenario']}: {names}, {facts['replications']} replications"

    def plot(self) -> Drawing:
        """Draw the differences of HARTs and of seeds."""
        from hgeisim.plot.comparison import comparison_figure  # noqa: PLC0415
        from hgeisim.plot.drawing import Drawing  # noqa: PLC0415

        return Drawing(comparison_figure(self.document))


@dataclass
class Sample:
    """The replications of some kernels, as far as they are made."""

    jobs: dict[str, Job]
    plan: Plan
    asked: list[str]
    made: dict[str, dict[int, Record]] = field(default_factory=dict)
    stopped: str = "replications"

    def records(self, letter: str) -> list[Record]:
        """The replications of a kernel, of those that all kernels have, by number."""
        return [self.made[letter][n] for n in range(self.complete)]

    @property
    def complete(self) -> int:
        """How many replications all kernels have, from the first one on."""
        count = 0
        while all(count in made for made in self.made.values()):
            count += 1
        return count

    @property
    def metrics(self) -> list[str]:
        """The metrics that are asked for, or the main ones that have a value."""
        return self.asked or [
            name for name in MAIN if any(self.values(letter, name) for letter in self.jobs)
        ]

    def values(self, letter: str, metric: str) -> list[float]:
        """A metric of each replication that has a value."""
        found = (record.values[metric] for record in self.records(letter))
        return [value for value in found if value is not None]

    def make(self, workers: Pool, reached: Progressing) -> None:
        """Make replications until the plan is fulfilled."""
        self.made = {letter: {} for letter in self.jobs}
        done, most = 0, self.plan.most * len(self.jobs)
        for numbers in self.plan.rounds():
            jobs = (
                ((letter, n), nth(job, n)) for n in numbers for letter, job in self.jobs.items()
            )
            for (letter, n), record in workers.records(jobs):
                self.made[letter][n] = record
                done += 1
                if reached is not None:
                    reached(done, most)
            if self.plan.precision is not None and self._precise():
                self.stopped = "precision"
                return
        self.stopped = "replications" if self.plan.precision is None else "at most"

    def _precise(self) -> bool:
        """Whether all differences are certain enough; a metric that is 0 on the first kernel has
        no share of it, and is not asked."""
        first, *others = self.jobs
        return all(
            precise(self.difference(other, metric), self.plan.precision or 0, base.value)
            for metric in self.metrics
            if (base := self.estimate(first, metric)) is not None and base.value
            for other in others
            if self.values(other, metric)
        )

    def estimate(self, letter: str, metric: str, level: float | None = None) -> Interval | None:
        """A metric of a kernel; None if it has no value there."""
        level, quantile = level or self.plan.share, self.plan.quantile
        return estimate(metric, lambda name: self.values(letter, name), level, quantile)

    def vm_estimates(self, metric: str) -> dict[str, dict[str, Interval | None]]:
        """A metric of the VMs of each [[vm]] table, if there are several, on each kernel."""
        records = {letter: self.records(letter) for letter in self.jobs}
        every = (record for made in records.values() for record in made)
        names = {vm: None for record in every for vm in record.vms.get(metric, ())}
        return {
            vm: {
                letter: self._of_numbers(metric, [r.vms.get(metric, {}).get(vm) for r in made])
                for letter, made in records.items()
            }
            for vm in (names if len(names) > 1 else ())
        }

    def _of_numbers(self, metric: str, found: list[float | None]) -> Interval | None:
        values, plan = [value for value in found if value is not None], self.plan
        return of_numbers(metric, values, plan.share, plan.quantile) if values else None

    def difference(self, other: str, metric: str) -> Interval:
        """How much more another kernel has than the first one, from pairs."""
        first, *others = self.jobs
        risk = (1 - self.plan.share) / len(others)
        both = [self.estimate(letter, metric, 1 - risk / 2) for letter in (other, first)]
        theirs, ours = both
        if theirs and ours and "clopper-pearson" in (theirs.method, ours.method):
            return minus(theirs, ours)
        pairs = [*self.pairs(other, metric).values()]
        return of_pairs(metric, pairs, 1 - risk, self.plan.quantile)

    def pairs(self, other: str, metric: str) -> dict[int, tuple[float, float]]:
        """The values of the other kernel and of the first one, for each replication in which both
        have one."""
        both = zip(self.records(other), self.records(next(iter(self.jobs))), strict=True)
        found = {}
        for n, (theirs, ours) in enumerate(both):
            one, two = theirs.values[metric], ours.values[metric]
            if one is not None and two is not None:
                found[n] = one, two
        return found

    def hart_differences(self, other: str, metric: str) -> list[dict[str, Any]]:
        """The same for each HART that has a value in at least two replications."""
        both = list(zip(self.records(other), self.records(next(iter(self.jobs))), strict=True))
        rows = []
        for hart in range(min(len(r.harts.get(metric, ())) for pair in both for r in pair)):
            pairs = (
                (theirs.harts[metric][hart], ours.harts[metric][hart]) for theirs, ours in both
            )
            values = [one - two for one, two in pairs if one is not None and two is not None]
            if len(values) > 1:
                rows.append({"hart": hart} | shown(mean_interval(values, self.plan.share)))
        return rows


def compare(
    scenario: Source | Scenario,
    variants: Sequence[str],
    *,
    metrics: Collection[str] = (),
    fail_if: str | None = None,
    progress: Progress = SILENT,
    **how: Any,
) -> Comparison:
    """Run a scenario many times on each of some kernels, and compare their metrics.

    `variants` are named A, B, ... in their order; A is compared with each of the others.  `metrics`
    are names of `hgeisim.study.metrics.METRICS`.  `fail_if` is a condition such as
    "A.sw_file_time > 1.05 * B.sw_file_time".  `how` are the fields of `Plan`: `replications` or
    `precision`, `level`, `quantile`, `warm_up`, `executor`.  InputError names what is wrong.

    Ctrl-C ends it with the replications that all kernels have, if these are two or more.
    """
    from hgeisim.library.scenarios import loaded  # noqa: PLC0415

    name, made = loaded("compare", scenario, {})
    plan, letters = plan_of("compare", how, made), _letters(made, variants)
    rule = condition(fail_if, letters, ("compare", "fail_if")) if fail_if is not None else None
    asked = chosen("compare", metrics)
    jobs = {letter: job_of(made, variant) for letter, variant in letters.items()}
    sample, cut = Sample(jobs, plan, asked), (0, True)
    with suppress(_Enough), pool(plan.executor) as workers:
        cut = warm_up_ns(workers, plan.warm_up, [*jobs.values()], made.run.until)
        sample.jobs = {letter: replace(job, warm_up_ns=cut[0]) for letter, job in jobs.items()}
        with progress.replicating(name) as reached:
            try:
                sample.make(workers, reached)
            except KeyboardInterrupt:
                if sample.complete < 2:
                    raise
                sample.stopped = "interrupted"
                raise _Enough from None
    return Comparison(
        _document(name, made, sample, cut) | _judged(sample, rule),
        {letter: sample.records(letter) for letter in letters},
    )


class _Enough(Exception):
    """A study was stopped, and has something to say."""


def _letters(scenario: Scenario, variants: Sequence[str]) -> dict[str, str]:
    """The kernels by letter.  InputError: one does not exist, or cannot run the scenario."""
    if not 2 <= len(variants) <= VARIANTS_MAX:
        allowed = f"must be given 2 to {VARIANTS_MAX} times, once for each kernel to compare"
        raise wrong(("compare", "variant"), ", ".join(variants), allowed)
    for variant in variants:
        check_variant("compare", scenario, variant)
    return dict(zip(ascii_uppercase, variants, strict=False))


def check_variant(function: str, scenario: Scenario, variant: str) -> None:
    """Execute the files that a variant names.  InputError: it does not exist, or cannot run the
    scenario."""
    from hgeisim.drivers.boot_scenario import beyond_kernel  # noqa: PLC0415
    from hgeisim.errors import InputError  # noqa: PLC0415
    from hgeisim.kernel.variants import find_variant, variant_problem  # noqa: PLC0415
    from hgeisim.library.own_patch import execute  # noqa: PLC0415
    from hgeisim.scenario.canonical import on_variant  # noqa: PLC0415

    execute(variant)
    if problem := variant_problem(variant):
        raise wrong((function, "variant"), variant, problem)
    if problems := [*beyond_kernel(on_variant(scenario, variant), find_variant(variant))]:
        raise InputError(problems)


def shown(interval: Interval) -> dict[str, Any]:
    """An interval as part of a JSON document."""
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "method": interval.method,
        "count": interval.count,
    }


def facts_of(metric: str) -> dict[str, str]:
    """The unit, meaning and denominator of a metric, as part of a JSON document."""
    found = METRICS[metric]
    return {
        "name": metric,
        "unit": found.unit,
        "denominator": found.over,
        "meaning": found.meaning,
    }


def _document(
    name: str, scenario: Scenario, sample: Sample, cut: tuple[int, bool]
) -> dict[str, Any]:
    plan, seed = sample.plan, scenario.run.seed
    return {
        "scenario": name,
        "replay": f"hgeisim run {shlex.quote(name)}",
        "title": scenario.title,
        "variants": {letter: job.variant for letter, job in sample.jobs.items()},
        "until_ns": scenario.run.until,
        "warm_up": {"asked": plan.warm_up, "ns": cut[0], "settled": cut[1]},
        "seeds": [seed, seed + sample.complete - 1],
        "replications": sample.complete,
        "stopped": sample.stopped,
        "level": plan.level,
        "quantile": plan.quantile,
        "metrics": [_row(sample, metric) for metric in sample.metrics],
        "harts": {
            metric: {other: sample.hart_differences(other, metric) for other in [*sample.jobs][1:]}
            for metric in METRICS
            if METRICS[metric].by_hart is not None
        },
        "seeds_apart": _seeds_apart(sample, seed),
        "findings": {letter: _findings(sample, letter) for letter in sample.jobs},
    }


def _row(sample: Sample, metric: str) -> dict[str, Any]:
    first, *others = sample.jobs
    found = {letter: sample.estimate(letter, metric) for letter in sample.jobs}
    differences: dict[str, Any] = {}
    for other in others:
        if not sample.pairs(other, metric):
            continue
        interval, base = sample.difference(other, metric), found[first]
        share = interval.value / base.value if base is not None and base.value else None
        differences[other] = shown(interval) | {"of_first": share}
    return facts_of(metric) | {
        "variants": {letter: each and shown(each) for letter, each in found.items()},
        "vms": {
            vm: {letter: each and shown(each) for letter, each in estimates.items()}
            for vm, estimates in sample.vm_estimates(metric).items()
        },
        "differences": differences,
    }


def _seeds_apart(sample: Sample, seed: int) -> list[dict[str, Any]]:
    """The differences of the first metric by seed, those farthest from their mean first."""
    found: list[dict[str, Any]] = []
    for metric in sample.metrics[:1]:
        for other in [*sample.jobs][1:]:
            pairs = sample.pairs(other, metric).items()
            apart = {n: one - two for n, (one, two) in pairs}
            mean = sum(apart.values()) / len(apart) if apart else 0.0
            rows = [{"seed": seed + n, "variant": other, "value": d} for n, d in apart.items()]
            found += sorted(rows, key=lambda row: (-abs(row["value"] - mean), row["seed"]))
    return found


def _findings(sample: Sample, letter: str) -> dict[str, int]:
    """In how many replications each finding was seen."""
    counts = Counter(each for record in sample.records(letter) for each in record.findings)
    return dict(sorted(counts.items()))


def _judged(sample: Sample, rule: Condition | None) -> dict[str, Any]:
    """Whether the condition holds that fails the command."""
    if rule is None:
        return {"fail_if": None}
    values = {
        (term.variant, term.metric): sample.estimate(term.variant, term.metric)
        for term in rule.terms
        if term.metric in METRICS
    }
    return {"fail_if": {"condition": rule.text, "holds": rule.holds(values)}}
