"""A user's own patch, `--variant v7.3+path/to/file.py:Name`, or objects, `+object:BUILD`.

The file is Python and is executed, so only the command line or a caller of the library may name
one: a scenario, a token, a baseline or a run folder that names a file is refused
(`variant_problem`).
`Name` is a class that derives from one of the classes of `hgeisim.kernel`, as those in
`hgeisim/kernel/variants/` do, and overrides what the patch changes.

What the patch prints goes to stderr, so that the output of a command stays what it is.  A search
executes a step once for each situation, and a path that is shown is walked several times: each text
is printed once, and at most SAID_MAX of them.

A loop of the patch that has no yield, and no end, is stopped after a long time.  Nothing else can
step while it goes on, and no rule sees all such loops.  Every second of CPU time the stack is
inspected.  A patch that is found in the same step LIMIT times running is stopped where it is: that
is an error with its line, not a finding, for it depends on the machine.
"""

from __future__ import annotations

import linecache
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

from hgeisim.errors import InputError, Problem, nearest
from hgeisim.user_file import is_file, read_bytes

SAID_MAX = 1000
_MORE = "(the patch prints more, which is left out)"
_said: dict[str, None] = {}


def say(*values: object, sep: str | None = None, end: str | None = None, **rest: Any) -> None:
    """Stand for `print` in the file of a patch; another file than stdout is written as ever."""
    text = (" " if sep is None else sep).join(map(str, values))
    file = rest.get("file")
    if file is None or file is sys.stdout:
        _say_once(text)
    else:
        file.write(text + ("\n" if end is None else end))


def _say_once(text: str) -> None:
    if text in _said or len(_said) > SAID_MAX:
        return
    _said[text] = None
    more = len(_said) > SAID_MAX
    with suppress(OSError):  # nobody reads stderr
        sys.stderr.write(f"{_MORE if more else text}\n")
        sys.stderr.flush()


TICK_S = 1.0
LIMIT = 30
Stack = list[FrameType]


class Stuck(BaseException):
    """A patch does not come to a yield; `filename` and `lineno` are a place in its loop.

    No `except Exception` of the patch catches it.
    """

    def __init__(self, text: str, frame: FrameType) -> None:
        super().__init__(text)
        self.filename, self.lineno = frame.f_code.co_filename, frame.f_lineno


