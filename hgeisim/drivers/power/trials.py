"""Faults that are tried, each in a process of its own, and what became of them."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple, TypeAlias

from hgeisim.drivers.power.planting import Fault

NO_KERNEL, NO_EFFECT, NOTICED = "no kernel", "no effect", "noticed"
SURVIVED, UNFINISHED = "survived", "not finished"
LONGEST_S = 20
"""CPU seconds for one fault, if nothing else is said."""
NOT_A_PROGRAM = ("NameError", "UnboundLocalError", "TypeError", "AttributeError", "SyntaxError")


class Outcome(NamedTuple):
    """What became of a fault: a word, and what showed it."""

    fault: Fault
    word: str
    what: str = ""


Try: TypeAlias = Callable[[Fault], Outcome]
"""Tries a fault, in a process that it may spoil."""


def in_turns(faults: Iterable[Fault]) -> list[Fault]:
    """The same faults, so ordered that any first part is spread evenly over functions."""
    by_function: dict[str, list[Fault]] = {}
    for fault in faults:
        by_function.setdefault(fault.function, []).append(fault)
    rounds = zip_longest(*by_function.values())
    return [fault for each in rounds for fault in each if fault is not None]


def shown_by(fault: Fault, finding_id: str, text: str) -> Outcome:
    """What a finding says of a fault: that it was noticed, or that it makes no kernel."""
    broken = finding_id.startswith("exception:") and text.startswith(NOT_A_PROGRAM)
    return Outcome(fault, NO_KERNEL if broken else NOTICED, finding_id)


def outcomes(
    faults: Iterable[Fault],
    how: Try,
    may_go_on: Callable[[], bool],
    jobs: int = 1,
    longest_s: int = LONGEST_S,
) -> Iterator[Outcome]:
    """Try faults as long as one may go on, so many at a time, each for so many CPU seconds."""
    left, running = iter(faults), dict[int, tuple[Fault, int]]()
    more = True
    while more or running:
        while more and len(running) < jobs:
            fault = next(left, None) if may_go_on() else None
            more = fault is not None
            if fault is not None:
                pid, pipe = _fork(fault, how, longest_s)
                running[pid] = fault, pipe
        if running:
            pid, _ = os.wait()
            fault, pipe = running.pop(pid)
            yield _told(fault, pipe, longest_s)


def _fork(fault: Fault, how: Try, longest_s: int) -> tuple[int, int]:
    """Try a fault in a process of its own; its number, and where it says what came of it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:  # in the new process, which never returns
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (longest_s, longest_s + 1))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        os.write(writing, json.dumps(_said(fault, how)).encode())
    finally:
        os._exit(0)


def _said(fault: Fault, how: Try) -> tuple[str, str]:
    """What to say of a fault, whatever it breaks."""
    try:
        _, word, what = how(fault)
    except Exception as error:  # noqa: BLE001 - a fault may break anything
        return NO_KERNEL, f"{type(error).__name__}: {error}"
    return word, what


def _told(fault: Fault, pipe: int, longest_s: int) -> Outcome:
    """What a process has said about its fault; nothing where its time was up."""
    with os.fdopen(pipe, "rb") as said:
        text = said.read()
    if not text:
        return Outcome(fault, UNFINISHED, f"no end in {longest_s} s")
    word, what = json.loads(text)
    return Outcome(fault, word, what)


def cpu_s() -> float:
    """CPU seconds of this process and of those that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
