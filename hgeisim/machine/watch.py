"""One way to watch a kernel: which operations and which functions an object wants to see.

A watcher is any object with marked methods::

    class Recorder:
        @done(Release, InitLock)
        def released(self, who, op, waited_ns): ...  # just after the operation
        @waits
        def waiting(self, who, op, irq_off, preempt_count): ...  # begun, and not completed
        @entered("hgei_interrupt")
        def sgei(self, current): ...
        @returned("kvm_riscv_aia_alloc_hgei")
        def allocated(self, ret, cpu, owner): ...

A method for a function gets its arguments, as a kprobe finds them; one for its return gets the
result in front of them.  A Spend or RunGuest is shown just before it, any other operation just
after it and before its path goes on.  A watcher never interferes.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple, TypeAlias, TypeVar

from hgeisim.errors import ModelError
from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner

Done: TypeAlias = Callable[[Runner, Any, int], None]
Waits: TypeAlias = Callable[[Runner, Any, int, int], None]
M = TypeVar("M", bound=Callable[..., Any])
K = TypeVar("K")
DONE, WAITS, ENTERED, RETURNED = "done", "waits", "entered", "returned"
FUNCTIONS = (ENTERED, RETURNED)


def _marked(method: M, moment: str, wanted: Iterable[Any]) -> M:
    known = getattr(method, "wants", ())
    method.wants = (*known, *((moment, each) for each in wanted))  # type: ignore[attr-defined]
    return method


def done(*kinds: type[Op]) -> Callable[[M], M]:
    """The method sees operations of these classes."""
    return lambda method: _marked(method, DONE, kinds)


def waits(method: M) -> M:
    """The method sees operations that were begun and are not completed: in a search when they
    begin to wait, in time those that are left when the run ends."""
    return _marked(method, WAITS, [None])


def entered(*functions: str) -> Callable[[M], M]:
    """The method sees these functions of the kernel begin."""
    return lambda method: _marked(method, ENTERED, functions)


def returned(*functions: str) -> Callable[[M], M]:
    """The method sees these functions of the kernel return."""
    return lambda method: _marked(method, RETURNED, functions)


def _wants(watcher: type) -> Iterator[tuple[str, str, Any]]:
    """The name of each marked method, with a moment and what it wants then."""
    for ident in dir(watcher):
        for moment, each in getattr(inspect.getattr_static(watcher, ident), "wants", ()):
            yield ident, moment, each


class Watch:
    """The table of what is wanted: `done` by class of operation, `entered` and `returned` by
    function.  An operation that nobody wants costs an empty loop, a function nothing.

    `paths` has the path that each context executes, the innermost when one runs on top of another.
    `functions` are those that the kernel shows, with their parameters; see `watched`.
    """

    def __init__(self, *watchers: object) -> None:
        self.done: defaultdict[type[Op], list[Done]] = defaultdict(list)
        self.waits: list[Waits] = []
        self.entered: defaultdict[str, list[Callable[..., None]]] = defaultdict(list)
        self.returned: defaultdict[str, list[Callable[..., None]]] = defaultdict(list)
        self.paths: dict[Runner, Any] = {}
        self.functions: Mapping[str, tuple[str, ...]] | None = None
        self.add(*watchers)

    def add(self, *watchers: object) -> None:
        """Let objects watch from now on, each after those that watch already.

        Raises `ModelError` for a function that the kernel does not show, or whose parameters are
        not those of the method: a patch may call them otherwise, but not count or order them so.
        """
        for watcher in watchers:
            for ident, moment, wanted in _wants(type(watcher)):
                method = getattr(watcher, ident)
                if moment == WAITS:
                    self.waits.append(method)
                    continue
                if moment in FUNCTIONS:
                    self._check(method, moment, wanted)
                getattr(self, moment)[wanted].append(method)

    def _check(self, method: Callable[..., None], moment: str, function: str) -> None:
        """Compare a method with the function that it wants to see."""
        if self.functions is None:
            return
        if function not in self.functions:
            raise ModelError(f"{method.__qualname__}: this kernel does not show {function}")
        names = list(inspect.signature(method).parameters.values())
        more = any(each.kind is each.VAR_POSITIONAL for each in names)
        takes = [each.name for each in names if each.kind is not each.VAR_POSITIONAL]
        takes = takes[moment == RETURNED :]
        gets = [*self.functions[function]][: len(takes) if more else None]
        if len(takes) != len(gets) or (takes != gets and sorted(takes) == sorted(gets)):
            raise ModelError(
                f"{function} takes ({', '.join(gets)}), but {method.__qualname__} watches it with "
                f"({', '.join(takes)}): it may name them otherwise, not take more, less or others"
            )

    def show(self, who: Runner, op: Op, waited_ns: int = 0) -> None:
        """An operation was completed, after a wait."""
        for see in self.done[type(op)]:
            see(who, op, waited_ns)

    def show_wait(self, who: Runner, op: Op, irq_off: int, preempt_count: int) -> None:
        """An operation is not completed; the state is that of its HART when the wait began."""
        for see in self.waits:
            see(who, op, irq_off, preempt_count)

    def only(self, *kinds: type[Op]) -> Watch:
        """The same watchers, of these operations alone."""
        made = Watch()
        made.done.update((kind, self.done[kind]) for kind in kinds)
        return made


def functions_of(*watchers: type) -> frozenset[str]:
    """The functions of the kernel that some classes of watchers want to see."""
    wants = (each for watcher in watchers for each in _wants(watcher))
    return frozenset(wanted for _, moment, wanted in wants if moment in FUNCTIONS)


SHOWS = """
def override(_k, {parameters}):
    for _see in _k.watch.entered["{name}"]:
        _see({shown})
    _see = None
    _ret = {call}(_k, {arguments})
    for _see in _k.watch.returned["{name}"]:
        _see(_ret, {shown})
    _see = None
    return _ret
