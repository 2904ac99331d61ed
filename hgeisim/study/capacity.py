"""Capacity: the smallest or the largest value of a key that keeps a target.

The search takes the target to be monotone in the value, and halves the values that are left.  Each
value gets replications until its interval lies on one side of the target, or until they are used
up: then it is undecided, and counts as not kept, so the answer is on the safe side.  A value whose
replications are all alike, such as 0 in each, gets all of them.  The confidence is that of the
whole search: it is shared out among the values that a search may visit, and among the looks at each
of them (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil, log2
from typing import TYPE_CHECKING, Any

from hgeisim.errors import InputError
from hgeisim.library.answer import Answer
from hgeisim.library.arguments import wrong
from hgeisim.library.progress import SILENT, Progress
from hgeisim.library.scenarios import Source, load
from hgeisim.report.grid import Grid, plain
from hgeisim.scenario.axis import Axis, parse_axis
from hgeisim.scenario.load import OVERRIDES
from hgeisim.study.comparison import facts_of, shown
from hgeisim.study.condition import Target
from hgeisim.study.condition import target as target_of
from hgeisim.study.estimate import estimate
from hgeisim.study.metrics import METRICS
from hgeisim.study.plan import Plan, plan_of
from hgeisim.study.pool import Pool, pool
from hgeisim.study.replication import Record, job_of, nth
from hgeisim.study.statistics import Interval
from hgeisim.study.sweep import settings_by_key
from hgeisim.study.warm_up import warm_up_ns

if TYPE_CHECKING:
    from hgeisim.plot.drawing import Drawing
    from hgeisim.scenario.schema import Scenario

KEPT, BROKEN, UNDECIDED = "kept", "broken", "undecided"
FIRST = 5
"""Replications before the first look at a value; each further look is at twice as many."""
SMALLEST, LARGEST = "smallest", "largest"
SHORT = {
    "lines": "guest files of every HART, which are its HGEI lines",
    "vcpus": "vCPUs of the one [[vm]]",
    "oversubscription": "vCPUs of the one [[vm]] for each HART",
}
"""Names for keys that are asked for often."""


@dataclass(frozen=True, repr=False)
class Capacity(Answer):
    """The answer of a search, with the values that it visited."""

    document: dict[str, Any]

    def __str__(self) -> str:
        """The text of `hgeisim capacity`."""
        from hgeisim.report.capacity import parts  # noqa: PLC0415

        return plain(parts(self.document))

    def _grid(self) -> Grid:
        from hgeisim.report.capacity import curve  # noqa: PLC0415

        return curve(self.document)

    @property
    def _headline(self) -> str:
        from hgeisim.report.capacity import answer  # noqa: PLC0415

        return f"{self.document['scenario']}: {answer(self.document)}"

    @property
    def value(self) -> int | None:
        """The value that was looked for; None if no value keeps the target."""
        found: int | None = self.document["answer"]
        return found

    def plot(self) -> Drawing:
        """Draw the values that were visited, with their intervals and the target."""
        from hgeisim.plot.capacity import capacity_figure  # noqa: PLC0415
        from hgeisim.plot.drawing import Drawing  # noqa: PLC0415

        return Drawing(capacity_figure(self.document))


@dataclass
class Place:
    """A value that was visited: what its replications say about the target."""

    value: int
    estimate: Interval | None = None
    verdict: str = UNDECIDED
    records: list[Record] = field(default_factory=list)
    cut: tuple[int, bool] = (0, True)

    def values(self, metric: str) -> list[float]:
        """A metric of each replication that has a value."""
        found = (record.values[metric] for record in self.records)
        return [value for value in found if value is not None]


@dataclass
class Search:
    """A search for the smallest or largest value; `places` are those visited, in their order."""

    source: Source
    overrides: dict[str, Any]
    axis: Axis
    which: str
    target: Target
    plan: Plan
    places: list[Place] = field(default_factory=list)

    def scenario(self, value: int) -> Scenario:
        """The scenario at a value.  InputError: it is not a scenario there."""
        made = load(self.source, **self.overrides)
        settings = settings_by_key(self.overrides.get("set", ()))
        settings |= _settings(self.axis.key, made, value)
        try:
            return load(self.source, **{**self.overrides, "set": settings})
        except InputError as error:
            where = f"{self.which} {self.axis.key}"
            raise InputError(replace(each, where=where) for each in error.problems) from None

    @property
    def looks(self) -> list[int]:
        """How many replications a value has at each look."""
        numbers = [min(FIRST, self.plan.at_most)]
        while numbers[-1] < self.plan.at_most:
            numbers.append(min(2 * numbers[-1], self.plan.at_most))
        return numbers

    @property
    def level(self) -> float:
        """The confidence of a single interval, so that all hold together with that of the plan."""
        visits = ceil(log2(len(self.axis.values) + 1)) + 1
        return 1 - (1 - self.plan.share) / (visits * len(self.looks))

    def run(self, workers: Pool, progress: Progress) -> int | None:
        """Search; returns the value, or None."""
        values = sorted(self.axis.values, reverse=self.which == LARGEST)
        low, high = -1, len(values)  # values[:low + 1] break the target, values[high:] keep it
        while high - low > 1:
            middle = (low + high) // 2
            if self._visit(values[middle], workers, progress) == KEPT:
                high = middle
            else:
                low = middle
        if high < len(values):
            return int(values[high])
        if self.places[0].value != values[0]:
            # Nothing but the assumption speaks against the worst value, so that is looked at, too.
            self._visit(values[0], workers, progress)
        return None

    def _visit(self, value: int, workers: Pool, progress: Progress) -> str:
        """Make replications at a value until they decide; returns the verdict."""
        place = Place(value)
        self.places.append(place)
        made = self.scenario(value)
        place.cut = warm_up_ns(workers, self.plan.warm_up, [job_of(made)], made.run.until)
        job = job_of(made, warm_up_ns=place.cut[0])
        with progress.replicating(f"{self.axis.key} = {value}") as reached:
            for number in self.looks:
                new = range(len(place.records), number)
                found: dict[int, Record] = {}
                for n, record in workers.records((n, nth(job, n)) for n in new):
                    found[n] = record
                    if reached is not None:
                        reached(len(place.records) + len(found), self.plan.at_most)
                place.records += [found[n] for n in new]
                self._judge(place)
                if place.verdict != UNDECIDED:
                    break
        return place.verdict

    def _judge(self, place: Place) -> None:
        place.estimate = estimate(self.target.metric, place.values, self.level)
        if place.estimate is None:
            allowed = f"has no value at {self.axis.key} = {place.value}"
            remedy = f"its denominator, {METRICS[self.target.metric].over}, is zero there"
            raise wrong(("capacity", "target"), self.target.text, allowed, remedy)
        alike = place.estimate.low == place.estimate.high
        if alike and len(place.records) < self.plan.at_most:
            return  # too few to say that they are always alike
        if self.target.kept(place.estimate):
            place.verdict = KEPT
        elif self.target.broken(place.estimate):
            place.verdict = BROKEN


def _settings(key: str, scenario: Scenario, value: int) -> dict[str, int]:
    """The settings of a scenario for a key, or for a name of SHORT.

    InputError: the scenario has not exactly one [[vm]], whose vCPUs are meant.
    """
    if key == "lines":
        narrow = any(hart.geilen is not None for hart in scenario.topology.harts)
        both = ("guest_files", "geilen")[: 1 + narrow]
        return {f"machine.harts.all.{name}": value for name in both}
    if key not in SHORT:
        return {key: value}
    if len(scenario.vm) != 1:
        names = ", ".join(f"vm.{vm.name}.vcpus" for vm in scenario.vm) or "none"
        allowed = f"is for a scenario with one [[vm]]; here are {names}"
        raise wrong(("capacity", "key"), key, allowed, "name the one that is meant")
    harts, vms = len(scenario.topology.harts), scenario.vm[0].count or 1
    if key == "vcpus":
        return {"vm.0.vcpus": value}
    if value * harts % vms:
        allowed = f"does not give {vms} VMs on {harts} HARTs whole vCPUs at {value}:1"
        raise wrong(("capacity", "key"), key, allowed)
    return {"vm.0.vcpus": value * harts // vms}


def capacity(
    scenario: Source,
    target: str,
    *,
    smallest: str | None = None,
    largest: str | None = None,
    progress: Progress = SILENT,
    **how: Any,
) -> Capacity:
    """Search for the smallest or the largest value that keeps a target.

    `target` is "sw_file_time < 1%", "fail_entry < 1e-3" or the like.  One of `smallest` and
    `largest` is a key with values, "lines=1..15", "vm.web.vcpus=8..128..8"; `SHORT` has names for
    some keys.  `how` are the fields of `Plan` (`at_most` replications at each value, default 40),
    and `set`, `variant`, `preemption`, `until` and `seed` as `load` has them.  Ctrl-C ends it with
    the values that were visited.
    """
    names = ("set", *OVERRIDES)
    overrides = {key: how.pop(key) for key in names if how.get(key) is not None}
    how = {key: value for key, value in how.items() if value is not None and key not in names}
    if (smallest is None) == (largest is None):
        allowed = "must be given, or --largest, and not both"
        raise wrong(("capacity", SMALLEST), smallest or "", allowed, "such as lines=1..15")
    which = SMALLEST if largest is None else LARGEST
    axis = _axis(smallest or largest or "", which)
    goal = target_of(target, ("capacity", "target"))
    search = Search(scenario, overrides, axis, which, goal, Plan())
    ends = [search.scenario(value) for value in (min(axis.values), max(axis.values))]
    search.plan = plan_of("capacity", {"at_most": 40, "warm_up": "mser-5", **how}, ends[0])
    found, stopped = None, True
    with suppress(KeyboardInterrupt):
        with pool(search.plan.executor) as workers:
            found = search.run(workers, progress)
        stopped = False
    search.places = [place for place in search.places if place.estimate is not None]
    if stopped and not search.places:
        raise KeyboardInterrupt
    return Capacity(_document(search, ends[0], found) | {"interrupted": stopped})


def _axis(text: str, which: str) -> Axis:
    axis = parse_axis(text, f"--{which}")
    if not all(isinstance(value, int) for value in axis.values):
        raise wrong(("capacity", which), text, "must have whole numbers, such as lines=1..15")
    return axis


def _document(search: Search, scenario: Scenario, found: int | None) -> dict[str, Any]:
    plan, target = search.plan, search.target
    places = sorted(search.places, key=lambda place: place.value)
    monotone = _monotone(search, places)
    return {
        "scenario": scenario.file.removesuffix(".toml"),
        "title": scenario.title,
        "variant": scenario.kernel.variant,
        "harts": len(scenario.topology.harts),
        "key": search.axis.key,
        "values": list(search.axis.values),
        "which": search.which,
        "target": {"text": target.text, "metric": target.metric, "limit": target.limit},
        "metric": facts_of(target.metric),
        "answer": found if monotone else None,
        "level": plan.level,
        "single_level": 100 * search.level,
        "at_most": plan.at_most,
        "warm_up": plan.warm_up,
        "until_ns": scenario.run.until,
        "seed": scenario.run.seed,
        "places": [
            {
                "value": place.value,
                "verdict": place.verdict,
                "replications": len(place.records),
                "warm_up_ns": place.cut[0],
                "settled": place.cut[1],
                "estimate": place.estimate and shown(place.estimate),
                "findings": sorted({each for r in place.records for each in r.findings}),
            }
            for place in places
        ],
        "monotone": monotone,
    }


def _monotone(search: Search, places: Sequence[Place]) -> bool:
    """Whether no two intervals contradict the assumption of the search."""
    order = places if search.which == SMALLEST else places[::-1]
    return all(not _contradicts(one, other) for one, other in _pairs(order))


def _pairs(places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    for at, one in enumerate(places):
        yield from ((one, other) for other in places[at + 1 :])


def _contradicts(one: Place, other: Place) -> bool:
    """Whether the place that should be better is worse, beyond doubt."""
    high = one.estimate.high if one.estimate else None
    low = other.estimate.low if other.estimate else None
    return high is not None and low is not None and low > high
