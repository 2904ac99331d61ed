"""A function of an object as a kernel path: what it asks for, the kernel serves."""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

from hgeisim.machine.ops import Path


def object_function(k: Any, current: Any, at: int) -> Path[Any]:
    """Run a suspended function of an object to its end; returns what C returns, and its `out`.

    Each of its requests is served by `k.serve`, a path or an operation.
    """
    code = k.object
    while True:
        at = code.go_on(at)
        done = code.result(at)
        if done is not None:
            break
        if code.shows_its_stack(at):
            code.publish(at)
            answer = yield from k.serve(current, at)
            at = code.take_back(at, answer)
        else:
            answer = yield from k.serve(current, at)
            at = code.answered(at, answer)
    return done


@cache
def named(name: str) -> FunctionType:
    """The same generator under the name of a function of C, as call chains show it."""
    code = object_function.__code__.replace(co_name=name, co_qualname=name)
    return FunctionType(code, object_function.__globals__, name)
