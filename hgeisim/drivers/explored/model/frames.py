"""The key that identifies a suspended path, and the guard that makes it sound.

The key of a generator consists, for each of its frames, of the code, the instruction at which it is
suspended, and the live locals.  Apart from shared memory its future depends on nothing else, *if*
nothing else is alive in the frame: no iterator, no half-evaluated expression, no mutable container.
`check` makes sure of that.

A local that will be written before it is read again is dead (backward data flow on bytecode): two
contexts that differ only in dead locals behave alike, so the explorer may treat them as one.
"""

from __future__ import annotations

import dis
import gc
import re
from functools import cache
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any, NamedTuple, TypeAlias

from hgeisim.errors import ModelError
from hgeisim.machine import watch
from hgeisim.machine.balance import frames
from hgeisim.machine.kernel_name import is_of_kernel, shown
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.shared import Fixed, Shared, TrackedArray

PYTHONS = ((3, 11), (3, 12), (3, 13))
"""The versions of Python on whose bytecode the key of a path is known to be sound: on each of them
tests/explored/test_frames.py and test_soundness.py have passed."""

FALLS_NOWHERE = ("RETURN_VALUE", "RETURN_CONST", "RERAISE", "RAISE_VARARGS")
ALWAYS_JUMPS = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")


@cache
def live_locals(code: CodeType) -> dict[int, tuple[str, ...]]:
    """Map the offset of each instruction to the sorted names that are live after it."""
    program = list(dis.get_instructions(code))
    live_before: list[frozenset[str]] = [frozenset()] * (len(program) + 1)
    successors = _successors(program)
    changed = True
    while changed:
        changed = False
        for i in reversed(range(len(program))):
            after = frozenset[str]().union(*(live_before[j] for j in successors[i]))
            before = _before(program[i], after)
            changed |= before != live_before[i]
            live_before[i] = before
    return {
        x.offset: tuple(sorted(frozenset[str]().union(*(live_before[j] for j in successors[i]))))
        for i, x in enumerate(program)
    }


def _successors(program: list[dis.Instruction]) -> list[list[int]]:
    index = {x.offset: i for i, x in enumerate(program)}
    jumps = set(dis.hasjrel) | set(dis.hasjabs)
    found = []
    for i, x in enumerate(program):
        follow = [] if x.opname in FALLS_NOWHERE + ALWAYS_JUMPS else [i + 1]
        if x.opcode in jumps:
            follow.append(index[x.argval])
        found.append(follow)
    return found


def _before(x: dis.Instruction, after: frozenset[str]) -> frozenset[str]:
    """The locals that are live before an instruction, given those that are live after it.

    An instruction loads, stores or deletes locals in order; some of Python 3.13 do two things
    (STORE_FAST_LOAD_FAST).
    """
    names = x.argval if isinstance(x.argval, tuple) else (x.argval,)
    kinds = re.findall(r"(LOAD|STORE|DELETE)_FAST", x.opname)
    for kind, name in reversed([*zip(kinds, names, strict=False)]):
        after = after | {name} if kind == "LOAD" else after - {name}
    return after


OVERRIDES = watch.__file__
"""The file of the overrides, which are not functions of the kernel."""
Frame: TypeAlias = "GeneratorType[Any, Any, Any]"
FrameKey: TypeAlias = tuple[Any, ...]
SCALARS = (int, str, bool, type(None))
REFERENCES = (Shared, TrackedArray, Fixed, Op, type, ModuleType)
UNCHANGING = SCALARS + REFERENCES


class SeamError(Exception):
    """A path breaks a rule on which memoising relies: a fault of the model, not of the kernel."""


def functions(path: Path[Any]) -> tuple[str, ...]:
    """The call chain of a suspended path, outermost first."""
    return tuple(g.gi_code.co_name for g in frames(path) if g.gi_code.co_filename != OVERRIDES)


