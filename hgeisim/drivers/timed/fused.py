"""A kernel whose paths complete their operations themselves, compiled from the same source.

A path yields an operation, and the driver completes it.  Each yield passes every generator between
them on the way there and back, for most operations several times.  In a fused path the statements
of `completion.py`, and of the operation's own `begin` and `end`, mechanically replace the yield, so
the path yields ns, as a lane does.  `yield STEP` marks a place where other contexts may intervene;
in simulated time none does, since no time passes there, and it is dropped.  An operation's class is
predicted from its name and checked at run time; anything else falls back to the driver.  Without a
timed driver, as at boot, the plain path is executed.

Fusing costs a fixed time for each kernel class and process, so it pays for long runs and for many
runs in one process.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache
from types import CellType, CodeType, FunctionType
from typing import Any, TypeAlias

from hgeisim.drivers.timed.completion import COMPLETIONS
from hgeisim.drivers.timed.inline import Inliner, definition_of, name
from hgeisim.kernel.main import Module
from hgeisim.machine import hart
from hgeisim.machine.balance import hands_over
from hgeisim.machine.guest import EnterGuest, RunGuest, SweepVsFile
from hgeisim.machine.idle import GoIdle, PowerDown
from hgeisim.machine.ipi import SampleSgei
from hgeisim.machine.kernel_name import MARKS
from hgeisim.machine.ops import Irq, Op, Preempt, Spend
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.spinlock import Acquire, Release
from hgeisim.machine.srcu import SrcuReadLock, SrcuReadUnlock

Kind: TypeAlias = tuple[type[Op], dict[str, bool]]
SPINS = {"lock.sleeping": False}
KINDS: dict[str, Kind] = {
    "lock": (Acquire, {"irqsave": False, **SPINS}),
    "lock_irqsave": (Acquire, {"irqsave": True, **SPINS}),
    "unlock": (Release, {"irqrestore": False, **SPINS}),
    "unlock_irqrestore": (Release, {"irqrestore": True, **SPINS}),
    "read_lock_irqsave": (ReadLock, {"irqsave": True, **SPINS}),
    "read_unlock_irqrestore": (ReadUnlock, {"irqrestore": True, **SPINS}),
    "write_lock": (WriteLock, {"irqsave": False, **SPINS}),
    "write_unlock": (WriteUnlock, {"irqrestore": False, **SPINS}),
    "write_lock_irqsave": (WriteLock, {"irqsave": True, **SPINS}),
    "write_unlock_irqrestore": (WriteUnlock, {"irqrestore": True, **SPINS}),
    "PREEMPT_DISABLE": (Preempt, {"off": True}),
    "PREEMPT_ENABLE": (Preempt, {"off": False}),
    "LOCAL_IRQ_DISABLE": (Irq, {"off": True}),
    "LOCAL_IRQ_ENABLE": (Irq, {"off": False}),
    "GO_IDLE": (GoIdle, {"off": True}),
    "POWER_DOWN": (PowerDown, {}),
    "HALT_POLL": (Spend, {}),
    "guest": (RunGuest, {}),
    "enter_guest": (EnterGuest, {}),
    "SWEEP_VSFILE": (SweepVsFile, {}),
    "sgei": (SampleSgei, {}),
    "srcu_read_lock": (SrcuReadLock, {}),
    "srcu_read_unlock": (SrcuReadUnlock, {}),
}
"""The predicted operation, by the last name of the expression that is yielded (`sgei` in
`k.sgei[cpu]`): its class, and facts about its attributes.  Both are checked at run time."""

SAYING = (hands_over.__name__, *MARKS)
"""The decorators that say something about a path, and leave it as it is."""
PROLOGUE = """
_driver = {k}.clock.driver
_who = _driver and _driver.env.active_lane.who
if _who is None:
    return (yield from _plain({arguments}))