@contextmanager
def stuck_loops_stopped(is_of_patch: Callable[[str], bool]) -> Iterator[None]:
    """Watch the main thread; `is_of_patch` says whether a file is a user's."""
    dog = _Watchdog(is_of_patch)
    before = signal.signal(signal.SIGVTALRM, dog.tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, TICK_S, TICK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class _Watchdog:
    """`here` are the frames, outermost first, that were on the stack the last `count` times."""

    def __init__(self, is_of_patch: Callable[[str], bool]) -> None:
        self.is_of_patch = is_of_patch
        self.here: Stack = []
        self.count = 0

    def tick(self, _: int, frame: FrameType | None) -> None:
        """Look at the stack; a step has frames of its own around the outermost one of a patch."""
        stack = _stack(frame)
        stays = [one for one, other in zip(stack, self.here, strict=False) if one is other]
        within = [each for each in stays if self.is_of_patch(each.f_code.co_filename)]
        if not within:
            self.here, self.count = stack, 0
            return
        self.here, self.count = stays, self.count + 1
        if self.count >= LIMIT:
            self.here, self.count = [], 0
            text = f"no yield for {LIMIT * TICK_S:g} s of CPU time, and no other context can step"
            raise Stuck(text, within[-1])


def _stack(frame: FrameType | None) -> Stack:
    stack: Stack = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    return stack[::-1]


REMEDY = "see docs/own-patch.md"
OBJECT = "object:"
OF_NO_PATCH = tuple(f"hgeisim.{room}." for room in ("cli", "library", "report", "runs", "plot"))
"""Modules in which no kernel is executed."""
_executed: dict[Path, str] = {}
"""The files that were executed, and how the command line calls them."""
_sources: dict[Path, bytes] = {}
"""What each of them held."""
_modules: dict[Path, ModuleType] = {}
"""The modules that they are."""
_commands: list[ExitStack] = []
"""Ends with the command that runs, if one does."""


def execute(variant: str) -> None:
    """Execute the files that a variant names and make their classes known.

    Call it only for a variant that the user has named, never for one out of a file.  Raises
    `InputError` when a file cannot be used.
    """
    modules: dict[Path, ModuleType] = {}
    parts = variant.split("+")[1:]
    if sum(part.startswith(OBJECT) for part in parts) > 1:
        allowed = "has objects of two builds; name one, and compare two with --base"
        raise InputError([Problem("variant", "", variant, allowed)])
    for part in parts:
        file = part.partition(":")[0]
        if part.startswith(OBJECT):
            _add_objects(part)
        elif file.endswith(".py"):
            if not is_file(file):
                remedy = f"no `+` and no `:` may be in its path; {REMEDY}"
                raise InputError([Problem(file, "", "", "there is no such file", remedy)])
            path = Path(file).resolve()
            _watch()
            if path not in modules:
                modules[path] = _module(file, path)
            _add(part, modules[path])
    _check(variant, list(modules.values()))


@contextmanager
def command() -> Iterator[None]:
    """A command begins: no patch was executed for it, and what is stuck in one is stopped until the
    command ends."""
    _executed.clear()
    with ExitStack() as watched:
        _commands.append(watched)
        try:
            yield
        finally:
            _commands.clear()


def _watch() -> None:
    """From the first patch of a command on, stop what is stuck; a notebook can be interrupted."""
    if _commands and not _executed and threading.current_thread() is threading.main_thread():
        patches = stuck_loops_stopped(lambda file: file in map(str, _executed))
        _commands[-1].enter_context(patches)


def _check(variant: str, modules: list[ModuleType]) -> None:
    """Look for mistakes in the patches of a variant before anything runs.

    Whether there is such a variant is not said here.
    """
    from hgeisim.kernel.variants import find_variant, variant_problem  # noqa: PLC0415
    from hgeisim.patchrules.patch_file import PatchFile  # noqa: PLC0415
    from hgeisim.patchrules.rules import mistakes  # noqa: PLC0415

    if not modules or variant_problem(variant):
        return
    kernel, problems = find_variant(variant), list[Problem]()
    for module in modules:
        texts = [_sources[Path(str(each.__file__))] for each in (module, *modules)]
        file = PatchFile(module, kernel, tuple(texts))
        name = _executed[Path(file.path)]
        problems += (
            Problem(name, f"line {each.line}", "", each.text, each.remedy)
            for each in _with_its_line(mistakes, file)
        )
    if problems:
        raise InputError(problems)


def _with_its_line(look: Callable[[Any], Any], file: Any) -> Any:
    """Look at a file; what its own code raises meanwhile is a mistake in it as well."""
    try:
        return look(file)
    except (Exception, SystemExit, Stuck) as error:
        problem = mistake(error)
        if problem is None:
            raise
        raise InputError([problem]) from None


def _add(part: str, module: ModuleType) -> None:
    from hgeisim.kernel.state import Kernel  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.kernel.variants import DIGESTS, OWN  # noqa: PLC0415

    file, _, name = part.partition(":")
    found = getattr(module, name, None) if name else None
    ours = str(getattr(found, "__module__", "")).startswith("hgeisim.")
    if ours or not (isinstance(found, type) and issubclass(found, Kernel)):
        raise InputError([_no_class(file, name, found, _patches(module, Kernel))])
    OWN[part] = found
    if isinstance(check := vars(module).get("check"), FunctionType):
        found.own_check = (Path(file).stem, check)  # type: ignore[attr-defined]
    DIGESTS[part] = blake2b(_sources[Path(str(module.__file__))], digest_size=4).hexdigest()


def _add_objects(part: str) -> None:
    from hgeisim.kernel.variants import DIGESTS, OWN  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.library.objects import kernel_of_objects  # noqa: PLC0415 - reads ELF and DWARF

    OWN[part], DIGESTS[part] = kernel_of_objects(part.removeprefix(OBJECT))


def _patches(module: ModuleType, kernel: type) -> list[str]:
    """The classes of a file that are patches, in its order."""
    classes = (each for each in vars(module).values() if isinstance(each, type))
    own = (each for each in classes if each.__module__ == module.__name__)
    return list(dict.fromkeys(each.__name__ for each in own if issubclass(each, kernel)))


def _no_class(file: str, name: str, found: Any, patches: list[str]) -> Problem:
    """A file is named without a class, or with one that is not a patch."""
    if not patches:
        allowed = "has no class that is a patch"
        remedy = "derive one from Aia: `from hgeisim.patch import Aia`, `class Mine(Aia):`"
        return Problem(file, "", "", allowed, f"{remedy}; {REMEDY}")
    allowed = "is not a patch" if found is not None else "there is no such class"
    allowed = allowed if name else "the file needs its class"
    near = nearest(name, patches)
    named = [f"{file}:{each}" for each in ([near] if near else patches)]
    return Problem(
        file, "class", repr(name) if name else "", allowed, f"write {' or '.join(named)}"
    )


def _module(file: str, path: Path) -> ModuleType:
    """Execute a file; its asserts stay, also under `python -O`."""
    import hgeisim.patch  # noqa: F401, PLC0415 - so that former names of modules can be imported

    source = read_bytes(path)
    _executed[path] = file
    if _sources.get(path) == source and path in _modules:
        return _modules[path]  # two options of one command mean the same classes
    linecache.checkcache(str(path))
    name = f"own_patch_{len(_sources)}_{path.stem}"
    module = sys.modules[name] = ModuleType(name)
    module.__file__, module.print = str(path), say  # type: ignore[attr-defined]
    _sources[path] = source
    try:
        code = compile(source, str(path), "exec", dont_inherit=True, optimize=0)
        exec(code, vars(module))  # noqa: S102 - the user has asked for it
    except (Exception, SystemExit, Stuck) as error:  # noqa: BLE001 - whatever it raises
        raise InputError([_problem(error, path)]) from None
    _modules[path] = module
    return module


def mistake(error: BaseException) -> Problem | None:
    """The mistake in a user's patch, if an error came up in it or in a function that it calls."""
    return next((_problem(error, path) for path in _executed if _line(error, path)), None)


def suspect(error: BaseException) -> Problem | None:
    """The user's patch, where one was executed: it has asked the model for what it cannot do.

    An error need not come up in the patch, such as when a task sleeps with the spinlock that the
    patch has forgotten to unlock.  Where no kernel is executed it is not the patch's.
    """
    if not _executed or _module_of(error).startswith(OF_NO_PATCH):
        return None
    files = ", ".join(_executed.values())
    words = (f"with this patch, {type(error).__name__}: {error}", *getattr(error, "__notes__", ()))
    return Problem(files, "", "", ", ".join(words), REMEDY)


def _module_of(error: BaseException) -> str:
    """The module in which an error came up."""
    name, trace = "", error.__traceback__
    while trace is not None:
        name, trace = str(trace.tb_frame.f_globals.get("__name__", "")), trace.tb_next
    return name


def _problem(error: BaseException, path: Path) -> Problem:
    """The mistake of a patch, with its line; an error without words shows that line itself."""
    line = _line(error, path)
    words = str(error) or linecache.getline(str(path), line).strip()
    where = f"line {line}" if line else ""
    return Problem(_executed[path], where, "", f"{type(error).__name__}: {words}", REMEDY)


def _line(error: BaseException, path: Path) -> int:
    """The last line of the file that had a part in an error."""
    if getattr(error, "filename", None) == str(path) and getattr(error, "lineno", None):
        return int(getattr(error, "lineno", 0))
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
