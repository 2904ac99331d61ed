"""Atomic operations on declared fields, and per-CPU state, as functions that are called as in C.

Each is one access, so put a `yield STEP` before it, as before any other access to shared state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE
from hgeisim.machine.shared import Shared
from hgeisim.machine.task import Runner

T = TypeVar("T")
get_cpu, put_cpu = PREEMPT_DISABLE, PREEMPT_ENABLE
"""`yield get_cpu` and `yield put_cpu`."""


def READ_ONCE(value: T) -> T:
    """The value that was read: every read of a field is one access."""
    return value


def WRITE_ONCE(shared: Shared, field: str, value: int) -> None:
    """`WRITE_ONCE(vcpu, "cpu", -1)`: every write of a field is one."""
    setattr(shared, field, value)


def cmpxchg(shared: Shared, field: str, old: int, new: int) -> int:
    """Write `new` where `old` is found; returns what was found."""
    found = int(getattr(shared, field))
    if found == old:
        setattr(shared, field, new)
    return found


def try_cmpxchg(shared: Shared, field: str, old: int, new: int) -> bool:
    """Write `new` where `old` is found, and return whether it was."""
    return cmpxchg(shared, field, old, new) == old


def xchg(shared: Shared, field: str, new: int) -> int:
    """Write a value; returns the one that was there."""
    found = int(getattr(shared, field))
    setattr(shared, field, new)
    return found


def atomic_add_return(shared: Shared, field: str, by: int) -> int:
    """Add; returns the sum."""
    total = int(getattr(shared, field)) + by
    setattr(shared, field, total)
    return total


def atomic_inc(shared: Shared, field: str) -> None:
    """Add 1."""
    atomic_add_return(shared, field, 1)


def atomic_dec(shared: Shared, field: str) -> None:
    """Take 1 away."""
    atomic_add_return(shared, field, -1)


def atomic_dec_and_test(shared: Shared, field: str) -> bool:
    """Take 1 away; returns whether nothing is left."""
    return atomic_add_return(shared, field, -1) == 0


def test_bit(nr: int, word: int) -> bool:
    """Whether a bit of a word is set: `test_bit(hgei, hgctrl.free_bitmap)`."""
    return bool(word >> nr & 1)


def set_bit(nr: int, shared: Shared, field: str) -> None:
    """Set a bit."""
    setattr(shared, field, getattr(shared, field) | 1 << nr)


def clear_bit(nr: int, shared: Shared, field: str) -> None:
    """Clear a bit."""
    setattr(shared, field, getattr(shared, field) & ~(1 << nr))


def test_and_set_bit(nr: int, shared: Shared, field: str) -> bool:
    """Set a bit; returns whether it was set before."""
    was = test_bit(nr, getattr(shared, field))
    set_bit(nr, shared, field)
    return was


def test_and_clear_bit(nr: int, shared: Shared, field: str) -> bool:
    """Clear a bit; returns whether it was set before."""
    was = test_bit(nr, getattr(shared, field))
    clear_bit(nr, shared, field)
    return was


def smp_processor_id(current: Runner) -> int:
    """The CPU that this context is on; it stays there while preemption is off."""
    return current.cpu


raw_smp_processor_id = smp_processor_id


def per_cpu_ptr(variable: Sequence[T], cpu: int) -> T:
    """A per-CPU variable of a CPU: `per_cpu_ptr(k.hgei, cpu)`."""
    return variable[cpu]


def this_cpu_ptr(variable: Sequence[T], current: Runner) -> T:
    """A per-CPU variable of this CPU: `this_cpu_ptr(k.hgei, current)`."""
    return variable[current.cpu]
