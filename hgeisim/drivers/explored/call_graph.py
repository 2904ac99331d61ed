"""Which functions of a kernel paths may enter, by the names that their code mentions.

That is more than any schedule enters: it does not know what a condition says.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from functools import cache
from inspect import isgeneratorfunction, unwrap
from itertools import pairwise
from types import CodeType, FunctionType
from typing import Any, TypeAlias

from hgeisim.machine.ipi import Ipi

ONLY_IN_TIME = frozenset(
    ("halt_poll", "kvm_riscv_vcpu_mmio_store", "kvm_riscv_vcpu_timer_next_event")
)
"""What polls by the clock, and what guests do at random times only: never in a search."""
PLAIN_YIELD = 1
"""What RESUME says after a yield that is none of `yield from`."""


Code: TypeAlias = tuple[CodeType, ...]
"""The code of a function's definitions: that of a patch, and what this overrides and calls."""


def may_enter(k: Any, kernel: type, roots: Iterable[CodeType]) -> dict[str, Code]:
    """The paths of a `kernel` that what is called in `roots` may enter.

    `k` is a kernel of this class that has booted; its IPIs call their handlers.
    """
    found: dict[str, Code] = {}
    left = [name for root in roots for name in called(k, root)]
    while left:
        name = left.pop()
        if name not in found and name not in ONLY_IN_TIME:
            found[name] = tuple(_definitions(kernel, name))
            left += [each for code in found[name] for each in called(k, code)]
    return {name: found[name] for name in sorted(found) if _is_path(k, kernel, name, found[name])}


def paths_of(kernel: type) -> list[str]:
    """All functions of a kernel that are paths."""
    functions = {name: unwrap(getattr(kernel, name)) for name in dir(kernel)}
    return [name for name, function in functions.items() if isgeneratorfunction(function)]


def steps(code: CodeType) -> list[int]:
    """The lines of a function at which it yields an operation."""
    return sorted(set(_steps(code).values()))


def line_of(code: CodeType, offset: int) -> int | None:
    """The line of the step at which a path of this function stands; None before its first."""
    return _steps(code).get(offset)


@cache
def _steps(code: CodeType) -> dict[int, int]:
    """Each instruction at which a suspended path may stand that yields an operation; some versions
    of Python call it the yield, others what follows it."""
    found: dict[int, int] = {}
    program = list(dis.get_instructions(code))
    for each, following in pairwise(program):
        plain = following.opname == "RESUME" and (following.arg or 0) & 3 == PLAIN_YIELD
        if each.opname == "YIELD_VALUE" and plain and each.positions and each.positions.lineno:
            found |= dict.fromkeys((each.offset, following.offset), each.positions.lineno)
    return found


def _is_path(k: Any, kernel: type, name: str, codes: Code) -> bool:
    """Whether a function is a path on which there is something to do."""
    path = isgeneratorfunction(unwrap(getattr(kernel, name)))
    return path and any(steps(code) or list(called(k, code)) for code in codes)


def _definitions(kernel: type, name: str) -> Iterator[CodeType]:
    for cls in kernel.__mro__:
        function = vars(cls).get(name)
        if isinstance(function, FunctionType):
            code = unwrap(function).__code__
            yield code
            if "super" not in code.co_names:
                return


def called(k: Any, code: CodeType) -> Iterator[str]:
    """The functions of a kernel that some code mentions, or the handlers of IPIs."""
    for name in code.co_names:
        value = vars(k).get(name)
        if isinstance(value, Ipi):
            yield value.handler.__name__
        elif isinstance(getattr(type(k), name, None), FunctionType):
            yield name
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from called(k, inner)
