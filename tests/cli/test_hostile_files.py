"""Whatever a file holds, and whatever stands where a file should be: exit status 2, the name of the
file and a sentence, and it does not take long."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from shutil import copytree

import pytest

from hgeisim import user_file
from hgeisim.drivers.explored.counterexample.token import Token, encode
from hgeisim.errors import InputError
from hgeisim.trace.ftrace import arguments_of, parse_ftrace
from tests.support.commands import Told, hgeisim

DATA = Path(__file__).parent.parent / "data"
TRACE = str(DATA / "traces" / "01-no-contention.txt.gz")
LONG = "x" * 5000
DIGITS = b"9" * 5000


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a gzip file be a bomb from 256 KiB on."""
    monkeypatch.setattr(user_file, "TEXT_MAX", 1 << 18)


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def blob(depth: int) -> bytes:
    """Return a devicetree blob of nodes, each inside the one before."""
    nodes = b"\0\0\0\1" + b"\0\0\0\0" + b"\0\0\0\1a\0\0\0" * depth
    nodes += b"\0\0\0\2" * (depth + 1) + b"\0\0\0\x09"
    sizes = (56 + len(nodes), 56, 56 + len(nodes), 40, 17, 16, 0, 0, len(nodes))
    return struct.pack(">10I", 0xD00DFEED, *sizes) + b"\0" * 16 + nodes


CONTENTS: dict[str, bytes] = {
    "nothing": b"",
    "NULs": b"\0" * 4096,
    "noise": bytes(range(256)) * 64,
    "no UTF-8": b"title = '\xff'\n",
    "deep TOML": b"a = " + b"[" * 100_000,
    "deep table": b"a = " + b"{a=" * 100_000,
    "deep key": b"a." * 100_000 + b"a = 1",
    "deep JSON": b"[" * 100_000,
    "deep whole JSON": b"[" * 500 + b"]" * 500,
    "deep object": b'{"a":' * 100_000,
    "a long TOML number": b"[run]\nseed = " + DIGITS,
    "a long hex number": b"[run]\nseed = 0x" + DIGITS,
    "a long JSON number": b'{"format": ' + DIGITS + b"}",
    "a long JSON number in a list": b"[" + DIGITS + b"]",
    "blanks": b" " * 60_000 + b"\n" + b"x" + b" " * 60_000 + b"\n",
    "one long word": b"x" * 1_000_000,
    "a long lost count": b"CPU:1 [LOST " + DIGITS + b" EVENTS]\n",
    "a long dump": b"all lock classes:\n0 FD: " + DIGITS + b" BD: 1 ....: a\n",
    "gzip, cut": gz(b"kernel v7.0\n" * 99)[:-9],
    "gzip, cut in its head": gz(b"")[:5],
    "gzip, wrong sum": gz(b"kernel v7.0\n")[:-8] + b"\0" * 8,
    "gzip, damaged": gz(b"kernel v7.0\n")[:12] + b"\xff" * 40,
    "gzip and more": gz(b"kernel v7.0\n") + b"more",
    "gzip, unknown method": b"\x1f\x8b\x09" + b"\0" * 20,
    "gzip of NULs": gz(b"\0" * (40 << 20)),
    "gzip of blank lines": gz(b"\n" * (12 << 20)),
    "a deep blob": blob(5000),
    "a blob with a wild header": b"\xd0\x0d\xfe\xed" + b"\0\0\0\x30" + b"\xff" * 40,
}


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(user_file.RECORD_MAX + 1)


THINGS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "nothing there": lambda path: None,
    "a large file": sparse,
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "FILE"),
    "explore": ("explore", "FILE"),
    "scenario show": ("scenario", "show", "FILE"),
    "topology": ("topology", "FILE"),
    "import": ("trace", "import", "FILE"),
    "check": ("trace", "check", "FILE", "--variant", "v6.12"),
    "calibrate": ("trace", "calibrate", "FILE"),
    "events": ("trace", "import", TRACE, "--events", "FILE"),
    "conformance": ("locks", "conformance", "FILE"),
    "baseline": ("locks", "check", "--baseline", "FILE"),
    "order": ("locks", "check", "--baseline", "v7.0", "--order", "FILE"),
    "diff": ("locks", "diff", "v7.0", "FILE"),
    "show": ("locks", "show", "FILE"),
    "learn": ("locks", "learn", "patch-race", "--out", "FILE"),
    "patch": ("run", "big-little", "--variant", "v7.0+FILE:Name"),
    "devicetree": ("run", "SCENARIO"),
    "plot": ("plot", "FOLDER"),
    "compare": ("trace", "compare", "FOLDER", "FOLDER"),
}
SUFFIXES = {"run": ".toml", "explore": ".toml", "scenario show": ".toml", "patch": ".py"}
FINE = {("learn", "nothing there"), ("order", "nothing"), ("events", "nothing")}


