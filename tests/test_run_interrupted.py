"""A run that is interrupted, or has no room, leaves a whole run folder or none: the old one."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hgeisim.record.folder import read_run
from tests.commands import hgeisim

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
    """Start a command whose stderr is a terminal; returns what is told there, as a file."""
    terminal, end = os.openpty()
    with heeded():
        started = subprocess.Popen([*COMMAND, *args], stdout=subprocess.PIPE, stderr=end)
    os.close(end)
    return started, terminal


def told_until(terminal: int, words: bytes) -> bytes:
    """What a terminal shows up to some words."""
    told = b""
    while words not in told:
        told += os.read(terminal, 4096)
    return told


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
    told_until(terminal, b"of 100 s")
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
from hgeisim.record import place

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
        told = subprocess.run([*args, "--out", str(tmp_path / "a" / "run")], check=False)
    assert told.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_terminal_sees_simulated_time_and_what_is_left() -> None:
    running, terminal = on_a_terminal("run", "server-64", "--until", "4ms")
    told = told_until(terminal, b"of 4 ms")
    told += told_until(terminal, b"simulated 4.0 of 4 ms")
    try:
        printed, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    os.close(terminal)
    assert b"left:" in told
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
    told = subprocess.run(args, capture_output=True, preexec_fn=small_files, check=False)
    assert told.returncode == 2
    assert told.stdout == b""
    assert b"run: cannot be written: File too large; nothing was changed" in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run"] * existing
    if existing:
        assert (out / "manifest.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_output_that_cannot_be_written_is_told(more: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        args = [*COMMAND, *SHORT, *more]
        told = subprocess.run(args, stdout=full, stderr=subprocess.PIPE, check=False)
    assert told.returncode == 2
    assert told.stderr == b"hgeisim: error: output: cannot be written: No space left on device\n"
