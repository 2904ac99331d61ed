"""ftrace text, line by line: what /sys/kernel/tracing/trace holds, plain or gzip.

    vm0vcpu1-58 [002] d.Z.. 25.894021: alloc: cpu=2 vcpu=0xff60000002329d90 old_cpu=-1

Also read are the padding of the kernel, its `(tgid)` column, the location that a kprobe puts before
its arguments, and what `trace-cmd report` prints: with `-l` too, where the CPU and the flags are
one word, and the arguments of sched_switch as its plugin has them.  The layout is that of
`print_trace_line` and `print_lost_events` in kernel/trace/trace.c, v6.12.

Every way in which reading a file can fail is reported as a Problem.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hgeisim.errors import InputError, Problem
from hgeisim.trace.foreign_line import COMM_MAX, before_the_name, kind_of
from hgeisim.user_file import RECORD_MAX, UNREADABLE, opened, why_unreadable

LINE_MAX = 1 << 16
"""A line has fewer characters than this; the kernel prints a few thousand at most."""
_TRACE_DAT = b"\x17\x08\x44tracing"


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines with their ends ("\\n", also where the file has "\\r\\n").

    Bytes that are not UTF-8 become U+FFFD: the name of a task may have any.  InputError: the file
    cannot be read, is cut short, damaged or too large; the error says how many lines were good.
    """
    number, file = 0, str(path)
    try:
        with opened(path, file, RECORD_MAX) as stream:
            text = _text(stream, file)
            for line in iter(partial(text.readline, LINE_MAX), ""):
                number += 1
                if len(line) == LINE_MAX:
                    allowed = f"must have fewer than {LINE_MAX} characters"
                    raise InputError([Problem(file, f"line {number}", ascii(line[:60]), allowed)])
                yield line
    except UNREADABLE as error:
        where = f"after line {number}" if number else ""
        raise InputError([Problem(file, where, "", why_unreadable(error))]) from None


def _text(stream: io.BufferedReader, file: str) -> io.TextIOWrapper:
    head = stream.peek(len(_TRACE_DAT))
    if head.startswith(_TRACE_DAT):
        allowed, remedy = "is the binary file of trace-cmd", "`trace-cmd report` prints it as text"
        raise InputError([Problem(file, "", "", allowed, remedy)])
    if b"\0" in head and head.startswith((b"\xff\xfe", b"\xfe\xff")):
        allowed, remedy = "is UTF-16", "`iconv -f UTF-16 -t UTF-8` makes it UTF-8"
        raise InputError([Problem(file, "", "", allowed, remedy)])
    if b"\0" in head:
        raise InputError([Problem(file, "", "", "is neither a text file nor a gzip of one")])
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")


ALL_CPUS = -1
CPUS_MAX = 4096
"""CPU numbers are below this; a larger one comes from a damaged line."""

# Possessive quantifiers and atomic groups (`++`, `(?>`) never match again in another way, so a
# line takes linear time, however damaged it is.
_RECORD = re.compile(
    r"(?> *+((?<= )|.+?)-([0-9]{1,9}) ++(?:\( *+[0-9-]++\) ++)?"
    r"(?:\[([0-9]{3,4})\] ++(?:([^ ]{4,8}) ++)?|([0-9]{1,4})([^ 0-9][^ ]{3,7}) ++)"
    r"([0-9]{1,9}|[1-8][0-9]{9})\.([0-9]{1,9}): ++([^ :]++): ?)(.*)\n"
).fullmatch
_LOST = (
    re.compile(r"CPU:([0-9]{1,4}) \[LOST(?: ([0-9]{1,18}))? EVENTS\]\n").fullmatch,
    re.compile(r"CPU:([0-9]{1,4}) \[(?:([0-9]{1,18}) )?EVENTS DROPPED\]\n").fullmatch,
    re.compile(r"##### CPU ([0-9]{1,4}) buffer started() ####\n").fullmatch,
)
_OF_REPORT = re.compile(
    r"(?:version = \S+|cpus=[0-9]+|CPU [0-9]+ is empty|trace-cmd version .*)\n"
).fullmatch
"""What `trace-cmd report` prints before the events."""
_SWITCH = re.compile(
    r"(.*):([0-9]+) \[(-?[0-9]+)\] (\S+) ==> (.*):([0-9]+) \[(-?[0-9]+)\]\s*"
).fullmatch
_OF_SWITCH = (
    *("prev_comm", "prev_pid", "prev_prio", "prev_state"),
    *("next_comm", "next_pid", "next_prio"),
)
_PAIR = re.compile(
    r"\b([A-Za-z_]\w*+)(?:=|: ++)(\S++(?: ++(?!==>|\(|[A-Za-z_]\w*+(?:=|: ))\S++)*+)"
).findall
_LAST_WORD = re.compile(r"(?:^|.*\s)\(([^()]*)\)\s*").fullmatch
_NS = [10 ** (9 - digits) for digits in range(10)]
"""The nanoseconds that the last digit of a fraction is worth, by its number of digits."""