def pairs(whats: Iterable[str]) -> list[tuple[str, str]]:
    return [pair for pair in product(COMMANDS, whats) if pair not in FINE]


def started(command: str, path: Path) -> Told:
    """Give a file to a command, also by way of a scenario or a run folder."""
    scenario, folder = path.with_name("scenario.toml"), path.with_name("folder")
    scenario.write_text(f"[machine]\ndevicetree = '{path.name}'\n[[vm]]\nname = 'a'\nvcpus = 1\n")
    if command in ("plot", "compare"):
        folder.mkdir()
        if os.path.lexists(path):
            path.rename(folder / "manifest.json")
    known = {"SCENARIO": str(scenario), "FOLDER": str(folder)}
    words = [known.get(w, w.replace("FILE", str(path))) for w in COMMANDS[command]]
    return hgeisim(*words)


def check(expected: Told, name: str) -> None:
    assert expected.status == 2, expected
    assert name in expected.err
    assert "Traceback" not in expected.err
    assert "internal error" not in expected.err
    assert len(expected.err) < 3000


@pytest.mark.parametrize(("command", "what"), pairs(CONTENTS))
def test_hostile_content(tmp_path: Path, command: str, what: str) -> None:
    path = tmp_path / f"hostile{SUFFIXES.get(command, '')}"
    path.write_bytes(CONTENTS[what])
    check(started(command, path), "folder" if command in ("plot", "compare") else "hostile")


@pytest.mark.parametrize(("command", "what"), pairs(THINGS))
def test_what_is_no_file(tmp_path: Path, command: str, what: str) -> None:
    path = tmp_path / f"hostile{SUFFIXES.get(command, '')}"
    THINGS[what](path)
    check(started(command, path), "folder" if command in ("plot", "compare") else "hostile")


