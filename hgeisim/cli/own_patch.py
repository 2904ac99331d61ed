"""A user's own patch: `--variant v7.1+path/to/file.py:Name`.

The file is Python and is executed, so only the command line may name one: a scenario, a token, a
baseline or a run folder that names a file is refused (`variant_problem`).  `Name` is a class that
derives from one of the classes of `hgeisim.kernel`, as those in `hgeisim/kernel/variants/` do, and
overrides what the patch changes.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Callable
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import click

from hgeisim.cli.completion import variants
from hgeisim.cli.patch_output import say
from hgeisim.cli.watchdog import Stuck, stuck_loops_stopped
from hgeisim.errors import InputError, Problem
from hgeisim.user_file import is_file, read_bytes

C = TypeVar("C", bound=Callable[..., Any])
REMEDY = "see docs/own-patch.md"
OF_NO_PATCH = ("hgeisim.cli.", "hgeisim.report.", "hgeisim.record.", "hgeisim.plot.")
"""Modules in which no kernel is executed."""
_executed: dict[Path, str] = {}
"""The files that were executed, and how the command line calls them."""
_sources: dict[Path, bytes] = {}
"""What each of them held."""
_modules: dict[Path, ModuleType] = {}
"""The modules that they are."""


def variant_option(help_text: str, **settings: Any) -> Callable[[C], C]:
    """The option `--variant`, which executes the files that it names."""
    return executing_option("--variant", help_text, **settings)


def executing_option(name: str, help_text: str, **settings: Any) -> Callable[[C], C]:
    """An option that names a kernel, and executes the files that it names."""
    return click.option(
        name, help=help_text, callback=_executing, shell_complete=variants, **settings
    )


def _executing(ctx: click.Context, option: click.Parameter, variant: str | None) -> str | None:
    if variant is not None and not ctx.resilient_parsing:  # a shell that completes runs nothing
        execute(variant)
    return variant


def execute(variant: str) -> None:
    """Execute the files that a variant names and make their classes known.

    Call it only for a variant from the command line.  Raises `InputError` when a file cannot be
    used.
    """
    modules: dict[Path, ModuleType] = {}
    for part in variant.split("+")[1:]:
        file = part.partition(":")[0]
        if file.endswith(".py"):
            if not is_file(file):
                remedy = f"no `+` and no `:` may be in its path; {REMEDY}"
                raise InputError([Problem(file, "", "", "there is no such file", remedy)])
            path = Path(file).resolve()
            _watch()
            if path not in modules:
                modules[path] = _module(file, path)
            _add(part, modules[path])
    _check(variant, list(modules.values()))


def _watch() -> None:
    """Stop what is stuck in a patch, until the command that is executed ends."""
    ctx = click.get_current_context(silent=True)
    main = threading.current_thread() is threading.main_thread()
    if main and ctx is not None and not ctx.meta.setdefault(__name__, False):
        ctx.meta[__name__] = True
        ctx.with_resource(stuck_loops_stopped(lambda file: file in map(str, _executed)))


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
    near = get_close_matches(name, patches, 1)
    named = [f"{file}:{each}" for each in near or patches]
    return Problem(
        file, "class", repr(name) if name else "", allowed, f"write {' or '.join(named)}"
    )


def _module(file: str, path: Path) -> ModuleType:
    """Execute a file; its asserts stay, also under `python -O`."""
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


def forget() -> None:
    """A command begins: no patch was executed for it."""
    _executed.clear()


def mistake(error: BaseException) -> Problem | None:
    """What is wrong with a user's patch, when an error came up in it or in what it calls."""
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
    """What a patch did wrong, with its line; an error without words shows that line itself."""
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
