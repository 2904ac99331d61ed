"""A run folder is whole or not there, reads back as it was written, and names its damage."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from hgeisim.errors import InputError
from hgeisim.runs import atomic_folder as place
from hgeisim.runs.fingerprint import columns, fingerprint
from hgeisim.runs.folder import check_replaceable, read_run, write_run
from hgeisim.runs.timeline import Timeline
from tests.support.timelines import busy_timeline, timelines

MANIFEST: dict[str, Any] = {
    "scenario": {"title": "test"},
    "variant": "v6.12",
    "preemption": "full",
    "seed": 1,
    "versions": {"hgeisim": "0.1.0"},
}
SUMMARY = {"b": 1, "a": [1, 2]}


def contents(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in sorted(path.iterdir())}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run folder, alone in its parent."""
    path = tmp_path / "run"
    write_run(path, MANIFEST, SUMMARY, busy_timeline((7, 3)))
    return path


@given(timelines())
@settings(max_examples=30)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, timeline: Timeline
) -> None:
    path = tmp_path_factory.mktemp("law") / "run"
    write_run(path, MANIFEST, SUMMARY, timeline)
    run = read_run(path)
    assert run.timeline.occupancy == timeline.occupancy
    for (name, read), (_, written) in zip(columns(run.timeline), columns(timeline), strict=True):
        assert read.tolist() == written.tolist(), name
    assert run.timeline.topology == timeline.topology
    assert run.timeline.busy_at == timeline.busy_at
    assert run.summary == SUMMARY
    assert run.manifest.items() >= MANIFEST.items()
    assert run.manifest["fingerprint"] == fingerprint(timeline)


def test_the_files_are_readable_by_eye(run: Path) -> None:
    assert (run / "summary.json").read_text() == ('{\n  "a": [\n    1,\n    2\n  ],\n  "b": 1\n}\n')
    assert (run / "occupancy.csv").read_text().startswith("time_ns,hart,busy\n333333,")
    assert (run / "events.csv").read_text().startswith("time_ns,event,hart,vcpu,line\n333333,")


def test_equal_runs_give_equal_bytes(run: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "again", MANIFEST, SUMMARY, busy_timeline((7, 3)))
    assert contents(tmp_path / "again") == contents(run)


def test_extra_files_go_with_it(tmp_path: Path) -> None:
    write_run(tmp_path / "run", MANIFEST, SUMMARY, busy_timeline((7,)), {"locks.txt": "none\n"})
    assert (tmp_path / "run" / "locks.txt").read_text() == "none\n"
    assert "locks.txt" in read_run(tmp_path / "run").manifest["files"]


def test_a_run_takes_the_place_of_an_older_one(run: Path, tmp_path: Path) -> None:
    (run / "occupancy.png").write_bytes(b"of the old run")
    write_run(run, MANIFEST | {"seed": 2}, SUMMARY, busy_timeline((1,)))
    assert read_run(run).manifest["seed"] == 2
    assert not (run / "occupancy.png").exists()
    assert list(tmp_path.iterdir()) == [run]


def test_an_empty_folder_and_missing_parents_are_free(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "a" / "b"):
        write_run(out, MANIFEST, SUMMARY, busy_timeline((1,)))
        assert read_run(out).summary == SUMMARY


