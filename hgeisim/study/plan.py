"""How a study is made: how many replications, how certain, where they run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from typing import Any

from hgeisim.library.arguments import check_names, wrong
from hgeisim.scenario.schema import SEED_MAX, Scenario
from hgeisim.study import warm_up
from hgeisim.study.condition import check_metric

FLOOR = 10
"""Fewest replications before a stop rule is asked."""
GROWTH = 1.5
"""By how much their number grows until it is met."""
REPLICATIONS_MAX = 100_000


@dataclass(frozen=True)
class Plan:
    """`replications` of each variant or point; or as many as `precision` needs, `at_most` some.

    `precision` is half of the width of the interval of a difference, as a share of what the first
    kernel has.
    `level` is the confidence of each interval, in percent.  `quantile` (in percent) is what is
    estimated instead of the mean.  `warm_up` is "mser-5", "none" or a time such as "2ms".
    `executor` is "processes", "serial", the address of a Dask scheduler, or any executor of
    `concurrent.futures`.
    """

    replications: int = 10
    precision: float | None = None
    at_most: int = 200
    level: float = 95.0
    quantile: float | None = None
    warm_up: str = warm_up.AUTOMATIC
    executor: str | Executor = "processes"

    @property
    def share(self) -> float:
        """The confidence as a share."""
        return self.level / 100

    @property
    def most(self) -> int:
        """The most replications."""
        return self.replications if self.precision is None else self.at_most

    def rounds(self) -> Iterator[range]:
        """The replications of each round; between two rounds the stop rule is asked."""
        done, upto = 0, self.most if self.precision is None else min(FLOOR, self.at_most)
        while done < upto:
            yield range(done, upto)
            done, upto = upto, min(max(int(upto * GROWTH), upto + 1), self.most)


def plan_of(function: str, options: Mapping[str, Any], scenario: Scenario) -> Plan:
    """Keyword arguments as a plan; those that are None have their defaults.

    InputError: there is not such an argument, or its value cannot be.
    """
    check_names(function, options, [field.name for field in fields(Plan)])
    made = Plan(**{name: value for name, value in options.items() if value is not None})
    for name in ("replications", "at_most"):
        number = getattr(made, name)
        if not 2 <= number <= REPLICATIONS_MAX:
            allowed = f"must be 2..{REPLICATIONS_MAX}: one run has no interval"
            raise wrong((function, name), str(number), allowed)
    for name, low, high in (("precision", 0, 1), ("level", 50, 100), ("quantile", 0, 100)):
        number = getattr(made, name)
        if number is not None and not low < number < high:
            allowed = "must be more than 0% and less than 100%" if high == 1 else ""
            allowed = allowed or f"must be more than {low} and less than {high}, in percent"
            raise wrong((function, name), f"{number:g}", allowed)
    last = scenario.run.seed + made.most - 1
    if last > SEED_MAX:
        allowed = f"must be at most {SEED_MAX - made.most + 1}: the last seed would be {last}"
        raise wrong((function, "seed"), str(scenario.run.seed), allowed)
    warm_up.check(made.warm_up, scenario)
    return made


def chosen(function: str, metrics: Collection[str]) -> list[str]:
    """The metrics that are asked for, each once.  InputError: there is not such a metric."""
    for name in metrics:
        check_metric(name, (function, "metric"))
    return list(dict.fromkeys(metrics))
