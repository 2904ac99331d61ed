"""Traces for tests: excerpts of real ones, and small ones written line by line."""

from __future__ import annotations

import gzip
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from hgeisim.cli.trace import command
from hgeisim.errors import InputError
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import Lost, parse_ftrace
from hgeisim.trace.import_trace import Imported, import_trace
from hgeisim.trace.interval import Event, Interval, events_of, in_order, intervals_of
from hgeisim.trace.kvm_event import Meaning

FOLDER = Path(__file__).parent.parent / "data" / "traces"
NAMES = (
    *("migrations-3132", "hotplug", "enable-at-vm-create"),
    *("exhausted", "update", "locks"),
)


def trace_path(name: str) -> Path:
    """Where an excerpt is."""
    return FOLDER / f"{name}.txt.gz"


@cache
def trace_text(name: str) -> str:
    """The text of an excerpt."""
    return gzip.decompress(trace_path(name).read_bytes()).decode()


@cache
def imported(name: str) -> Imported:
    """An excerpt, read whole; once."""
    return import_trace(trace_path(name), Events())


def line(us: int, cpu: int, event: str, thread: str = "v1-11") -> str:
    """One line of a trace, `us` microseconds after 5 s."""
    return f"{thread} [{cpu:03}] d..1. 5.{us:06}: {event}\n"


def script(*steps: str) -> str:
    """A trace of steps `CPU THREAD event: arguments`, each 10 us after the one before.

    A step that begins with `CPU:` or `#` stands as it is.
    """
    lines = []
    for number, step in enumerate(steps):
        if step.startswith(("CPU:", "#")):
            lines.append(f"{step}\n")
            continue
        cpu, thread, event = step.split(" ", 2)
        lines.append(line(10 * number, int(cpu), event, thread))
    return "".join(lines)


def events_in(*steps: str, only: Collection[type[Meaning]] = ()) -> list[Event | Lost]:
    """The events and holes in a trace of such steps, in order of time; `only` as in `events_of`."""
    entries = parse_ftrace(script(*steps).splitlines(keepends=True), "t")
    return in_order(events_of(entries, Events(), "t", only))


def calls(*steps: str) -> list[Interval]:
    """The calls in a trace of such steps."""
    return intervals_of(events_in(*steps))


def decoded(*steps: str) -> list[Event]:
    """The events in a trace of such steps."""
    return [event for event in events_in(*steps) if isinstance(event, Event)]


class Answer(NamedTuple):
    """The exit status, output and problems of a run of `hgeisim trace`."""

    status: int
    out: str
    problems: tuple[str, ...]


HELP = ["-h", "--help"]
"""As those of the whole command: a click command remembers its help option."""


def trace_command(*args: object) -> Answer:
    """Run `hgeisim trace`; bad input is status 2, anything else that is raised fails the test."""
    how: dict[str, Any] = {"standalone_mode": False, "help_option_names": HELP}
    run = CliRunner().invoke(command, [str(arg) for arg in args], **how)
    if isinstance(run.exception, InputError):
        return Answer(2, run.stdout, tuple(map(str, run.exception.problems)))
    if run.exception is not None:
        raise run.exception
    return Answer(run.return_value, run.stdout, ())
