"""A function of an object as a kernel path: what it asks for, the kernel serves.

Each function of C that a context is in is a generator of its own, inlined ones too, so that call
chains, checks and reports see them as they see those of the model.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

from hgeisim.kernel.object.serving import AT_ONCE, operation, served
from hgeisim.machine.balance import INLINED
from hgeisim.machine.ops import Path


def object_function(k: Any, current: Any, at: int, chain: tuple[str, ...]) -> Path[int]:
    """Run a suspended function for as long as `chain` begins its call chain; returns its number
    then.  Each of its requests is served by an operation, or by a path, `served`."""
    code = k.object
    while code.functions(at)[: len(chain)] == chain:
        if len(code.functions(at)) > len(chain):
            inner = code.functions(at)[: len(chain) + 1]
            made = named(inner[-1], code.is_inlined(at, len(chain)))
            at = yield from made(k, current, at, inner)
        elif isinstance(code.request(at), AT_ONCE):
            yield operation(code.request(at))
            at = code.go_on(code.answered(at, 0))
        elif code.shows_its_stack(at):
            code.publish(at)
            answer = yield from served(k, current, at)
            at = code.go_on(code.take_back(at, answer))
        else:
            answer = yield from served(k, current, at)
            at = code.go_on(code.answered(at, answer))
    return at


def outermost(k: Any, current: Any, at: int) -> Path[Any]:
    """Run a function of an object, from its number before it begins to its end; returns `Done`."""
    code = k.object
    at = code.go_on(at)
    while code.result(at) is None:
        inner = code.functions(at)[:1]
        at = yield from named(inner[0])(k, current, at, inner)
    return code.leave(at)


@cache
def named(name: str, inlined: bool = False) -> FunctionType:
    """`object_function` under the name of a function of C, as call chains show it."""
    qualname = name + INLINED * inlined
    code = object_function.__code__.replace(co_name=name, co_qualname=qualname)
    return FunctionType(code, object_function.__globals__, name)


@cache
def entered(name: str) -> FunctionType:
    """`outermost` under the name of a function of C."""
    code = outermost.__code__.replace(co_name=name, co_qualname=name)
    return FunctionType(code, outermost.__globals__, name)


def call(k: Any, current: Any, name: str, *arguments: int) -> Path[Any]:
    """A function of an object with its arguments, as a path; it returns `Done`."""
    path: Path[Any] = entered(name)(k, current, k.object.enter(current.number, name, arguments))
    return path