class Record(NamedTuple):
    """One event.

    `line` counts the lines of the file from 1; `time_ns` is on the trace's own clock; `flags` are
    irqs-off, need-resched, hardirq/softirq, preempt depth, as ftrace prints them ("" if the file
    leaves them out); `text` has the arguments, unchanged.
    """

    line: int
    comm: str
    pid: int
    cpu: int
    flags: str
    time_ns: int
    event: str
    text: str

    def arguments(self) -> dict[str, str]:
        """Read `text`; see `arguments_of`."""
        return arguments_of(self.text)


class Header(NamedTuple):
    """A line that begins with `#`, without the `#`."""

    line: int
    text: str


class Lost(NamedTuple):
    """Events of a CPU (any CPU for `ALL_CPUS`) are missing before this line.

    `events` is their number, None if ftrace did not count them.
    """

    line: int
    cpu: int
    events: int | None


Entry = Record | Header | Lost


def arguments_of(text: str) -> dict[str, str]:
    """Read `name=value` or `name: value` pairs, with spaces between them; values may have spaces.

    Words in parentheses at the end have no name; their key is "()".  The plugin of trace-cmd prints
    those of sched_switch without names.
    """
    if " ==> " in text and (switch := _SWITCH(text)):
        return dict(zip(_OF_SWITCH, switch.groups(), strict=True))
    found = dict(_PAIR(text))
    if text.endswith(")") and (last := _LAST_WORD(text)):
        found["()"] = last[1]
    return found


def read_ftrace(path: Path) -> Iterator[Entry]:
    """Yield every line of a trace, as it is read.

    InputError names file and line: a line that is none of these, a time that goes backwards on its
    CPU, a file that cannot be read or is cut short.
    """
    return parse_ftrace(lines_of(path), str(path))


def parse_ftrace(lines: Iterable[str], file: str) -> Iterator[Entry]:
    """Yield an entry for each line (with its end); `file` is the name in problems."""
    last_ns: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        found = None if line[0] == "#" else _RECORD(line)
        if found is None:
            if not line.isspace():
                yield _aside(file, number, line)
            continue
        comm, pid, in_brackets, apart, in_word, joined, *rest = found.groups()
        seconds, fraction, event, text = rest
        if len(comm) > COMM_MAX or (in_word and ": " in comm):
            raise _problem(file, number, comm, *before_the_name(comm))
        time_ns = int(seconds) * 1_000_000_000 + int(fraction) * _NS[len(fraction)]
        cpu, flags = int(in_brackets or in_word), apart or joined
        if cpu >= CPUS_MAX:
            raise _problem(file, number, f"CPU {cpu}", f"must be below {CPUS_MAX}")
        if time_ns < last_ns.get(cpu, 0):
            allowed = (
                f"the line before it on CPU {cpu} has a later time; one CPU's events are in order"
            )
            remedy = "lines were moved, or two traces were joined"
            raise _problem(file, number, f"{seconds}.{fraction}", allowed, remedy)
        last_ns[cpu] = time_ns
        yield Record(number, comm, int(pid), cpu, flags or "", time_ns, event, text)


def _aside(file: str, number: int, line: str) -> Header | Lost:
    """Read a line that is not a record."""
    for match in _LOST:
        if found := match(line):
            return Lost(number, int(found[1]), int(found[2]) if found[2] else None)
    if line[0] == "#" or _OF_REPORT(line):
        return Header(number, line.removeprefix("#").strip())
    if not line.endswith("\n"):
        raise _problem(file, number, line, "is cut short: it has no end of line")
    raise _problem(file, number, line, *kind_of(line))


def _problem(file: str, number: int, found: str, allowed: str, remedy: str = "") -> InputError:
    value = ascii(found if len(found) <= 60 else found[:57] + "...")
    return InputError([Problem(file, f"line {number}", value, allowed, remedy)])
