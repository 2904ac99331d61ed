"""Texts that stand where a copy of /proc/lockdep should: parts of it, its neighbours in /proc,
copies of dmesg, reports of lockdep.

Each has a sentence that says what it is, and one that says what is needed instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from hgeisim.errors import InputError, Problem

WHOLE = "the whole of /proc/lockdep is needed: `cat /proc/lockdep > FILE`, as root"
PROVE_LOCKING = "build the kernel with CONFIG_PROVE_LOCKING"
_OFF = "lockdep is off after its first report, so copy /proc/lockdep after another boot"

STAMPED = re.compile(
    r"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} \S+ kernel: )?"
    r"(?:<[0-9]+>)?\[ *[0-9]+\.[0-9]+\](?:\[[^]]*\])? ?"
)
"""What dmesg and the journal put before each line."""


class Kind(NamedTuple):
    """A kind of text: a line that it has, what it is, and what is needed instead."""

    line: re.Pattern[str]
    what: str
    remedy: str


KINDS = tuple(
    Kind(re.compile(line), what, remedy)
    for line, what, remedy in (
        (
            r"cat: |.*: (?:No such file or directory|Permission denied)$",
            "is the complaint of a command, not /proc/lockdep",
            "a kernel built with CONFIG_PROVE_LOCKING has the file, and root can read it",
        ),
        (
            r"(?:WARNING: |\[ BUG: |=+\[ BUG: |BUG: )[^\n]*(?:lock|wait context|RCU usage)",
            "is a report of lockdep, not /proc/lockdep",
            _OFF,
        ),
        (
            r"all lock chains:|irq_context: [0-9]",
            "is /proc/lockdep_chains, not /proc/lockdep",
            WHOLE,
        ),
        (
            r"lock_stat version |\s*class name\s+con-bounces",
            "is /proc/lock_stat, not /proc/lockdep",
            WHOLE,
        ),
        (
            r" (?:lock-classes|direct dependencies|dependency chains|debug_locks):\s+[0-9]+",
            "is /proc/lockdep_stats, not /proc/lockdep",
            WHOLE,
        ),
        (
            r"(?: -> \[\S+\] |\S+ (?:OPS:\s*[0-9]+ )?FD:\s*[0-9]+ BD:\s*[0-9]+ [.+?-]{4})",
            "is a part of /proc/lockdep, without its first line",
            WHOLE,
        ),
    )
)
BASELINE_WORDS = ("kernel", "scenarios", "class", "edge", "accept")


def refuse_foreign(text: str, file: str) -> None:
    """Raise InputError, with one problem, if a text is neither a baseline nor /proc/lockdep."""
    lines = text.splitlines()
    stamps = [STAMPED.match(line) for line in lines]
    stamped = bool(lines) and all(stamps)
    bare = [
        line[found.end() :] if found else line for line, found in zip(lines, stamps, strict=True)
    ]
    for kind in KINDS:
        if any(kind.line.match(line) for line in bare):
            what, remedy = kind.what, kind.remedy
            if stamped and "all lock classes:" in bare:
                what, remedy = "is a copy of /proc/lockdep with the times of dmesg before it", WHOLE
            raise InputError([Problem(file, "", "", what, remedy)])
    if _first_word(lines) not in ("", *BASELINE_WORDS):
        what = "is neither a baseline nor a copy of /proc/lockdep"
        remedy = f"`hgeisim locks learn` writes baselines; {WHOLE}"
        raise InputError([Problem(file, "", "", what, remedy)])


def _first_word(lines: Iterable[str]) -> str:
    """The first word of a baseline's text: comments are not counted."""
    words = (line.split()[0] for line in lines if line.strip())
    return next((word for word in words if not word.startswith("#")), "")
