"""The command `hgeisim`: its subcommands, and the exit status of each kind of failure.

Subcommands are imported when they are called, so that help is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple

import click

from hgeisim.cli.process import (
    EXIT_BAD_INPUT,
    EXIT_FINDING,
    EXIT_INTERNAL,
    Stopped,
    drop_what_is_left,
    prepare_streams,
    stoppable,
)
from hgeisim.errors import ArgumentProblem, InputError, NotBooted, Problem
from hgeisim.library import own_patch
from hgeisim.version import VERSION

SIGNALLED = 128
"""Shells add this to the number of the signal that ended a command."""
EXIT_INTERRUPTED = 130
"""That of SIGINT."""
EXIT_BROKEN_PIPE = 141
"""128 + SIGPIPE: whoever read our output has seen enough (`hgeisim ... | head`)."""
COMPLETION = "_HGEISIM_COMPLETE"
"""Where a shell says what it wants to be completed (README.md)."""
WORDS = {"token": "TOKEN", "bugs": "BUG"}
"""Arguments that are not options."""
_NO_ROOM_FOR_A_LIBRARY = "failed to map segment"
"""The words of the loader when there is not enough memory."""


class Entry(NamedTuple):
    """The place of a subcommand ("module:attribute"), and its purpose in one line."""

    target: str
    summary: str


COMMANDS = {
    "run": Entry("hgeisim.cli.run:command", "Simulate a scenario; a table and a run folder."),
    "compare": Entry("hgeisim.cli.compare:command", "Compare kernels, with intervals."),
    "sweep": Entry("hgeisim.cli.sweep:command", "Run every combination of some values."),
    "capacity": Entry("hgeisim.cli.capacity:command", "Find how many lines or vCPUs will do."),
    "validate": Entry("hgeisim.cli.validate:command", "Compare simulated results with exact ones."),
    "plot": Entry(
        "hgeisim.cli.plot:command", "Draw a run folder: occupancy, lines, latencies, ..."
    ),
    "explain": Entry("hgeisim.cli.explain:command", "Say why HARTs had no line left in a run."),
    "topology": Entry("hgeisim.cli.topology:command", "Show the HARTs of a devicetree blob."),
    "scenario": Entry("hgeisim.cli.scenario:command", "List, show or check scenario files."),
    "variants": Entry("hgeisim.cli.variants:command", "List kernels and patches for --variant."),
    "museum": Entry("hgeisim.cli.museum:command", "Find historical bugs, gone with their fixes."),
    "explore": Entry("hgeisim.cli.explore:command", "Search the interleavings of a scenario."),
    "locks": Entry("hgeisim.cli.locks:command", "Lock order: learn, check, diff, show."),
    "trace": Entry("hgeisim.cli.trace:command", "Read the trace of a real kernel."),
    "replay": Entry("hgeisim.cli.replay:command", "Run one schedule again, from its token."),
}


class LazyGroup(click.Group):
    """A group that knows its subcommands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].target.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand, or suggest the one that may have been meant."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands out of the table, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def _version(ctx: click.Context) -> None:
    from hgeisim.drivers.explored.compiled.library import engine  # noqa: PLC0415 - asked rarely

    click.echo(f"hgeisim {VERSION}\nsearch: {engine()}")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    *("-V", "--version"),
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=lambda ctx, _, asked: _version(ctx) if asked else None,
    help="Show the version and how searches run, and exit.",
)
def group() -> None:
    """Test and size the RISC-V KVM code that hands HGEI lines to virtual CPUs.

    \b
    Example:
      hgeisim run big-little --out out/big-little
      hgeisim plot out/big-little

    \b
    Exit status:
      0  nothing new was found
      1  a new finding, or a vacuous verdict
      2  wrong usage or bad input
      3  internal error
      4  the budget ran out: of a --proof, a --series or a trace
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line `args` (default: that of the process) and return the exit status."""
    words = sys.argv[1:] if args is None else list(args)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would take memory for idle threads
    os.environ["MPLBACKEND"] = "agg"  # pictures are files: no window, whatever is set
    if why := prepare_streams():
        return _report(f"output: cannot be written: {why}", status=EXIT_BAD_INPUT)
    status: int | None
    try:
        status = _outcome(words)
    except MemoryError:
        status = None
    if status is None:  # only here, what took the memory is gone
        line = f"hgeisim {' '.join(words)[:200]}: there is not enough memory for this"
        status = _report(line, status=EXIT_BAD_INPUT)
    drop_what_is_left()
    return status


def _outcome(words: Sequence[str]) -> int:
    """Run a command; however it ends there is a status, unless memory runs out."""
    try:
        with stoppable(), own_patch.command():
            status = _run(words)
            sys.stdout.flush()
    except InputError as error:
        return _report(*(str(_as_option(each)) for each in error.problems), status=EXIT_BAD_INPUT)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return EXIT_BAD_INPUT
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except Stopped as stopped:
        return SIGNALLED + stopped.number
    except BrokenPipeError:
        return EXIT_BROKEN_PIPE
    except OSError as error:
        return _report(str(own_patch.mistake(error) or _why(error)), status=EXIT_BAD_INPUT)
    except MemoryError:
        raise
    except ImportError as error:
        if _NO_ROOM_FOR_A_LIBRARY in str(error):
            raise MemoryError from error
        return _report_internal(error)
    except BaseException as error:  # noqa: BLE001 - the last place to speak
        return _report_internal(error)
    return status


def _as_option(problem: Problem) -> Problem:
    """A problem of an argument as one of the option, or of the word, that stands for it."""
    if not isinstance(problem, ArgumentProblem):
        return problem
    where = problem.where
    option = f"-s{where.removeprefix('set')}" if where.startswith("set") else f"--{where}"
    option = f"-{where}" if where.split(" ")[0] == "x" else option
    named = WORDS.get(where, option.replace("_", "-") if option.startswith("--") else option)
    return Problem("command line", named, problem.value, problem.allowed, problem.remedy)


def _run(words: Sequence[str]) -> int:
    """Let click choose; a subcommand returns its status, or leaves by `ctx.exit(status)`."""
    if asked := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete  # noqa: PLC0415 - a shell asks, rarely

        return shell_complete(group, {}, "hgeisim", COMPLETION, asked)
    try:
        with group.make_context("hgeisim", list(words)) as ctx:
            status = group.invoke(ctx)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    return status if isinstance(status, int) else 0


def _report(*lines: str, status: int) -> int:
    with suppress(OSError):  # nobody reads stderr
        for line in lines:
            click.echo(f"hgeisim: error: {line}", err=True)
    return status


def _why(error: OSError) -> str:
    """The reason of the system; without the name of a file it is about our own output."""
    reason = error.strerror or str(error)
    return (
        f"{error.filename}: {reason}" if error.filename else f"output: cannot be written: {reason}"
    )


def _report_internal(error: BaseException) -> int:
    if os.environ.get("HGEISIM_TRACEBACK"):
        import traceback  # noqa: PLC0415 - not needed on a good day

        traceback.print_exception(error)
    if isinstance(error, NotBooted):
        words = f"finding {error.ident}, while the machine is set up, so nothing was run: {error}"
        return _report(words, status=EXIT_FINDING)
    problem = own_patch.mistake(error) or own_patch.suspect(error)
    if problem is not None:
        return _report(str(problem), status=EXIT_BAD_INPUT)
    line = f"internal error, a fault of hgeisim: {type(error).__name__}: {error}"
    return _report(line, "HGEISIM_TRACEBACK=1 in the environment shows where", status=EXIT_INTERNAL)