def kernel_functions(kernel: type, path: Path[Any]) -> tuple[str, ...]:
    """The same by the names of the kernel, without what stands around its functions."""
    suspended = (g for g in frames(path) if is_of_kernel(_frame(g)))
    return shown(kernel, tuple(g.gi_code.co_name for g in suspended))


class Standing(NamedTuple):
    """A suspended path: its generators, outermost first, and the key of each."""

    stack: tuple[Any, ...]
    keys: FrameKey = ()


UNKNOWN = Standing(())


def standing(path: Path[Any], before: Standing = UNKNOWN) -> Standing:
    """The generators of a path, with their keys.  Raises `SeamError` if a key would not be sound.

    A generator that still waits for the same inner one as `before` has not run since, so its key is
    the same.
    """
    stack, same = tuple(frames(path)), 0
    while same < min(len(stack), len(before.stack)) and stack[same] is before.stack[same]:
        same += 1
    kept = before.keys[: max(same - 1, 0)]
    return Standing(stack, (*kept, *map(_key_of, stack[len(kept) :])))


def frame_key(path: Path[Any]) -> FrameKey:
    """The key of a suspended path.  Raises `SeamError` if it would not be sound."""
    return standing(path).keys


def _frame(g: Frame) -> FrameType:
    if g.gi_frame is None:
        raise ModelError("a path that has finished has no key")
    return g.gi_frame


def _key_of(g: Frame) -> FrameKey:
    frame = _frame(g)
    check(g)
    code = frame.f_code
    names = (*live_locals(code)[frame.f_lasti], *code.co_cellvars, *code.co_freevars)
    values = frame.f_locals
    return (code, frame.f_lasti, *(values[n] for n in names if n in values))


def check(g: Frame) -> None:
    """Refuse a frame whose future depends on something that its key does not hold."""
    frame = _frame(g)
    for name, value in frame.f_locals.items():
        if not _stays(value):
            what = f"local {name!r} holds a {type(value).__name__}"
            raise SeamError(f"{_where(g)}: {what} across a yield")
    place = g.gi_code, frame.f_lasti
    if place in _bare:
        return
    on_stack = _on_stack(g)
    for temporary in on_stack:
        if temporary is not None:
            raise SeamError(f"{_where(g)}: a {type(temporary).__name__} is alive across a yield")
    if not on_stack:
        _bare.add(place)


def _stays(value: object) -> bool:
    """Whether a value cannot change: a tuple if its elements cannot, a function if it was not made
    by the path."""
    if isinstance(value, UNCHANGING):
        return True
    if type(value) is tuple:
        return all(map(_stays, value))
    if isinstance(value, FunctionType):
        return "<locals>" not in value.__qualname__
    if isinstance(value, MethodType):
        return _stays(value.__self__) and _stays(value.__func__)
    if isinstance(value, BuiltinFunctionType):
        return isinstance(value.__self__, ModuleType)
    return False


def _where(g: Frame) -> str:
    return f"{g.gi_code.co_name}, line {_frame(g).f_lineno}"


_bare: set[tuple[CodeType, int]] = set()
"""Places at which a frame was seen with an empty value stack; its depth depends on the instruction
alone, so `check` looks once."""


def _on_stack(g: Frame) -> list[object]:
    """The objects on the value stack of a suspended frame, besides the generator it waits for.

    A None among them means nothing: an exception that was caught leaves it behind.
    """
    known = [id(v) for v in _frame(g).f_locals.values()]
    found = []
    for referent in gc.get_referents(g):
        if id(referent) in known:
            known.remove(id(referent))
        elif not _belongs_to_generator(referent, g):
            found.append(referent)
    return found


def _belongs_to_generator(referent: object, g: Frame) -> bool:
    if isinstance(referent, CellType):  # __class__, or what a comprehension uses: in `f_locals`
        return True
    frame = _frame(g)
    own = (g.gi_yieldfrom, g.gi_code, g.__name__, g.__qualname__, frame, frame.f_locals)
    return isinstance(referent, FunctionType) or any(referent is x for x in own)
