"""Which functions a kernel has entered: what never ran was not tested."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any


def _front(kernel: Any, functions: tuple[str, ...]) -> Any:
    front = type(kernel)(kernel.__name__, (kernel,), {"__doc__": kernel.__doc__})
    for name in functions:
        setattr(front, name, _noting_one(kernel, name))
    return front


noting: Callable[[Any, tuple[str, ...]], Any] = cache(_front)
"""noting(kernel, functions): the same kernel, which notes in `entered` which of these are called.

Paths have the same frames as before.  It stands in front of all else, since what it puts there only
makes a path, and is not one."""


def functions_of(patch: type, base: type) -> list[str]:
    """The functions that a patch defines, itself or by a class that its base lacks."""
    classes = (cls for cls in patch.__mro__ if cls not in base.__mro__)
    return list(dict.fromkeys(name for cls in classes for name in _functions(cls)))


def _functions(cls: type) -> list[str]:
    return [
        name
        for name, value in vars(cls).items()
        if isinstance(value, FunctionType) and not name.startswith("__")
    ]


def _noting_one(kernel: type, name: str) -> Callable[..., Any]:
    function = getattr(kernel, name)

    def noted(k: Any, *args: Any, **keywords: Any) -> Any:
        k.entered.add(name)
        return function(k, *args, **keywords)

    noted.__name__ = noted.__qualname__ = name
    return noted
