"""A command that is ended early, or has no room.

A run leaves a whole run folder or none: the old one.  A search prints what it has found, with
tokens.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from hgeisim.cli.process import Stopped
from hgeisim.drivers.explored.compiled.library import PURE
from hgeisim.drivers.explored.counterexample import shrink
from hgeisim.drivers.explored.counterexample import shrink as isolate
from hgeisim.drivers.explored.strategies import lock_walks, plain
from hgeisim.drivers.explored.strategies import random_walk as walk
from hgeisim.drivers.explored.strategies.search import Search
from hgeisim.runs.folder import read_run
from tests.support.commands import hgeisim

COMMAND = (sys.executable, "-m", "hgeisim")
LONG = ("run", "server-64", "--until", "100s")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHORT = ("run", "exhaustion-auto", "--until", "2ms")


@contextmanager
def heeded() -> Iterator[None]:
    """Start commands that heed signals; in the background of a shell SIGINT is ignored, with nohup
    SIGHUP, and both are inherited."""
    before = [signal.signal(number, signal.SIG_DFL) for number in STOPPING]
    try:
        yield
    finally:
        for number, handler in zip(STOPPING, before, strict=True):
            signal.signal(number, handler)


def on_a_terminal(*args: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command whose stderr is a terminal; returns what is shown there, as a file."""
    terminal, end = os.openpty()
    with heeded():
        started = subprocess.Popen([*COMMAND, *args], stdout=subprocess.PIPE, stderr=end)
    os.close(end)
    return started, terminal


def shown_until(terminal: int, words: bytes) -> bytes:
    """The output of a terminal up to some words."""
    said = b""
    while words not in said:
        said += os.read(terminal, 4096)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("number", STOPPING)
def test_a_stopped_run_leaves_what_was_there(
    tmp_path: Path, existing: bool, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    if existing:
        assert hgeisim(*SHORT, "--out", str(out)).status == 0
    running, terminal = on_a_terminal(*LONG, "--out", str(out))
    shown_until(terminal, b"of 100 s")
    running.send_signal(number)
    try:
        printed, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    os.close(terminal)
    assert (running.returncode, printed) == (128 + number, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["run"] * existing
    if existing:
        assert read_run(out).manifest["end_ns"] == 2_000_000


STOPPED_WHILE_WRITING = """
import os, sys
from hgeisim.cli.main import main
from hgeisim.runs import atomic_folder as place

write = place.write_file

def write_and_stop(path, text):
    write(path, text)
    os.kill(os.getpid(), int(sys.argv[1]))

place.write_file = write_and_stop
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", STOPPING)
def test_a_run_that_is_stopped_while_it_writes_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    args = [sys.executable, "-c", STOPPED_WHILE_WRITING, str(int(number)), *SHORT]
    with heeded():
        said = subprocess.run([*args, "--out", str(tmp_path / "a" / "run")], check=False)
    assert said.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_terminal_sees_simulated_time_and_what_is_left() -> None:
    running, terminal = on_a_terminal("run", "server-64", "--until", "4ms")
    said = shown_until(terminal, b"of 4 ms")
    said += shown_until(terminal, b"simulated 4.0 of 4 ms")
    try:
        printed, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    os.close(terminal)
    assert b"left:" in said
    assert b"simulated" not in printed
    assert running.returncode == 0


def small_files() -> None:
    """No file may have more than 2 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))


