"""Rules for `check(k)`, a user's own invariant: it only reads, and answers in words."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from hgeisim.machine.shared import Shared
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.overrides import binds, shown
from hgeisim.patchrules.patch_file import CHECK
from hgeisim.patchrules.subject import Subject, is_kernel
from hgeisim.patchrules.writes import writes

TRUTHS = ("bool", "all", "any", "isinstance", "hasattr", "callable")
"""Functions of Python that return true or false."""
SAY = 'return None if all is well, else what is wrong: `if ...: return "..."`'


def checks_get_the_kernel(subject: Subject) -> Iterator[Mistake]:
    """`check` takes the kernel and nothing else."""
    own = inspect.signature(subject.function.function)
    if subject.function.name == CHECK and subject.function.is_asked and not binds(own, 1, ()):
        text = f"check{shown(own)} cannot be called as check(k)"
        yield Mistake(subject.node, text, "write `def check(k):`")


def checks_say_what_is_wrong(subject: Subject) -> Iterator[Mistake]:
    """`check` returns None, a text, or several texts."""
    asked = subject.function.name == CHECK and subject.function.is_asked
    for node in subject.nodes if asked and not subject.function.is_path else ():
        if (
            isinstance(node, ast.Return)
            and node.value is not None
            and _is_truth(subject, node.value)
        ):
            text = f"check returns `{ast.unparse(node.value)}`, which does not say what is wrong"
            yield Mistake(node, text, SAY)


def checks_only_look(subject: Subject) -> Iterator[Mistake]:
    """`check` and the functions that only it uses change no state of the kernel."""
    for write in writes(subject) if subject.function.is_asked else ():
        owners = subject.of(write.owner) or ()
        field = write.name is None and isinstance(write.owner, ast.Attribute)
        state = all(isinstance(each, Shared) or is_kernel(each) for each in owners)
        if owners and (state if write.name else field):
            text = f"`{ast.unparse(write.node)}` changes state, which a check may only read"
            yield Mistake(write.node, text, "keep it in a local")


def _is_truth(subject: Subject, value: ast.expr) -> bool:
    """Whether an expression is certainly true, false or a number."""
    match value:
        case ast.Constant(value=constant):
            return not isinstance(constant, str | None)
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return all(_is_truth(subject, each) for each in values)
        case ast.Call(func=ast.Name(id=name)):
            return name in TRUTHS and not subject.is_local(name)
    known = subject.of(value) or ()
    return bool(known) and all(isinstance(each, int) for each in known)
