"""The file or folder at a place stays until the new one is there, even if the writer is killed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from hgeisim.errors import InputError
from hgeisim.runs import atomic_folder as place
from hgeisim.runs.atomic_folder import put_file, put_folder, recover, workshop
from hgeisim.runs.folder import read_run, write_run
from hgeisim.runs.picture_kinds import KINDS, SUFFIXES, PictureKind, stem_of
from tests.support.commands import hgeisim
from tests.support.timelines import busy_timeline

OLD, NEW = "accept x :: written by hand\n", "new\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with something that took work, alone in its folder."""
    path = tmp_path / "file.txt"
    path.write_text(OLD)
    return path


def alone(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_broken_write_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def write(path: Path, content: str) -> None:
        path.write_text(content[: len(content) // 2])
        raise error

    monkeypatch.setattr(place, "write_file", write)
    said = r"file.txt: cannot be written: No space left; nothing was changed"
    with pytest.raises((KeyboardInterrupt, InputError)) as caught:
        put_file(file, NEW)
    assert caught.type is KeyboardInterrupt or said in str(caught.value)
    assert file.read_text() == OLD
    assert alone(file)


def test_a_file_takes_the_place_of_an_older_one_and_its_permissions(file: Path) -> None:
    file.chmod(0o640)
    put_file(file, NEW)
    assert file.read_text() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert alone(file)


def test_a_file_that_may_not_be_written_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != file)
    with pytest.raises(InputError, match="cannot be written: Permission denied; nothing was"):
        put_file(file, NEW)
    assert file.read_text() == OLD
    assert alone(file)


def test_a_link_stays_and_what_it_leads_to_is_replaced(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file.name)
    put_file(link, NEW)
    assert link.is_symlink()
    assert file.read_text() == NEW


def test_a_device_is_written_and_not_replaced(tmp_path: Path) -> None:
    put_file(Path(os.devnull), NEW)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        put_file(tmp_path, NEW)
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        put_file(tmp_path / "none" / "file", NEW)


LONG = "x" * 5000


@pytest.mark.parametrize("name", ["a\0b", LONG, f"{LONG}/b"])
def test_a_name_that_no_disk_takes_is_reported(tmp_path: Path, name: str) -> None:
    said = r"cannot be written: (File name too|embedded null)"
    with pytest.raises(InputError, match=said):
        put_file(tmp_path / name, NEW)
    with pytest.raises(InputError, match=said):
        put_folder(tmp_path / name, {"a": NEW})
    assert list(tmp_path.iterdir()) == []


TRACE = str(Path(__file__).parent.parent / "data" / "traces" / "01-no-contention.txt.gz")
COMMANDS = {
    "baseline.txt": ("locks", "learn", "patch-race", "--variant", "v7.0", "--out"),
    "graph.dot": ("locks", "show", "--format", "dot", "--out"),
    "locks.png": ("locks", "show", "--format", "png", "--out"),
    "timing.toml": ("trace", "calibrate", TRACE, "-o"),
    "picture.svg": ("plot", "RUN", "-o"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder."""
    path = tmp_path_factory.mktemp("a") / "run"
    assert hgeisim("run", "exhaustion-auto", "--until", "1ms", "--out", str(path)).status == 0
    return path


def refuse(path: Path, content: str | bytes) -> None:
    """Write half of it, on a disk that is full then."""
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_leaves_each_kind_of_file(
    name: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [str(run) if word == "RUN" else word for word in COMMANDS[name]]
    out = tmp_path / name
    out.write_text("kernel v7.0\n")
    monkeypatch.setattr(place, "write_file", refuse)
    answer = hgeisim(*words, str(out))
    assert answer.status == 2
    assert f"{out}: cannot be written: No space left on device; nothing was changed" in answer.err
    assert out.read_text() == "kernel v7.0\n"
    assert alone(out)


STEPS = ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.listdir", "os.scandir")
"""What a process is killed at, as the interpreter calls it for auditors."""
RUN: dict[str, Any] = {
    "scenario": {"title": "test"},
    "variant": "v6.12",
    "preemption": "full",
    "versions": {"hgeisim": "0.1.0"},
}


def make(out: Path, seed: int) -> None:
    """Leave a run, or a file, which says that it is the `seed`-th one."""
    if out.suffix:
        put_file(out, f"{seed}\n")
    else:
        write_run(out, RUN | {"seed": seed}, {}, busy_timeline((1,)))


def made(out: Path) -> int:
    """Which one is there; it must be whole."""
    return int(out.read_text() if out.suffix else read_run(out).manifest["seed"])


def killed_at(number: int, out: Path) -> bool:
    """Let a process make the second one and kill it before a step; False: it had no such step."""
    child = os.fork()
    if not child:
        left = count(number, -1)
        sys.addaudithook(lambda event, _: event in STEPS and not next(left) and os._exit(9))
        make(out, 2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def kill_at_every_step(out: Path) -> int:
    """Kill a writer at each step; look at the place right after it, or write beside it.  How many
    steps there were."""
    looks = (lambda: None, lambda: made(out))
    for number, look in ((number, look) for number in count() for look in looks):
        make(out, 1)
        was_killed = killed_at(number, out)
        look()
        make(out.with_name(f"other{out.suffix}"), 1)
        assert made(out) in ((1, 2) if was_killed else (2,)), number
        make(out, 3)
        assert made(out) == 3
        names = sorted(path.name for path in out.parent.iterdir())
        assert names == sorted([out.name, f"other{out.suffix}"]), f"litter of step {number}"
        if not was_killed:
            return number
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "file.txt"])
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, name: str) -> None:
    names = "from tests.runs.test_atomic_folder import *"
    code = f"{names}; print(kill_at_every_step(Path({str(tmp_path / name)!r})))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert int(said.stdout) >= 8, "all steps were seen"


def test_a_living_process_keeps_its_workshop(tmp_path: Path) -> None:
    with workshop(tmp_path) as mine:
        recover(tmp_path)
        with workshop(tmp_path) as other:
            assert mine.is_dir()
            assert other.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_a_workshop_stays(tmp_path: Path) -> None:
    (tmp_path / ".hgeisim-thesis_1").mkdir()
    (tmp_path / ".hgeisim-thesis_1" / "chapter").write_text("precious")
    (tmp_path / ".hgeisim-notes").mkdir()
    recover(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_came_to_the_place_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """A run was killed between its two renames, then somebody put another folder there."""
    left = tmp_path / ".hgeisim-abcdefgh"
    for path in (left / "old" / "run", left / "new" / "run", tmp_path / "run"):
        path.mkdir(parents=True)
        (path / "note").write_text(str(path.parent.name))
    recover(tmp_path)
    assert (tmp_path / "run" / "note").read_text() == tmp_path.name
    assert (left / "old" / "run" / "note").read_text() == "old"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_gives_way_to_a_new_run(tmp_path: Path, kind: str) -> None:
    make(tmp_path / "run", 1)
    for suffix in SUFFIXES:
        for hart in (None, 3):
            (tmp_path / "run" / f"{stem_of(kind, hart)}{suffix}").write_text("")
    make(tmp_path / "run", 2)
    assert made(tmp_path / "run") == 2


def test_a_new_kind_of_picture_needs_no_second_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "run", 1)
    (tmp_path / "run" / "novelty.svg").write_text("")
    with pytest.raises(InputError, match=r"holds novelty.svg, which no run wrote"):
        make(tmp_path / "run", 2)
    monkeypatch.setitem(KINDS, "novelty", PictureKind("something", "nothing:draws_it"))
    make(tmp_path / "run", 2)
    assert made(tmp_path / "run") == 2


def test_what_a_killed_plot_left_gives_way_to_a_new_run(tmp_path: Path) -> None:
    make(tmp_path / "run", 1)
    half = tmp_path / "run" / ".hgeisim-0123abcd" / "new" / "occupancy.png"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    make(tmp_path / "run", 2)
    assert made(tmp_path / "run") == 2
    assert not half.exists()


def planted(folder: Path) -> Path:
    """A workshop of nobody who lives."""
    left = folder / ".hgeisim-abcdefgh"
    left.mkdir(parents=True)
    return left


def test_a_workshop_that_somebody_sent_moves_nothing(tmp_path: Path) -> None:
    """Its rooms are links to a folder of the user."""
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    (home / "key").write_text("precious")
    left = planted(tmp_path / "run")
    for room in ("old", "new"):
        (left / room).symlink_to(home.parent)
    recover(tmp_path / "run")
    assert (home / "key").read_text() == "precious"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [left.name]


@pytest.mark.parametrize("there", [True, False])
def test_a_workshop_that_somebody_sent_replaces_no_file(tmp_path: Path, there: bool) -> None:
    left = planted(tmp_path)
    for room in ("old", "new"):
        (left / room).mkdir()
        (left / room / "notes.txt").write_text("evil")
    if there:
        (tmp_path / "notes.txt").write_text("precious")
    recover(tmp_path)
    assert (tmp_path / "notes.txt").exists() is there
    assert not there or (tmp_path / "notes.txt").read_text() == "precious"


def test_a_folder_that_took_the_place_meanwhile_stays(tmp_path: Path) -> None:
    left = planted(tmp_path)
    for room in ("old", "new"):
        (left / room / "run").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    recover(tmp_path)
    assert (left / "old" / "run").is_dir()
    (tmp_path / "run").rmdir()
    recover(tmp_path)
    assert (tmp_path / "run").is_dir()
    assert not left.exists()


def test_what_belongs_to_another_user_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = planted(tmp_path)
    for room in ("old", "new"):
        (left / room / "run").mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    recover(tmp_path)
    assert (left / "old" / "run").is_dir()