@pytest.mark.slow
@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, existing: bool) -> None:
    out = tmp_path / "run"
    if existing:
        assert hgeisim(*SHORT, "--out", str(out)).status == 0
        before = (out / "manifest.json").read_bytes()
    args = [*COMMAND, "run", "homogeneous", "--until", "2ms", "--out", str(out)]
    said = subprocess.run(args, capture_output=True, preexec_fn=small_files, check=False)
    assert said.returncode == 2
    assert said.stdout == b""
    assert b"run: cannot be written: File too large; nothing was changed" in said.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run"] * existing
    if existing:
        assert (out / "manifest.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_output_that_cannot_be_written_is_reported(more: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        args = [*COMMAND, *SHORT, *more]
        said = subprocess.run(args, stdout=full, stderr=subprocess.PIPE, check=False)
    assert said.returncode == 2
    assert said.stderr == b"hgeisim: error: output: cannot be written: No space left on device\n"


V2 = ("--variant", "v6.12+percpu-v2")
STOPS: dict[str, tuple[BaseException, int, str]] = {
    "Ctrl-C": (KeyboardInterrupt(), 130, "was interrupted"),
    "an error": (ValueError("what now"), 3, "failed (ValueError)"),
    "no memory": (MemoryError(), 1, "ran out of memory"),
}


def after(number: int, error: BaseException, really: Callable[..., Any]) -> Callable[..., Any]:
    """A function that raises once, when it has been called `number` times."""
    calls = count()

    def call(*args: Any, **named: Any) -> Any:
        if next(calls) == number:
            raise error
        return really(*args, **named)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(("error", "status", "words"), STOPS.values(), ids=STOPS)
@pytest.mark.proof
def test_a_search_that_is_stopped(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, words: str
) -> None:
    expand = after(30_000, error, plain.Plain.expand)
    monkeypatch.setattr(plain.Plain, "expand", expand)
    monkeypatch.setenv(PURE, "1")
    answer = hgeisim("explore", "patch-race", *V2)
    assert answer.status == status
    assert "violation (bounded): no further than" in answer.out
    assert words in answer.out.replace("\n  ", " ")
    assert "lock-init-held:hgctrl->lock (V2-1)" in answer.out
    findings = [each for each in answer.out.split("\n\n") if "hgeisim replay" in each]
    assert len(findings) > 10
    monkeypatch.undo()
    for each in findings:
        token = each.partition("hgeisim replay ")[2].split()[0]
        accepted = each.partition("\n  known:")[0].endswith("accepted") or ", accepted\n" in each
        assert hgeisim("replay", token).status == (0 if accepted else 1), each


@pytest.mark.slow
def test_what_is_found_before_the_search_starts_again_counts_when_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error comes at the first step of the second search."""
    run, runs = Search.run, list[bool]()

    def once(search: Any, *args: Any) -> bool:
        if runs:
            raise KeyboardInterrupt
        runs.append(run(search, 20_000, None))
        return False

    monkeypatch.setattr(Search, "run", once)
    answer = hgeisim("explore", "patch-race", *V2)
    assert answer.status == 130
    assert "hgeisim replay" in answer.out


@pytest.mark.slow
def test_walks_that_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PURE, "1")
    monkeypatch.setattr(walk, "_note_all", after(100, KeyboardInterrupt(), walk._note_all))
    answer = hgeisim("explore", "patch-race", *V2, "--walk", "1000", "--json")
    assert answer.status == 130
    assert '"bound": "101 random schedules, where it was interrupted"' in answer.out
    assert '"token": "hg2.' in answer.out


AFTERWARDS = {
    "telling hazards apart": (isolate, "_others"),
    "lock order": (lock_walks, "_walk"),
    "lock order alone": (lock_walks, "shown_alone"),
    "shorter schedules": (shrink, "_shows"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("module", "function"), AFTERWARDS.values(), ids=AFTERWARDS)
@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (Stopped(15), 143), (ValueError("no"), 3)]
)
@pytest.mark.proof
def test_what_comes_after_the_search_is_stopped(
    monkeypatch: pytest.MonkeyPatch, module: Any, function: str, error: BaseException, status: int
) -> None:
    """The search is reported in full: its findings, with tokens, and what it covered."""
    monkeypatch.setattr(module, function, after(0, error, getattr(module, function)))
    answer = hgeisim("explore", "move-offline", "--variant", "v7.0")
    assert answer.status == status
    assert "(exhausted): every interleaving" in answer.out
    assert answer.out.count("hgeisim replay hg2.") >= 4
    assert "schedules may be longer than they need be" in answer.out.replace("\n  ", " ")
    assert ("lock order was not looked at" in answer.out) is (function == "_others")
    if function == "_walk":
        text = answer.out.replace("\n  ", " ")
        assert "0 schedules, where it " in text


@pytest.mark.slow
def test_the_first_new_finding_is_enough() -> None:
    answer = hgeisim("explore", "patch-race", *V2, "--first")
    assert answer.status == 1
    assert "bounded): no further than the first finding" in answer.out.replace("\n  ", " ")
    assert answer.out.count("unlocked:free_bitmap") == 1
    assert "broken-lock" not in answer.out
    accepted = hgeisim("explore", "stale-attr", "--variant", "v6.12", "--first")
    assert accepted.status == 0
    assert "exhausted" in accepted.out
    strict = hgeisim("explore", "stale-attr", "--variant", "v6.12", "--first", "--strict")
    assert "the first finding" in strict.out
