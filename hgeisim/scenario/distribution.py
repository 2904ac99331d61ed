"""Distributions of times: constant, exponential and uniform, each a table with its kind named."""

from __future__ import annotations

from typing import Annotated, Literal

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


KINDS: dict[str, type[Table]] = {
    "constant": Constant,
    "exponential": Exponential,
    "uniform": Uniform,
}
"""The tables by the word in their `distribution` key."""

Distribution = Annotated[
    Constant | Exponential | Uniform,
    Field(
        discriminator="distribution",
        description='a table such as { distribution = "exponential", mean = "120us" }',
    ),
]
"""Any distribution."""


def never_takes_time(given: Constant | Exponential | Uniform) -> bool:
    """Tell whether a distribution is 0 ns every time."""
    match given:
        case Constant(value=0) | Uniform(high=0):
            return True
    return False


def _takes_time(given: Constant | Exponential | Uniform) -> Constant | Exponential | Uniform:
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
