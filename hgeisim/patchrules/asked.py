"""Rules for `check(k)`, a user's own invariant: it only looks, and answers in words."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from hgeisim.machine.shared import Shared
from hgeisim.patchrules.look import Look, is_kernel
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.patch_file import CHECK
from hgeisim.patchrules.signature import binds, shown
from hgeisim.patchrules.values import writes

TRUTHS = ("bool", "all", "any", "isinstance", "hasattr", "callable")
"""Functions of Python that return true or false."""
SAY = 'return None when all is well, else what is wrong: `if ...: return "..."`'


def checks_get_the_kernel(look: Look) -> Iterator[Mistake]:
    """`check` is called with the kernel and nothing else."""
    own = inspect.signature(look.function.function)
    if look.function.name == CHECK and look.function.is_asked and not binds(own, 1, ()):
        text = f"check{shown(own)} cannot be called as check(k)"
        yield Mistake(look.node, text, "write `def check(k):`")


def checks_say_what_is_wrong(look: Look) -> Iterator[Mistake]:
    """`check` returns None or a text, or several."""
    asked = look.function.name == CHECK and look.function.is_asked
    for node in look.nodes if asked and not look.function.is_path else ():
        if isinstance(node, ast.Return) and node.value is not None and _is_truth(look, node.value):
            text = f"check returns `{ast.unparse(node.value)}`, which says nothing in words"
            yield Mistake(node, text, SAY)


def checks_only_look(look: Look) -> Iterator[Mistake]:
    """What only `check` uses changes no state of the kernel."""
    for write in writes(look) if look.function.is_asked else ():
        owners = look.of(write.owner) or ()
        field = write.name is None and isinstance(write.owner, ast.Attribute)
        state = all(isinstance(each, Shared) or is_kernel(each) for each in owners)
        if owners and (state if write.name else field):
            text = f"`{ast.unparse(write.node)}` changes what check only looks at"
            yield Mistake(write.node, text, "keep it in a local")


def _is_truth(look: Look, value: ast.expr) -> bool:
    """Whether an expression is certainly true, false or a number."""
    match value:
        case ast.Constant(value=constant):
            return not isinstance(constant, str | None)
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return all(_is_truth(look, each) for each in values)
        case ast.Call(func=ast.Name(id=name)):
            return name in TRUTHS and not look.is_local(name)
    known = look.of(value) or ()
    return bool(known) and all(isinstance(each, int) for each in known)