PATHS: list[tuple[str, ...]] = [
    *(words for words in COMMANDS.values() if "FILE" in "".join(words)),
    ("run", "big-little", "--until", "1ms", "--out", "FILE"),
    ("trace", "import", TRACE, "--out", "FILE"),
    ("trace", "calibrate", TRACE, "-o", "FILE"),
    ("trace", "compare", "FILE", "FILE"),
    ("locks", "show", "--out", "FILE"),
    ("locks", "show", "--format", "png", "--out", "FILE.png"),
    ("locks", "diff", "FILE", "v7.0"),
    ("plot", "FILE"),
    ("plot", "RUN", "-o", "FILE.svg"),
    ("run", "FILE.toml"),
    ("scenario", "check", "FILE.toml"),
    ("locks", "learn", "FILE.toml"),
    ("locks", "check", "FILE", "--baseline", "v7.0"),
    ("explore", "patch-race", "--variant", "v7.0+FILE.py:A"),
    ("locks", "learn", "--variant", "v7.0+FILE.py:A"),
    ("trace", "check", TRACE, "--variant", "v7.0+FILE.py:A"),
    ("replay", "TOKEN"),
    ("replay", "TOKEN", "--variant", "v7.0+FILE.py:A"),
]
NAMES = {
    "NUL": "hosti\0le",
    "long": f"hostile{LONG}",
    "long folder": f"hostile{LONG}/a",
    "many folders": "hostile/" * 3000 + "a",
    "no UTF-8": "hostile\udcff/a",
    "through a file": "file/hostile",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder."""
    path = tmp_path_factory.mktemp("run") / "run"
    assert hgeisim("run", "exhaustion-auto", "--until", "1ms", "--out", str(path)).status == 0
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_hostile_names(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    if name == "no UTF-8" and ("--out" in words or "-o" in words):
        return  # it is a fine name for a new file
    token = (
        encode(Token(NAMES[name], "v7.0", "full", "0" * 8, (0,)))
        if "\udcff" not in NAMES[name]
        else ""
    )
    known = {"RUN": str(run), "TOKEN": token}
    answer = hgeisim(*(known.get(word, word.replace("FILE", NAMES[name])) for word in words))
    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert "internal error" not in answer.err
    assert words[0] == "replay" or "hosti" in answer.err


@pytest.mark.parametrize("what", CONTENTS)
@pytest.mark.parametrize("name", ["summary.json", "occupancy.csv", "events.csv", "vcpus.csv"])
def test_a_hostile_file_of_a_run(run: Path, tmp_path: Path, name: str, what: str) -> None:
    folder = tmp_path / "copy"
    copytree(run, folder)
    (folder / name).write_bytes(CONTENTS[what])
    check(hgeisim("plot", str(folder), "--kind", "lines"), name)


@pytest.mark.parametrize("line", [f"{'9' * 5000},0,1", f"0,{'9' * 5000},1", f"0,0,{'9' * 5000}"])
def test_a_long_number_in_a_table(run: Path, tmp_path: Path, line: str) -> None:
    folder = tmp_path / "copy"
    copytree(run, folder)
    (folder / "occupancy.csv").write_text(f"time_ns,hart,busy\n{line}\n")
    check(hgeisim("plot", str(folder)), "occupancy.csv: line 2 = ")


@pytest.mark.parametrize("words", [
    ("run", "big-little", "--seed", "9" * 5000),
    ("run", "big-little", "--seed", "0x" + "f" * 5000),
    ("run", "big-little", "--until", "9" * 5000 + "ms"),
    ("run", "big-little", "-s", "run.seed=" + "9" * 5000),
    ("run", "big-little", "-s", "run.seed=0x" + "f" * 5000),
    ("run", "big-little", "-s", "run.seed=" + "[" * 5000),
    ("run", "big-little", "-s", "run.seed=" + "{a=" * 5000),
    ("run", "big-little", "-s", "run.seed={" + "a." * 5000 + "a=1}"),
    ("run", "big-little", "-s", "a." * 5000 + "a=1"),
    ("run", "big-little", "-s", f"hotplug[{'9' * 5000}].hart=1"),
    ("run", "big-little", "-s", 'machine.devicetree="hosti\\u0000le"'),
    ("explore", "patch-race", "--seed", "9" * 5000),
    ("explore", "patch-race", "--states", "9" * 5000),
    ("explore", "patch-race", "--walk", "9" * 5000),
    ("locks", "show", "--depth", "9" * 5000),
    ("plot", "RUN", "--hart", "9" * 5000),
    ("plot", "RUN", "--hart", "9" * 4000),
    ("trace", "import", TRACE, "--lines", "9" * 5000),
    ("trace", "import", TRACE, "--lines", "\u00b2"),
    ("replay", "hg1." + "A" * 5000),
])  # fmt: skip
def test_hostile_values(run: Path, words: tuple[str, ...]) -> None:
    answer = hgeisim(*(str(run) if word == "RUN" else word for word in words))
    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert "internal error" not in answer.err


def test_a_devicetree_with_a_nul(tmp_path: Path) -> None:
    path = tmp_path / "hostile.toml"
    path.write_text(
        '[machine]\ndevicetree = "a\\u0000b"\n[[task]]\nname="t"\nhart=0\ndoes=["load"]\n'
    )
    check(hgeisim("run", str(path)), "machine.devicetree")


@pytest.mark.slow
def test_names_of_a_run_that_are_long(run: Path, tmp_path: Path) -> None:
    """Whoever wrote the folder: names are drawn as far as there is room."""
    folder = tmp_path / "copy"
    copytree(run, folder)
    rows = (folder / "vcpus.csv").read_text().split("\n")
    head, *vcpus, end = rows
    named = [",".join([row.split(",")[0], LONG, f"{LONG}b", *row.split(",")[3:]]) for row in vcpus]
    (folder / "vcpus.csv").write_text("\n".join([head, *named, end]))
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(
        manifest.replace('"title": "', f'"title": "{LONG * 400}', 1)
    )
    answer = hgeisim("plot", str(folder), "--kind", "all")
    assert answer.status == 0, answer.err


BLANKS = " " * 5_000_000
LINES = {
    "blanks": BLANKS,
    "a name and blanks": f"a-1 {BLANKS}",
    "many names": "a-1 " * 1_000_000,
    "many beginnings": "a-1 [000] d... 1.1: e: " * 100_000,
    "many numbers": "-1" * 1_000_000,
    "parentheses": "-1 (" * 1_000_000,
    "a word": "x" * 5_000_000,
    "flags": f"a-1 [000] d... 1.1:{BLANKS}",
}


@pytest.mark.parametrize("what", LINES)
def test_a_line_of_a_trace_takes_linear_time(what: str) -> None:
    """With a regular expression that tries again, none of these comes to its end."""
    for end in ("", "\n"):
        try:
            found = list(parse_ftrace([LINES[what] + end], "t"))
        except InputError as error:
            assert "t: line 1" in str(error)
        else:
            assert len(found) <= 1


ARGUMENTS = {
    "a word": "x" * 2_000_000,
    "words": "x " * 1_000_000,
    "digits and letters": "a1" * 1_000_000,
    "blanks": f"a={BLANKS}b",
    "blanks at the end": f"a=b{BLANKS}",
    "colons": "a: " * 1_000_000,
    "parentheses": "( " * 1_000_000 + ")",
    "closed ones": "a ()" * 1_000_000,
    "pairs": "a=b " * 200_000,
}


@pytest.mark.parametrize("what", ARGUMENTS)
def test_the_arguments_of_an_event_take_linear_time(what: str) -> None:
    assert len(arguments_of(ARGUMENTS[what])) <= 2
