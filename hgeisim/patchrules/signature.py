"""The parameters of what a class holds, as a call `k.f(...)` sees them: with `k` in front."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

UNBOUND = inspect.Parameter("_", inspect.Parameter.POSITIONAL_ONLY)
"""Stands for `k` where Python does not pass it."""


def signature(value: Any) -> inspect.Signature:
    """The parameters of a function, or of whatever a class holds in place of one.

    Raises `ValueError` or `TypeError` when Python does not know them.
    """
    passed = isinstance(value, FunctionType | classmethod)
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    own = inspect.signature(function)
    return own if passed else own.replace(parameters=[UNBOUND, *own.parameters.values()])


def shown(own: inspect.Signature) -> str:
    """The parameters without their annotations."""
    each = (p.replace(annotation=p.empty) for p in own.parameters.values())
    return str(inspect.Signature(list(each))).replace("_, /", "").replace("(, ", "(")


def takes_all(own: inspect.Signature, theirs: inspect.Signature) -> bool:
    """Whether a function takes whatever another one must get, and all that it may get."""
    positional = [p for p in theirs.parameters.values() if p.kind in (0, 1)]
    required = [p for p in positional if p.default is p.empty]
    return all(binds(own, len(some), ()) for some in (required, positional))


def binds(own: inspect.Signature, count: int, keywords: tuple[str, ...]) -> bool:
    """Whether a function can be called with so many arguments, and these keywords."""
    try:
        own.bind(*[None] * count, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True
