"""What all tables of a scenario file have in common, and the kinds of values in them.

The `description` of a field completes the sentence "must be ..." in messages to the user.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from hgeisim.scenario.duration import EXAMPLES, format_duration, parse_duration


class Table(BaseModel):
    """A table of a scenario file: exact types, no unknown keys, never changed after loading."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    Field(description=f"a time with a unit, such as {EXAMPLES}"),
]
"""A time: text with a unit in the file, integer nanoseconds in the program."""

Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=40,
        description='a name of at most 40 letters, digits, ".", "_" and "-"',
    ),
]
"""Name of a VM or of a vCPU."""

TaskName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$",
        max_length=40,
        description='a name of at most 40 letters, digits, ".", "_", "-" and "/"',
    ),
]
"""Name of a task; kernel threads are called like `cpuhp/0`."""

HartNumber = Annotated[int, Field(ge=0, description="the number of a HART, counted from 0")]
"""Number of a HART, which is also its CPU number."""
