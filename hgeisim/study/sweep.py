"""A sweep: every combination of the values of some keys, each with the same replications.

The records go to one SQLite file as they come, so a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import own_digest
from hgeisim.library.answer import Answer
from hgeisim.library.arguments import wrong
from hgeisim.library.own_patch import execute
from hgeisim.library.progress import SILENT, Progress
from hgeisim.library.scenarios import Settings, Source, load
from hgeisim.report.grid import Grid, plain
from hgeisim.runs.atomic_folder import put_file
from hgeisim.scenario.axis import Axis, parse_axis
from hgeisim.scenario.load import OVERRIDES, parse_setting
from hgeisim.study.comparison import facts_of, shown
from hgeisim.study.estimate import estimate
from hgeisim.study.metrics import MAIN
from hgeisim.study.plan import Plan, chosen, plan_of
from hgeisim.study.pool import Pool, pool
from hgeisim.study.replication import Job, code_digest, job_of, nth
from hgeisim.study.statistics import Interval
from hgeisim.study.store import FORMAT, Store, opened
from hgeisim.study.warm_up import NONE, warm_up_ns

if TYPE_CHECKING:
    from hgeisim.plot.drawing import Drawing
    from hgeisim.scenario.schema import Scenario

POINTS_MAX = 100_000
Values = tuple[Any, ...]
"""One value for each axis."""


@dataclass(frozen=True, repr=False)
class Sweep(Answer):
    """The estimates of a sweep; its replications are in the file at `path`."""

    document: dict[str, Any]
    path: Path

    def __str__(self) -> str:
        """The text of `hgeisim sweep`."""
        from hgeisim.report.sweep import parts  # noqa: PLC0415

        return plain(parts(self.document))

    def _grid(self) -> Grid:
        from hgeisim.report.sweep import table  # noqa: PLC0415

        return table(self.document)

    @property
    def _headline(self) -> str:
        facts = self.document
        axes = " x ".join(f"{axis['key']} ({len(axis['values'])})" for axis in facts["axes"])
        return f"{facts['scenario']}: {axes}, {facts['replications']} replications each"

    def plot(self, metric: str | None = None) -> Drawing:
        """Draw a metric (default: the first one): curves over one axis, or two, or a heat map."""
        from hgeisim.plot.drawing import Drawing  # noqa: PLC0415
        from hgeisim.plot.sweep import sweep_figure  # noqa: PLC0415

        names = [each["name"] for each in self.document["metrics"]]
        if metric is not None and metric not in names:
            raise wrong(("plot", "metric"), metric, f"must be one of {', '.join(names)}")
        return Drawing(sweep_figure(self.document, metric or names[0]))

    def records(self) -> Iterator[dict[str, Any]]:
        """Every replication as a plain dict, as `pandas.DataFrame` takes them."""
        with opened(self.path, {}) as store:
            first, last = self.document["seeds"]
            names = (json.dumps(each["values"]) for each in self.document["points"])
            yield from store.rows(names, range(first, last + 1))

    def write_csv(self, path: str | Path) -> None:
        """Write every replication as CSV."""
        text, writer = io.StringIO(), None
        for row in self.records():
            if writer is None:
                writer = csv.DictWriter(text, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow({key: _cell(value) for key, value in row.items()})
        put_file(Path(path), text.getvalue())

    def write_parquet(self, path: str | Path) -> None:
        """Write the same as Parquet.  InputError: polars is not installed."""
        polars = polars_or_error()
        target = io.BytesIO()
        polars.DataFrame(list(self.records()), infer_schema_length=None).write_parquet(target)
        put_file(Path(path), target.getvalue())


def polars_or_error() -> Any:
    """The library that writes Parquet.  InputError: it is not installed."""
    try:
        import polars as pl  # noqa: PLC0415 - an extra
    except ImportError:
        allowed = "needs polars, which is not installed"
        raise wrong(("sweep", "parquet"), "", allowed, "pip install 'hgeisim[parquet]'") from None
    return pl


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str) or value is None else json.dumps(value)


@dataclass(frozen=True)
class Study:
    """The plan of a sweep: a scenario with settings, along some axes, by a plan."""

    source: Source
    settings: dict[str, Any]
    overrides: dict[str, Any]
    axes: tuple[Axis, ...]
    plan: Plan

    def points(self) -> Iterator[Values]:
        """Every combination of values, the last axis fastest."""
        yield from product(*(axis.values for axis in self.axes))

    def name(self, values: Values) -> str:
        """The name of a point in the file."""
        keys = (axis.key for axis in self.axes)
        return json.dumps(dict(zip(keys, values, strict=True)))

    @property
    def size(self) -> int:
        """The number of points."""
        return prod(len(axis.values) for axis in self.axes)

    def scenario(self, values: Values) -> Scenario:
        """The scenario at a point.  InputError: it is not a scenario there."""
        own = dict(zip((axis.key for axis in self.axes), values, strict=True))
        try:
            if "kernel.variant" in own:
                execute(str(own["kernel.variant"]))
            return load(self.source, set={**self.settings, **own}, **self.overrides)
        except InputError as error:
            raise InputError(_as_axis(each, own) for each in error.problems) from None

    def seeds(self, first: Scenario) -> range:
        """The seeds of each point; `first` is the scenario at any of them."""
        return range(first.run.seed, first.run.seed + self.plan.replications)

    def jobs(
        self, store: Store, workers: Pool, seeds: range
    ) -> Iterator[tuple[tuple[str, int, int], Job]]:
        """The jobs that the file lacks, each with its point, seed and warm-up."""
        for values in self.points():
            name = self.name(values)
            missing = missing_seeds(store, name, seeds)
            if not missing:
                continue
            made = self.scenario(values)
            cut_ns = store.warm_up_ns(name)
            if cut_ns is None:
                pilots = [job_of(made)]
                cut_ns, _ = warm_up_ns(workers, self.plan.warm_up, pilots, made.run.until)
            job = job_of(made, warm_up_ns=cut_ns)
            for seed in missing:
                yield (name, seed, cut_ns), nth(job, seed - made.run.seed)


def missing_seeds(store: Store, name: str, seeds: range) -> list[int]:
    """The seeds of a point that the file lacks."""
    there = store.seeds(name)
    return [seed for seed in seeds if seed not in there]


def _as_axis(problem: Problem, own: dict[str, Any]) -> Problem:
    """A problem of a key that is an axis as one of `-x`."""
    key = problem.where.removeprefix("set ").removeprefix("-s ")
    of_axis = any(key == axis or key.startswith((f"{axis}.", f"{axis}[")) for axis in own)
    return replace(problem, where=f"x {key}") if of_axis else problem


def sweep(
    scenario: Source,
    axes: Sequence[str] | dict[str, Sequence[Any]],
    path: str | Path,
    *,
    metrics: Collection[str] = (),
    progress: Progress = SILENT,
    **how: Any,
) -> Sweep:
    """Run a scenario at every combination of some values, and keep each run in a file.

    `axes` are texts as `-x` takes them, or values by key.  `how` are the fields of `Plan`, and
    `set`, `variant`, `preemption`, `until` and `seed` as `load` has them.  A file at `path` that
    belongs to the same sweep is gone on with, whatever ended the one before.
    """
    overrides: dict[str, Any] = {key: how.pop(key) for key in OVERRIDES if key in how}
    study = Study(scenario, settings_by_key(how.pop("set", ())), overrides, _axes(axes), Plan())
    _check_axes(study)
    first = study.scenario(next(study.points()))
    plan = plan_of("sweep", {"warm_up": NONE, **how}, first)
    if plan.precision is not None:
        raise wrong(("sweep", "precision"), f"{plan.precision:g}", "is for compare and capacity")
    study, asked = replace(study, plan=plan), chosen("sweep", metrics)
    with opened(Path(path), _about(study)) as store:
        _make_missing(study, store, study.seeds(first), progress)
        return Sweep(_document(study, store, first, asked), Path(path))


def settings_by_key(settings: Settings) -> dict[str, Any]:
    """Settings as `load` takes them, the texts among them read."""
    if isinstance(settings, Mapping):
        return dict(settings)
    read = map(parse_setting, settings)
    return {each.option.removeprefix("-s "): each.value for each in read}


def _check_axes(study: Study) -> None:
    """Refuse, by InputError, an axis that something else decides."""
    keys = [axis.key for axis in study.axes]
    for name, path in OVERRIDES.items():
        key, value = ".".join(path), study.overrides.get(name)
        if value is not None and key in keys:
            raise wrong(("sweep", name), str(value), f"does not go with -x {key}")


def _axes(axes: Sequence[str] | dict[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """The axes.  InputError: there is none, a key stands twice, or is the seed."""
    if isinstance(axes, dict):
        found = tuple(Axis(key, tuple(values)) for key, values in axes.items())
    else:
        found = tuple(map(parse_axis, axes))
    keys = [axis.key for axis in found]
    place = ("sweep", "x")
    if not found:
        raise wrong(place, "", "must be given at least once: -x KEY=VALUES")
    for axis in found:
        if not axis.values:
            raise wrong(place, axis.key, "must have at least one value")
        if axis.key == "run.seed":
            raise wrong(place, axis.key, "is what replications differ in", "use --replications")
        if keys.count(axis.key) > 1:
            raise wrong(place, axis.key, "must be given once")
    if (number := prod(len(axis.values) for axis in found)) > POINTS_MAX:
        raise wrong(place, f"{number} points", f"must be at most {POINTS_MAX} together")
    return found


def _about(study: Study) -> dict[str, str]:
    """The facts that distinguish the file of one sweep from that of another."""
    base = load(study.source, set=study.settings, **study.overrides)
    axes = {axis.key: axis for axis in study.axes}
    variants = axes["kernel.variant"].values if "kernel.variant" in axes else ()
    patches = [own_digest(each) for each in (base.kernel.variant, *map(str, variants))]
    return {
        "format": FORMAT,
        "scenario": base.file,
        "digest": base.digest,
        "axes": ", ".join(axes),
        "warm-up": study.plan.warm_up,
        "patches": " ".join(filter(None, patches)),
        "code": code_digest(),
    }


def _make_missing(study: Study, store: Store, seeds: range, progress: Progress) -> None:
    """Make the replications that are missing, and keep each as it comes.

    InputError: a point that lacks some is not a scenario; then none is made.
    """
    missing = 0
    for values in study.points():
        if lacks := len(missing_seeds(store, study.name(values), seeds)):
            study.scenario(values)
            missing += lacks
    if not missing:
        return
    total = study.size * len(seeds)
    with pool(study.plan.executor) as workers, progress.replicating("sweep") as reached:
        for key, record in workers.records(study.jobs(store, workers, seeds)):
            store.add([(key, record)])
            if reached is not None:
                reached(total - missing + store.made, total)


def _document(study: Study, store: Store, scenario: Scenario, asked: list[str]) -> dict[str, Any]:
    plan, seeds = study.plan, study.seeds(scenario)
    names = [study.name(values) for values in study.points()]

    def at(name: str, metric: str) -> Interval | None:
        """A metric at a point."""
        values = partial(store.values, name, seeds=seeds)
        return estimate(metric, values, plan.share, plan.quantile)

    metrics = asked or [
        metric for metric in MAIN if any(store.values(name, metric, seeds) for name in names)
    ]
    return {
        "scenario": scenario.file.removesuffix(".toml"),
        "title": scenario.title,
        "file": str(store.path),
        "axes": [{"key": axis.key, "values": list(axis.values)} for axis in study.axes],
        "seeds": [seeds[0], seeds[-1]],
        "replications": plan.replications,
        "made": store.made,
        "level": plan.level,
        "quantile": plan.quantile,
        "warm_up": plan.warm_up,
        "metrics": [facts_of(metric) for metric in metrics],
        "points": [
            {
                "values": json.loads(name),
                "warm_up_ns": store.warm_up_ns(name),
                "metrics": {
                    metric: found and shown(found)
                    for metric in metrics
                    for found in [at(name, metric)]
                },
            }
            for name in names
        ],
        "findings": store.findings(names, seeds),
    }