def test_what_no_run_wrote_is_never_taken_away(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "manifest.json").write_text("{}")
    (tmp_path / "link").symlink_to("nowhere")
    (run / "notes.txt").write_text("mine")
    before = contents(run)
    for name, said in [
        ("file", "is not a run folder"),
        ("folder", "is not a run folder"),
        ("link", "is not a run folder"),
        ("run", "holds notes.txt, which no run wrote"),
    ]:
        with pytest.raises(InputError, match=f"{name}: {said}; choose another place"):
            check_replaceable(tmp_path / name)
        with pytest.raises(InputError):
            write_run(tmp_path / name, MANIFEST, SUMMARY, busy_timeline((1,)))
    assert contents(run) == before
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("failing", ["summary.json", "manifest.json"])
@pytest.mark.parametrize("existing", [True, False])
def test_a_broken_write_changes_nothing(
    run: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, failing: str, existing: bool
) -> None:
    out = run if existing else run.with_name("new")
    before = contents(run)

    def write(path: Path, text: str) -> None:
        path.write_text(text[: len(text) // 2])
        if path.name == failing:
            raise error

    monkeypatch.setattr(place, "write_file", write)
    with pytest.raises((KeyboardInterrupt, InputError)):
        write_run(out, MANIFEST | {"seed": 2}, SUMMARY, busy_timeline((1,)))
    assert contents(run) == before
    assert list(run.parent.iterdir()) == [run]


def test_a_broken_rename_brings_the_old_run_back(run: Path, monkeypatch: Any) -> None:
    before = contents(run)
    rename = Path.rename

    def stop_at_new(path: Path, target: Path) -> Path:
        if path.parent.name == "new":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stop_at_new)
    with pytest.raises(KeyboardInterrupt):
        write_run(run, MANIFEST, SUMMARY, busy_timeline((1,)))
    assert contents(run) == before
    assert list(run.parent.iterdir()) == [run]


def test_a_broken_write_takes_the_folders_away_that_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, text: str) -> None:
        raise OSError(28, f"No room for {len(text)} letters of {path.name}")

    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(place, "write_file", write)
    with pytest.raises(InputError, match="No room"):
        write_run(tmp_path / "mine" / "a" / "b" / "c", MANIFEST, SUMMARY, busy_timeline((1,)))
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_a_signal_waits_while_the_old_run_is_out_of_its_place(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def rename_and_stop(path: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGINT)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_and_stop)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            write_run(run, MANIFEST | {"seed": 2}, SUMMARY, busy_timeline((1,)))
    finally:
        signal.signal(signal.SIGINT, before)
    assert read_run(run).manifest["seed"] == 2
    assert list(run.parent.iterdir()) == [run]


def test_a_place_that_cannot_be_written_is_reported_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for name, said in [
        ("file/run", "cannot be written: .*/file is not a folder; nothing was changed"),
        ("file/a/b", "cannot be written: .*/file is not a folder; nothing was changed"),
        ("loop", "cannot be written: its symbolic links lead nowhere; nothing was changed"),
    ]:
        with pytest.raises(InputError, match=f"{name}: {said}"):
            check_replaceable(tmp_path / name)


def test_a_run_does_not_take_the_folder_away_that_one_is_in(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.parent / "empty").mkdir()
    for here, name in [(run, "."), (run, "../run"), (run.parent / "empty", ".")]:
        monkeypatch.chdir(here)
        with pytest.raises(InputError, match="you are in the folder that would be replaced; start"):
            check_replaceable(Path(name))
    Path().absolute().rmdir()
    with pytest.raises(InputError, match="x: cannot be written: No such file or directory"):
        check_replaceable(Path("x"))


def test_a_place_without_permission_is_reported_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(InputError, match="run: cannot be written: no permission to write in /"):
        check_replaceable(tmp_path / "a" / "run")


def test_a_folder_that_may_not_be_read_is_reported(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    for look in (check_replaceable, read_run):
        with pytest.raises(InputError, match="run: cannot be read: Permission denied"):
            look(run)


def damage(path: Path, line: int, text: str) -> None:
    lines = path.read_text().split("\n")
    lines[line - 1 : line] = [text]
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("file", "line", "text", "expected"),
    [
        ("occupancy.csv", 1, "time,busy", "line 1 = 'time,busy': must be 'time_ns,hart,busy'"),
        ("occupancy.csv", 3, "1,2", "line 3 = '1,2': must be time_ns,hart,busy in whole numbers"),
        ("occupancy.csv", 3, "x,1,1", "line 3 = 'x,1,1': must be time_ns,hart,busy in whole"),
        ("occupancy.csv", 3, "999999,2,1", "line 3 = '999999,2,1': hart must be 0..1"),
        ("occupancy.csv", 2, "999999999,1,1", "line 3 = .*: the line before it is of a later time"),
        ("occupancy.csv", 2, "-1,1,1", "line 2 = '-1,1,1': time_ns must be 0 or more"),
        ("occupancy.csv", 2, "0,1,99999", "line 2 = '0,1,99999': a number is out of range"),
        ("events.csv", 2, "0,gone,0,1,1", "line 2 = .*: the event must be one of alloc, fail"),
        ("events.csv", 2, "", "line 2 = '': the event must be one of"),
        ("manifest.json", 1, "", "line 2 column [0-9]+: must be JSON"),
        ("summary.json", 1, "[", "line 2 column [0-9]+: must be JSON"),
    ],
)
def test_damage_is_reported_by_file_and_line(
    run: Path, file: str, line: int, text: str, expected: str
) -> None:
    damage(run / file, line, text)
    with pytest.raises(InputError, match=f"{file}: {expected}"):
        read_run(run)