"""
"""`_see` is cleared since a search refuses a frame that holds a method across a yield."""
STOPS = """
def override(_k, {parameters}):
    yield from _begins({shown})
    _ret = yield from _next(_k, {arguments})
    yield from _ends(_ret, {shown})
    return _ret
"""
"""For a driver that has its path stop there, which a watcher cannot."""
TAKEN = frozenset(("_k", "_see", "_ret", "_next", "_begins", "_ends"))
"""Names in these templates; a parameter of a patch that is called so is called otherwise here."""


def watched(kernel: type[K], functions: frozenset[str]) -> type[K]:
    """The same kernel, which shows these functions to its `watch`; each time the same class.

    An override is put in front of each, as a kretprobe is put on a function; the paths do not know.
    Do it once for all watchers, for each layer of overrides would call all of them.
    """
    made: type[K] = _watched(kernel, functions)
    return made


def _compose(kernel: Any, functions: frozenset[str]) -> Any:
    shown = {name: _Header.of(kernel, name).names for name in sorted(functions)}
    overrides = {name: _override(SHOWS, kernel, name) for name in shown}
    space = {"__module__": __name__, "__doc__": kernel.__doc__, "shown": shown, **overrides}
    return type(kernel)(kernel.__name__, (kernel,), space)


_watched: Callable[[Any, frozenset[str]], Any] = cache(_compose)


def stopping(kernel: Any, stops: Mapping[str, Stop]) -> Any:
    """The same kernel, whose paths stop where these functions begin and end: there they yield what
    the two parts of a `Stop` yield."""
    space: dict[str, Any] = {"__module__": __name__, "__doc__": kernel.__doc__}
    for name, stop in stops.items():
        space[name] = _override(STOPS, kernel, name, _begins=stop.begins, _ends=stop.ends)
    return type(kernel)(kernel.__name__, (kernel,), space)


class Stop(NamedTuple):
    """The operations that a path yields where a function begins, from its arguments, and where it
    ends, from its result and its arguments."""

    begins: Callable[..., Iterable[Any]] = lambda *arguments: ()
    ends: Callable[..., Iterable[Any]] = lambda ret, *arguments: ()


class _Header(NamedTuple):
    """The parameters of an override: `names` are those that watchers see, as many as the function
    has in the kernel that is patched, `more` and `keywords` what a patch has added."""

    names: tuple[str, ...]
    more: tuple[str, ...]
    keywords: tuple[str, ...]
    function: Any

    @classmethod
    def of(cls, kernel: Any, name: str) -> _Header:
        """The parameters of a patch, or of what it patches if it takes whatever that takes."""
        first = next(vars(c)[name] for c in reversed(kernel.__mro__) if name in vars(c))
        function = getattr(kernel, name)
        kinds = {each.kind for each in inspect.signature(function).parameters.values()}
        if inspect.Parameter.VAR_POSITIONAL in kinds:
            function = first
        count = len(_named(first, True))
        names = _named(function, True)
        return cls(names[:count], names[count:], _named(function, False), function)

    def text(self) -> dict[str, str]:
        """The parts that fill a template."""
        names, more, keywords = (tuple(map(_free, part)) for part in self[:3])
        star = ("*", *keywords) if keywords else ()
        given = [f"{real}={free}" for real, free in zip(self.keywords, keywords, strict=True)]
        return {
            "parameters": ", ".join((*names, *more, *star)),
            "arguments": ", ".join((*names, *more, *given)),
            "shown": ", ".join(names),
        }


def _named(function: Any, positional: bool) -> tuple[str, ...]:
    """The parameters that are given by position, without the kernel, or those only by name."""
    kind = inspect.Parameter.KEYWORD_ONLY
    kinds = (kind,) if not positional else (kind.POSITIONAL_ONLY, kind.POSITIONAL_OR_KEYWORD)
    known = inspect.signature(function).parameters.values()
    names = tuple(each.name for each in known if each.kind in kinds)
    return names[1:] if positional else names


def _free(name: str) -> str:
    return f"{name}_" if name in TAKEN else name


def _override(template: str, kernel: Any, name: str, **known: Any) -> FunctionType:
    function, header = getattr(kernel, name), _Header.of(kernel, name)
    text = tuple(header.text().items())
    code = _code(template, name, text, inspect.isgeneratorfunction(function))
    space = {"_next": function, "__name__": __name__, **known}
    made = FunctionType(code, space, name, header.function.__defaults__)
    made.__kwdefaults__ = header.function.__kwdefaults__
    return made


@cache
def _code(template: str, name: str, text: tuple[tuple[str, str], ...], is_path: bool) -> CodeType:
    call = "yield from _next" if is_path else "_next"
    source = template.format(name=name, call=call, **dict(text))
    constants = compile(source, __file__, "exec").co_consts
    code = next(each for each in constants if isinstance(each, CodeType))
    return code.replace(co_name=name, co_qualname=name)
