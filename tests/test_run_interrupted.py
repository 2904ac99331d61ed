"""A run that is interrupted, or has no room, leaves a whole run folder or none: the old one."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hgeisim.record.folder import read_run
from tests.commands import hgeisim

COMMAND = (sys.executable, "-m", "hgeisim")
LONG = ("run", "server-64", "--until", "100s")
SHORT = ("run", "exhaustion-auto", "--until", "2ms")


def on_a_terminal(*args: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command whose stderr is a terminal; returns what is told there, as a file."""
    terminal, end = os.openpty()
    command = [*COMMAND, *args]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:  # who is started in the background of a shell inherits that SIGINT is ignored
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end)
    finally:
        signal.signal(signal.SIGINT, before)
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
def test_ctrl_c_leaves_what_was_there(tmp_path: Path, existing: bool) -> None:
    out = tmp_path / "run"
    if existing:
        assert hgeisim(*SHORT, "--out", str(out)).status == 0
    running, terminal = on_a_terminal(*LONG, "--out", str(out))
    told_until(terminal, b"of 100 s")
    running.send_signal(signal.SIGINT)
    try:
        printed, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    os.close(terminal)
    assert (running.returncode, printed) == (130, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["run"] * existing
    if existing:
        assert read_run(out).manifest["end_ns"] == 2_000_000


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
