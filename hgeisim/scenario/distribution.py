"""Distributions of times, each a table with its kind named: a law, or what was measured."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hgeisim.scenario.duration import parse_duration
from hgeisim.scenario.table import Duration, Table


class Constant(Table):
    """Always `value` ns."""

    distribution: Literal["constant"] = "constant"
    value: Duration


class Exponential(Table):
    """Exponential with the given mean in ns; rounded to whole ns, never less than 1."""

    distribution: Literal["exponential"] = "exponential"
    mean: Duration

    @model_validator(mode="after")
    def _positive(self) -> Exponential:
        if self.mean == 0:
            raise ValueError("must have a mean above 0ns")
        return self


class Uniform(Table):
    """Every whole number of ns from `low` to `high`, both included, equally likely."""

    distribution: Literal["uniform"] = "uniform"
    low: Duration
    high: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low > self.high:
            raise ValueError("must have a low that is not above its high")
        return self


class Empirical(Table):
    """What was measured: `quantiles`, evenly spaced from the least to the most, in ns.

    Between two of them every time is equally likely, so the median of three is the middle one.
    """

    distribution: Literal["empirical"] = "empirical"
    quantiles: Annotated[tuple[Duration, ...], Field(strict=False)] = Field(
        min_length=2, description='a list of two times or more, such as ["2us", "5us", "40us"]'
    )

    @model_validator(mode="after")
    def _ordered(self) -> Empirical:
        if list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("must have quantiles from the least to the most")
        return self


KINDS: dict[str, type[Table]] = {
    "constant": Constant,
    "exponential": Exponential,
    "uniform": Uniform,
    "empirical": Empirical,
}
"""The tables by the word in their `distribution` key."""

Law: TypeAlias = Constant | Exponential | Uniform | Empirical
"""Any distribution, as a type."""

EXAMPLE = 'a table such as { distribution = "exponential", mean = "120us" }'
"""What a distribution must be, in a message."""

Distribution = Annotated[
    Law,
    Field(
        discriminator="distribution",
        description=EXAMPLE,
    ),
]
"""Any distribution."""


def never_takes_time(given: Law) -> bool:
    """Tell whether a distribution is 0 ns every time."""
    match given:
        case Constant(value=0) | Uniform(high=0):
            return True
        case Empirical():
            return not given.quantiles[-1]
    return False


def _takes_time(given: Law) -> Law:
    if never_takes_time(given):
        raise ValueError("must not be 0ns every time, or simulated time would stand still")
    return given


Interval = Annotated[Distribution, AfterValidator(_takes_time)]
"""A distribution of the time between two events, which must make time go by."""


def _constant(given: object) -> object:
    if not isinstance(given, str):
        return given
    return Constant.model_construct(value=parse_duration(given))


Cost = Annotated[Distribution, BeforeValidator(_constant)]
"""What an operation costs: a distribution, or a plain time that means a constant."""
