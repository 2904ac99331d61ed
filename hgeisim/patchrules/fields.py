"""Rules for names: each field, function and operation that a patch names is there."""

from __future__ import annotations

import ast
import builtins
import dis
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Shared
from hgeisim.patchrules.look import Look, has, is_kernel
from hgeisim.patchrules.missing import missing
from hgeisim.patchrules.mistake import Mistake, did_you_mean


def fields_are_there(look: Look) -> Iterator[Mistake]:
    """An attribute that is read or written exists."""
    for node in ast.walk(look.node):
        if isinstance(node, ast.Attribute) and node.attr not in look.file.texts:
            owners = look.of(node.value) or ()
            judged = [owner for owner in owners if _is_judged(owner)]
            if judged and len(judged) == len(owners) and not any(has(o, node.attr) for o in judged):
                yield missing(look, node, judged[0], node.attr)


def names_are_there(look: Look) -> Iterator[Mistake]:
    """A name that is not a local is one of the module or of Python."""
    function = look.function.function
    for name, line in _globals_read(function.__code__):
        known = {**function.__globals__, **vars(builtins)}
        if name not in known and name not in look.file.texts:
            node = ast.Name(id=name, ctx=ast.Load(), lineno=line, col_offset=0)
            remedy = did_you_mean(name, sorted(function.__globals__), "import it, or define it")
            yield Mistake(node, f"there is no {name!r} here", remedy)


def _is_judged(owner: Any) -> bool:
    """Whether all attributes of a value are known: it is state, a function or an operation."""
    return isinstance(owner, Shared | Op | FunctionType | MethodType | super) or is_kernel(owner)


def _globals_read(code: CodeType) -> Iterator[tuple[str, int]]:
    """The names that a function and the functions in it look for outside, each with a line."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            line = instruction.positions.lineno if instruction.positions else None
            yield instruction.argval, line or code.co_firstlineno
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_read(constant)
