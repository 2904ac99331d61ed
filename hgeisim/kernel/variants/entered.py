"""Which functions of a patch a kernel has entered: a patch that never ran was not tested."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any


def _front(patch: Any, base: Any) -> type:
    front = type(f"Noting{patch.__name__}", (), {})
    for name in functions_of(patch, base):
        setattr(front, name, _noting_one(front, name))
    return front


noting: Callable[[Any, Any], type] = cache(_front)
"""noting(patch, base): a class to put in front of a patch; its kernel then notes, in `entered`, the
functions of the patch that are called.  Paths have the same frames as before."""


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


def _noting_one(front: type, name: str) -> Callable[..., Any]:
    def noted(k: Any, *args: Any, **keywords: Any) -> Any:
        k.entered.add(name)
        return getattr(super(front, k), name)(*args, **keywords)

    return noted