"""
GENERALLY = "yield from _driver.complete(_who, _op)"


def fused(kernel: type[Module]) -> type[Module]:
    """The same kernel with every path fused, except paths that are decorated (other than by
    `SAYING`), take more than positional arguments, or whose source is not available.

    The driver that executes them is that of the kernel's clock, None before there is one.
    """
    if kernel not in _made:
        layers = tuple(map(_layer, kernel.__mro__[:-1]))
        space = {"__module__": __name__, "__doc__": kernel.__doc__, "yields_ns": True}
        _made[kernel] = type(kernel.__name__, layers, space)
    return _made[kernel]


_made: dict[type[Module], type[Module]] = {}


@cache
def _layer(cls: type) -> type:
    """A class with its own paths fused.

    Each layer comes before the class that it is made of, and after the layer of a class that
    overrides it: so a patch that calls `super()` goes on in a fused path.
    """
    space: dict[str, Any] = {"__module__": __name__, "__doc__": cls.__doc__}
    for ident, path in vars(cls).items():
        if inspect.isgeneratorfunction(path) and not hasattr(path, "__wrapped__"):
            space[ident] = _fuse(path)
    return type(cls.__name__, (cls,), space)


def _fuse(path: FunctionType) -> Callable[..., Any]:
    """Compile a path again with its operations completed, for the same globals and class."""
    try:
        function = definition_of(path)
    except (OSError, SyntaxError):
        return path
    arguments = [argument.arg for argument in function.args.args]
    decorated = not all(map(_only_annotates, function.decorator_list))
    if decorated or len(arguments) != len(inspect.signature(path).parameters):
        return path
    function.decorator_list = []
    prologue = PROLOGUE.format(k=arguments[0], arguments=", ".join(arguments))
    space = {**path.__globals__, **dict.fromkeys(path.__code__.co_varnames)}
    body = _Operations(space).visit(function).body
    function.body = [*_at(body[0], ast.parse(prologue).body), *body]
    return _compiled(function, path, {**_inliner.free, "_plain": path})


def _only_annotates(decorator: ast.expr) -> bool:
    """Whether a decorator leaves the path as it is."""
    return isinstance(decorator, ast.Call) and _last_name(decorator.func) in SAYING


class _Operations(ast.NodeTransformer):
    """Replaces each yield of an operation in a path by the statements that complete it; `space` has
    the globals of the path."""

    def __init__(self, space: dict[str, Any]) -> None:
        self.space = space

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        """Replace a yield that is a statement of its own."""
        match node.value:
            case ast.Yield(ast.Name("STEP")):
                return ast.copy_location(ast.Pass(), node)
            case ast.Yield(ast.expr() as operation):
                given = ast.Assign([ast.Name("_op", ast.Store())], operation)
                return _at(node, [given, *ast.parse(_completed(_last_name(operation))).body])
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Replace a call of a function of `machine/hart.py` by the expression that it returns."""
        self.generic_visit(node)
        called = self.space.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if isinstance(called, FunctionType) and called.__module__ == hart.__name__:
            return _inliner.expression(called, node)
        return node


def _last_name(operation: ast.expr) -> str:
    match operation:
        case ast.Attribute(_, last) | ast.Name(last):
            return last
        case ast.Subscript(operations):
            return _last_name(operations)
    return ""


_inliner = Inliner()


@cache
def _completed(last: str) -> str:
    """The source of the statements that complete the operation `_op`, given its last name."""
    if last not in KINDS:
        return GENERALLY
    kind, facts = KINDS[last]
    _inliner.classes = {"_op": kind}
    _inliner.facts = {f"_op.{fact}": value for fact, value in facts.items()}
    known = _inliner.free_name(kind.__name__, kind)
    asked = f"_op.__class__ is {known.id}"
    for fact, value in facts.items():
        asked += f" and _op.{fact}" if value else f" and not _op.{fact}"
    arguments = [name("_driver"), name("_who"), name("_op"), known]
    specially = _inliner.expanded(COMPLETIONS[kind], arguments)
    chosen = ast.parse(f"if {asked}:\n    pass\nelse:\n    {GENERALLY}").body[0]
    chosen.body = specially  # type: ignore[attr-defined]
    return ast.unparse(ast.fix_missing_locations(chosen))


def _at(node: ast.stmt, statements: list[ast.stmt]) -> list[ast.stmt]:
    """Statements, all with the line number of another one."""
    for statement in statements:
        for part in ast.walk(statement):
            ast.copy_location(part, node)
    return statements


def _compiled(
    function: ast.FunctionDef, path: FunctionType, free: dict[str, object]
) -> Callable[..., Any]:
    """Compile a function that may use `super()` and has additional free variables: it is compiled
    inside an outer function that has all of them as arguments."""
    cells = dict(zip(path.__code__.co_freevars, path.__closure__ or (), strict=True))
    cells |= {ident: CellType(value) for ident, value in free.items()}
    arguments = ast.arguments([], [ast.arg(ident) for ident in cells], None, [], [], None, [])
    function.returns = None
    outer = ast.FunctionDef("outer", arguments, [function], [])
    module = ast.fix_missing_locations(ast.Module([outer], []))
    code: CodeType = compile(
        module, path.__code__.co_filename, "exec", dont_inherit=True, optimize=0
    )
    for _ in ("outer", "the function"):
        code = next(const for const in code.co_consts if hasattr(const, "co_code"))
    closure = tuple(cells[ident] for ident in code.co_freevars)
    made = FunctionType(code, path.__globals__, path.__name__, path.__defaults__, closure)
    made.__doc__, made.__qualname__ = path.__doc__, path.__qualname__
    return made
