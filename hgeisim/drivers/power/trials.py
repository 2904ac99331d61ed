"""Trials of planted faults, each in a process of its own, and their outcomes."""

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
"""CPU seconds for one fault by default."""
NOT_A_PROGRAM = ("NameError", "UnboundLocalError", "TypeError", "AttributeError", "SyntaxError")


class Outcome(NamedTuple):
    """The outcome of a trial: a word, and what showed it."""

    fault: Fault
    word: str
    what: str = ""


Try: TypeAlias = Callable[[Fault], Outcome]
"""Tries a fault, in a process that it may spoil."""


def in_turns(faults: Iterable[Fault]) -> list[Fault]:
    """The same faults in turns of functions, so that any first part is spread evenly over them."""
    by_function: dict[str, list[Fault]] = {}
    for fault in faults:
        by_function.setdefault(fault.function, []).append(fault)
    rounds = zip_longest(*by_function.values())
    return [fault for each in rounds for fault in each if fault is not None]


def shown_by(fault: Fault, finding_id: str, text: str) -> Outcome:
    """The outcome of a fault with a finding: it was noticed, or the program is not a kernel."""
    broken = finding_id.startswith("exception:") and text.startswith(NOT_A_PROGRAM)
    return Outcome(fault, NO_KERNEL if broken else NOTICED, finding_id)


def outcomes(
    faults: Iterable[Fault],
    how: Try,
    may_go_on: Callable[[], bool],
    jobs: int = 1,
    longest_s: int = LONGEST_S,
) -> Iterator[Outcome]:
    """Try faults while `may_go_on`, `jobs` at a time, each for `longest_s` CPU seconds at most."""
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
            yield _outcome_in(pipe, fault, longest_s)


def _fork(fault: Fault, how: Try, longest_s: int) -> tuple[int, int]:
    """Try a fault in a new process; return its pid, and the pipe for the outcome."""
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
        try:
            _, word, what = how(fault)
        except Exception as error:  # noqa: BLE001 - a fault may break anything
            word, what = NO_KERNEL, f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps((word, what)).encode())
    finally:
        os._exit(0)


def _outcome_in(pipe: int, fault: Fault, longest_s: int) -> Outcome:
    """The outcome that a process has written; it writes nothing if its time was up."""
    with os.fdopen(pipe, "rb") as written:
        text = written.read()
    if not text:
        return Outcome(fault, UNFINISHED, f"no end in {longest_s} s")
    word, what = json.loads(text)
    return Outcome(fault, word, what)


def cpu_s() -> float:
    """CPU seconds of this process and of those that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