def test_a_file_cut_short_is_reported(run: Path) -> None:
    path = run / "events.csv"
    path.write_text(path.read_text()[:-3])
    with pytest.raises(InputError, match=r"events.csv: line \d+ = .*: is cut short"):
        read_run(run)


def test_all_damaged_files_are_reported_together(run: Path) -> None:
    damage(run / "events.csv", 2, "x")
    damage(run / "occupancy.csv", 2, "x")
    with pytest.raises(InputError) as caught:
        read_run(run)
    assert [Path(problem.file).name for problem in caught.value.problems] == [
        "occupancy.csv",
        "events.csv",
    ]


def test_a_wholly_damaged_file_is_reported_briefly(run: Path) -> None:
    (run / "events.csv").write_text("time_ns,event,hart,vcpu,line\n" + "x\n" * 1000)
    with pytest.raises(InputError) as caught:
        read_run(run)
    assert len(caught.value.problems) == 11
    assert "reading stopped here" in str(caught.value)


def test_a_changed_record_does_not_fit_the_fingerprint(run: Path) -> None:
    text = (run / "events.csv").read_text()
    (run / "events.csv").write_text(text.replace("alloc", "free", 1))
    with pytest.raises(InputError, match=r"fingerprint = .*: does not fit the records, which give"):
        read_run(run)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("format", "other/2", "format = 'other/2': must be 'hgeisim-run/2'; .* run the scenario"),
        ("seed", "1", 'seed = "1": must be a whole number'),
        ("seed", True, "seed = true: must be a whole number"),
        ("variant", None, "variant = missing: must be the name of a variant"),
        ("end_ns", -1, "end_ns = -1: must be 0..9007199254740992"),
        ("end_ns", 2**63, "end_ns = 9223372036854775808: must be 0..9007199254740992"),
        ("topology", {}, "topology.guest_index_bits = missing"),
        (
            "topology",
            {"guest_index_bits": 3, "source": "x", "harts": [{"guest_files": 7}]},
            r"topology.harts\[0\].geilen = missing: must be 0..63 or null",
        ),
        (
            "topology",
            {"guest_index_bits": 3, "source": "x", "harts": [{"guest_files": 128, "geilen": 64}]},
            r"topology.harts\[0\].guest_files = 128: must be 0..127\n.*geilen = 64: must be 0..63",
        ),
    ],
)
def test_a_wrong_manifest_is_reported(run: Path, key: str, value: object, expected: str) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {key: value}))
    with pytest.raises(InputError, match=rf"manifest.json: {expected}"):
        read_run(run)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ({}, "findings = {}: must be a list"),
        ([7], r"findings\[0\] = 7: must have id, text and time_ns"),
        ([{"id": "x", "text": "y"}], r"findings\[0\] = {.*}: must have id, text and time_ns"),
    ],
)
def test_wrong_findings_are_reported(run: Path, findings: object, expected: str) -> None:
    (run / "summary.json").write_text(json.dumps(SUMMARY | {"findings": findings}))
    with pytest.raises(InputError, match=f"summary.json: {expected}"):
        read_run(run)


def test_what_is_missing_is_reported(run: Path, tmp_path: Path) -> None:
    (run / "events.csv").unlink()
    with pytest.raises(InputError, match=r"events.csv: cannot be read: No such file"):
        read_run(run)
    with pytest.raises(InputError, match=r"nothing: is not a run folder; .*hgeisim run"):
        read_run(tmp_path / "nothing")


def test_a_run_of_an_older_version_is_not_read_and_may_be_replaced(run: Path) -> None:
    older = json.loads((run / "manifest.json").read_text()) | {"format": "hgeisim-run/1"}
    (run / "manifest.json").write_text(json.dumps(older))
    with pytest.raises(InputError, match="is of another version of hgeisim; run the scenario"):
        read_run(run)
    write_run(run, MANIFEST, SUMMARY, busy_timeline((7, 3)))
    assert read_run(run).manifest["format"] == "hgeisim-run/2"
    foreign = older | {"format": "other/1"}
    (run / "manifest.json").write_text(json.dumps(foreign))
    with pytest.raises(InputError, match="is not a run folder"):
        write_run(run, MANIFEST, SUMMARY, busy_timeline((7, 3)))
