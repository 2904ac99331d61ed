"""The requests of a function of an object: what cannot be done without the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Access:
    """A load, store or atomic operation on memory that others can see is to be made."""

    address: int
    size: int
    writes: bool = False


@dataclass(frozen=True, slots=True)
class DeviceWrite:
    """A store to a page of a device."""

    address: int
    value: int


@dataclass(frozen=True, slots=True)
class Csr:
    """A CSR instruction: `how` is "read", "write" (without reading), "swap", "set" or "clear"; the
    answer is the old value."""

    number: int
    how: str
    value: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function that is elsewhere, with what is in the argument registers; the answer is
    what it returns."""

    name: str
    arguments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ThisCpu:
    """The number of the CPU (thread_info.cpu)."""


@dataclass(frozen=True, slots=True)
class Preempt:
    """preempt_count is raised (`off`) or lowered."""

    off: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Nothing: the function is about to begin."""


@dataclass(frozen=True, slots=True)
class Done:
    """The function has returned a value; `out` is what it stored through the pointer that it was
    given for a result, if it was."""

    value: int
    out: int = 0


Request: TypeAlias = Access | DeviceWrite | Csr | Call | ThisCpu | Preempt | Start | Done
