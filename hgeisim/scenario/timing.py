"""Times of a scenario as distributions, and the cost of each operation in simulated time.

A distribution is a table that names its kind: a law, or the quantiles of a measurement.

ALL COSTS ARE ASSUMPTIONS.  Nobody has published figures for RISC-V KVM; these are taken from the
middle of the usual ranges of server-class cores (CSR access 10..50 ns, uncontended raw spinlock
20..60 ns, IPI 1..3 us, context switch 2..5 us, VM exit and entry 1..3 us, stop_machine 0.1..5 ms).
A scenario may replace each of them in its [timing] table.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from hgeisim.scenario.table import Duration, Table, format_duration, parse_duration


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
            raise ValueError("must have a `mean` above 0ns")
        return self


class Uniform(Table):
    """Every whole number of ns from `low` to `high`, both included, equally likely."""

    distribution: Literal["uniform"] = "uniform"
    low: Duration
    high: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low > self.high:
            raise ValueError("must have a `low` that is not above its `high`")
        return self


class Empirical(Table):
    """A measured distribution: `quantiles` in ns, evenly spaced from the least to the greatest.

    Between two of them every time is equally likely, so the median of three is the middle one.
    """

    distribution: Literal["empirical"] = "empirical"
    quantiles: Annotated[tuple[Duration, ...], Field(strict=False)] = Field(
        min_length=2, description='a list of two times or more, such as ["2us", "5us", "40us"]'
    )

    @model_validator(mode="after")
    def _ordered(self) -> Empirical:
        if list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("must have `quantiles` in ascending order")
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
"""The description of a distribution in messages."""

Distribution = Annotated[Law, Field(discriminator="distribution", description=EXAMPLE)]
"""Any distribution, as the type of a field."""


def never_takes_time(given: Law) -> bool:
    """Whether a distribution is 0 ns every time."""
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
"""A distribution of the time between two events, which must not be 0 every time."""


def _constant(given: object) -> object:
    if not isinstance(given, str):
        return given
    return Constant.model_construct(value=parse_duration(given))


Cost = Annotated[Distribution, BeforeValidator(_constant)]
"""The cost of an operation: a distribution, or a plain time that means a constant."""


def _plain(law: Law) -> Any:
    return format_duration(law.value) if isinstance(law, Constant) else law.model_dump(mode="json")


Pause = Annotated[Cost, PlainSerializer(_plain)]
"""The same; a constant is written as a plain time."""
NO_PAUSE = Constant.model_construct(value=0)


def _cost(value_ns: int, meaning: str) -> Cost:
    default = Constant.model_construct(value=value_ns)
    allowed = f'a time such as "2us" or a distribution ({meaning})'
    return cast("Cost", Field(default=default, description=allowed))


class Timing(Table):
    """The [timing] table: the cost of each operation in ns, as a distribution."""

    raw_spin_lock: Cost = _cost(40, "take a free raw spinlock")
    raw_spin_unlock: Cost = _cost(30, "release a raw spinlock")
    interrupt_entry: Cost = _cost(500, "enter and leave a hardirq handler")
    ipi: Cost = _cost(2_000, "send an IPI until its handler starts")
    ipi_send: Cost = _cost(300, "send an IPI and go on")
    vsfile_sweep: Cost = _cost(1_500, "read or write all registers of a VS-file")
    wake_up: Cost = _cost(3_000, "wake a blocked vCPU")
    context_switch: Cost = _cost(2_500, "switch a HART from one task to another")
    halt_poll: Cost = _cost(5_000, "one round of polling before a vCPU sleeps")
    guest_entry: Cost = _cost(1_500, "enter and leave the guest")
    vm_teardown: Cost = _cost(20_000, "other work of destroying a vCPU")
    stop_machine: Cost = _cost(500_000, "stop all HARTs to take one down")
    cpuhp_state: Cost = _cost(200_000, "callbacks of CPU hotplug, all on one side of KVM's")


TIMING_NS = {name: field.default.value for name, field in Timing.model_fields.items()}
"""The default timing table: nanoseconds by name (assumptions, see above)."""
