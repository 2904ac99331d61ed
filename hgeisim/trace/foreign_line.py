"""Lines of other tools and other layouts where a trace's should be: what each is, and how to
get one that can be read."""

from __future__ import annotations

import re
from typing import NamedTuple

COMM_MAX = 15
"""Most characters of a task's name: TASK_COMM_LEN with the byte that ends it."""
LAYOUT = "must be 'COMM-PID [CPU] FLAGS SECONDS.FRACTION: EVENT: ARGUMENTS'"
_TRACEFS = "copy /sys/kernel/tracing/trace, or use `trace-cmd record` and `trace-cmd report`"
_CLOCK = "its clock does not count seconds"
_LOCAL = "record with trace_clock local, mono or boot"
_NO_TRACER = "record events only: current_tracer nop, no stack traces"


class Kind(NamedTuple):
    """Lines that a pattern finds, what they are, and the remedy."""

    found: re.Pattern[str]
    what: str
    remedy: str


KINDS = tuple(
    Kind(re.compile(pattern), what, remedy)
    for pattern, what, remedy in (
        (r"\x1b\[", "has codes for colours", "print it without colours"),
        (
            r"(?:<[0-9]+>)?\[ *[0-9]+\.[0-9]+\]|[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} \S+ kernel: ",
            "is from the log of the kernel, with its times before those of the trace",
            _TRACEFS,
        ),
        (
            r"[^\[]* [0-9]+(?:/[0-9]+)? +\[[0-9]{3,4}\] +(?:\S+ +)?[0-9]+\.[0-9]+: ",
            "is what `perf script` prints",
            _TRACEFS,
        ),
        (
            r".*-[0-9]+ +[0-9]+[^ 0-9]\S{3,7} +[0-9]+us ?[^ 0-9]?:",
            "is in the latency format, whose times begin at 0",
            "write 0 to /sys/kernel/tracing/options/latency-format, and copy the trace again",
        ),
        (
            r".*[0-9]\.[0-9]+: +\(\+[0-9.]+\)",
            "has the time since the line before it",
            "print it without `--ts-diff`",
        ),
        (r".*\[[0-9]{3,4}\] ++(?:[^ ]{4,8} ++)?(?:0x)?[0-9a-f]++: ", _CLOCK, _LOCAL),
        (r".*-[0-9]+ +[0-9]{1,4}[^ 0-9][^ ]{3,7} +(?:0x)?[0-9a-f]++: ", _CLOCK, _LOCAL),
        (r" =>|.* <-| *[0-9]+\) .*\|", LAYOUT, _NO_TRACER),
    )
)


def kind_of(line: str) -> tuple[str, str]:
    """The kind of a line that is not a record, and the remedy."""
    for kind in KINDS:
        if kind.found.match(line):
            return kind.what, kind.remedy
    return LAYOUT, ""


def before_the_name(comm: str) -> tuple[str, str]:
    """The meaning of something that stands before the name of a task, and the remedy."""
    what, remedy = kind_of(comm)
    if what != LAYOUT:
        return what, remedy
    if ": " in comm:
        return (
            "is of one of several recordings: a host and its guests have CPUs of the same numbers",
            "print the host's alone: `trace-cmd report -i FILE`; or, of instances, one alone",
        )
    return (
        f"has a task's name of {len(comm)} characters; the kernel's have at most {COMM_MAX}",
        _TRACEFS,
    )
