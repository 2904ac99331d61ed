"""A shell or a machine may do things to the command: closed streams, no memory, odd settings."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hgeisim.cli.console import print_parts
from hgeisim.cli.main import main
from hgeisim.report.grid import Grid
from tests.support.commands import hgeisim

COMMAND = (sys.executable, "-m", "hgeisim")
QUICK = [
    ("--help",),
    ("scenario", "list"),
    ("scenario", "list", "--json"),
    ("locks", "show", "v7.0"),
]


def start(
    words: tuple[str, ...],
    before: Callable[[], object] | None = None,
    out: int = subprocess.PIPE,
    err: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, with `before` done to it."""
    return subprocess.run(
        [*COMMAND, *words], stdout=out, stderr=err, preexec_fn=before, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_a_closed_stdout_is_reported(words: tuple[str, ...]) -> None:
    said = start(words, lambda: os.close(1))
    assert said.returncode == 2
    assert said.stderr == b"hgeisim: error: output: cannot be written: it is closed\n"


@pytest.mark.slow
def test_a_closed_stdout_changes_no_file(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert start(("run", "patch-race", "--out", str(out)), lambda: os.close(1)).returncode == 2
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_a_full_stdout_and_one_for_reading_are_reported(words: tuple[str, ...]) -> None:
    for device, mode, reason in (
        ("/dev/full", os.O_WRONLY, b"No space left on device"),
        ("/dev/null", os.O_RDONLY, b"Bad file descriptor"),
    ):
        stream = os.open(device, mode)
        said = start(words, out=stream)
        os.close(stream)
        assert said.returncode == 2
        assert said.stderr == b"hgeisim: error: output: cannot be written: " + reason + b"\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_a_reader_who_leaves_is_reported_nothing(words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    said = start(words, out=write)
    os.close(write)
    assert (said.returncode, said.stderr) == (141, b"")


@pytest.mark.slow
@pytest.mark.parametrize("words", [("run", "none"), ("run", "none.toml"), ("nonsense",), ("plot",)])
def test_nobody_need_read_what_is_wrong(words: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    assert start(words, err=full).returncode == 2
    os.close(full)
    assert start(words, lambda: os.close(2)).returncode == 2
    assert start(words, lambda: os.closerange(1, 3)).returncode == 2


@pytest.mark.slow
def test_a_closed_stderr_keeps_nothing_from_running() -> None:
    words = ("run", "exhaustion-auto", "--until", "1ms")
    for before in (lambda: os.close(0), lambda: os.close(2)):
        said = start(words, before)
        assert (said.returncode, said.stderr) == (0, b"")
        assert b"fingerprint" in said.stdout


def small_memory(mib: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))


@pytest.mark.slow
@pytest.mark.parametrize("mib", [32, 150])
def test_too_little_memory_is_reported(tmp_path: Path, mib: int) -> None:
    """For the libraries, or for what is read."""
    path = tmp_path / "large.txt"
    path.write_text(
        "all lock classes:\n" + "".join(f"{n:x} FD: 1 BD: 1 ....: a{n}\n" for n in range(300_000))
    )
    said = start(("locks", "show", str(path)), small_memory(mib))
    assert said.returncode == 2, said
    assert b"locks show" in said.stderr
    assert b"large.txt: there is not enough memory for this\n" in said.stderr


def test_a_want_of_memory_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr("hgeisim.scenario.find.read_text", read)
    answer = hgeisim("run", "big-little")
    assert answer.status == 2
    assert (
        answer.err
        == "hgeisim: error: hgeisim run big-little: there is not enough memory for this\n"
    )


@pytest.mark.parametrize(
    "columns", ["abc", "0", "-5", "1", "39", "9" * 12, "9" * 5000, "²", "", " "]
)
def test_a_width_that_no_terminal_has_is_80(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(n, "words " * 30) for n in range(3)]
    for words in ("80", columns):
        monkeypatch.setenv("COLUMNS", words)
        monkeypatch.setenv("LINES", columns)
        print_parts([Grid(("HART", "remark"), rows)])
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    assert main(["run", "--help"]) == 0


def test_no_column_of_a_narrow_table_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    cells = "abcdefghij"
    print_parts([Grid([cell.upper() for cell in cells], [list(cells)])])
    out = capsys.readouterr().out
    assert all(cell in out for cell in cells)


@pytest.mark.slow
def test_an_encoding_of_few_letters_gets_escapes(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.toml"
    shown = hgeisim("scenario", "show", "exhaustion-auto").out.replace('title = "', 'title = "µ ')
    Path(os.fsdecode(name)).write_text(shown)
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    for more in ((), ("--json",)):
        words = [*COMMAND, "run", name, "--until", "1ms", *more]
        said = subprocess.run(words, capture_output=True, env=env, check=False)
        assert (said.returncode, said.stderr) == (0, b"")
    assert json.loads(said.stdout)["fingerprint"]
    words = [*COMMAND, "scenario", "show", name, "--json"]
    said = subprocess.run(words, capture_output=True, env=env, check=False)
    assert json.loads(said.stdout)["scenario"]["title"].startswith("µ ")
    assert json.loads(said.stdout)["file"].endswith("caf\udce9.toml")
