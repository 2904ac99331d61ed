"""hgeisim sweep: every point once, whatever happens in between, and other files stay whole."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import hgeisim
from hgeisim.errors import InputError
from hgeisim.study.metrics import METRICS
from hgeisim.study.store import FORMAT, _make, opened
from tests.support.clusters import cluster
from tests.support.commands import Told
from tests.support.commands import hgeisim as command
from tests.support.golden import check_golden
from tests.support.source import ROOT

AXES = ("-x", "machine.harts.1.guest_files=1,3", "-x", "vm.0.vcpus=4..8..4")
SMALL = ("sweep", "big-little", "--until", "600us", "--executor", "serial", "-n", "2")


def swept(path: Path, *words: str) -> Told:
    return command(*SMALL, *AXES, "-o", str(path), *words)


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM runs ORDER BY point, seed").fetchall()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a finished sweep."""
    path = tmp_path_factory.mktemp("sweep") / "done.sqlite"
    assert swept(path).status == 0
    return path


def test_every_combination_is_a_run_of_the_command(done: Path) -> None:
    rows = rows_of(done)
    assert len(rows) == 8
    words = ("-s", "machine.harts.1.guest_files=1", "-s", "vm.0.vcpus=8", "--seed", "2")
    run = command("run", "big-little", "--until", "600us", *words, "--json").document()
    point = {"machine.harts.1.guest_files": 1, "vm.0.vcpus": 8}
    (row,) = (row for row in rows if (json.loads(row[0]), row[1]) == (point, 2))
    values = dict(zip(METRICS, row[4:], strict=True))
    assert values["fails"] == sum(hart["fail"] for hart in run["harts"])
    assert values["lines_in_use"] == pytest.approx(sum(h["busy_mean"] for h in run["harts"]))


def test_what_people_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = swept(Path("small.sqlite"))
    assert (said.status, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.out.isascii()
    check_golden("sweep", said.out)


def test_a_finished_sweep_makes_nothing_again(done: Path) -> None:
    before = rows_of(done)
    found = swept(done, "--json").document()
    assert (found["made"], rows_of(done)) == (0, before)


def test_more_values_and_replications_go_on(done: Path, tmp_path: Path) -> None:
    path = tmp_path / "more.sqlite"
    path.write_bytes(done.read_bytes())
    found = swept(path, "-n", "3", "-x", "run.quiet=100us")
    assert found.status == 2  # another axis is another sweep
    assert "belongs to another sweep: its axes" in found.err
    assert swept(path, "-n", "3", "--json").document()["made"] == 4
    wider = ("-x", "machine.harts.1.guest_files=1..3", "-x", "vm.0.vcpus=4,8")
    more = command(*SMALL, *wider, "-n", "3", "-o", str(path), "--json").document()
    assert (more["made"], len(more["points"])) == (6, 6)


def test_runs_that_are_not_asked_for_are_left_out(done: Path, tmp_path: Path) -> None:
    path, csvs = tmp_path / "more.sqlite", [tmp_path / "2.csv", tmp_path / "again.csv"]
    path.write_bytes(done.read_bytes())
    few = swept(path, "--csv", str(csvs[0]), "--json").document()
    swept(path, "-n", "4")
    again = swept(path, "--csv", str(csvs[1]), "--json").document()
    assert again == few
    assert few["findings"] or csvs[0].read_text().count("\n") == 9
    assert csvs[1].read_text() == csvs[0].read_text()


def test_the_last_seeds_can_be_swept_and_no_more(tmp_path: Path) -> None:
    path = str(tmp_path / "last.sqlite")
    words = (*SMALL, "-x", "vm.0.vcpus=1", "-o", path, "--until", "50us")
    assert command(*words, "--seed", str(2**63 - 2)).status == 0
    told = command(*words, "--seed", str(2**63 - 1))
    assert told.status == 2
    assert f"must be at most {2**63 - 2}" in told.err


@pytest.mark.slow
def test_processes_leave_the_same_file(done: Path, tmp_path: Path) -> None:
    swept(tmp_path / "p.sqlite", "--executor", "processes")
    assert rows_of(tmp_path / "p.sqlite") == rows_of(done)


def test_exports(done: Path, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    words = ("--csv", f"{tmp_path}/a.csv", "--parquet", f"{tmp_path}/a.parquet")
    assert swept(done, *words, "--picture", f"{tmp_path}/a.svg").status == 0
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["machine.harts.1.guest_files"], r["vm.0.vcpus"], r["seed"]) for r in rows] == [
        (files, vcpus, seed) for files in "13" for vcpus in "48" for seed in "12"
    ]
    frame = polars.read_parquet(tmp_path / "a.parquet")
    assert frame["fails"].to_list() == [float(row["fails"]) for row in rows]
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


def test_a_heat_map(tmp_path: Path) -> None:
    axes: dict[str, Any] = {"vm.0.vcpus": [1, 2], "vm.1.vcpus": [1, 2, 3, 4, 5, 6]}
    axes["vm.0.mode"] = ["auto"]
    how: dict[str, Any] = {"until": "100us", "replications": 2, "executor": "serial"}
    made = hgeisim.sweep("big-little", axes, tmp_path / "map.sqlite", **how)
    made.plot("lines_in_use").save(tmp_path / "map.png")
    assert len(list(made.records())) == 24
    assert repr(made).startswith("<big-little: vm.0.vcpus (2) x vm.1.vcpus (6)")
    assert made._repr_html_().count("<tr>") == 13


def running(path: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hgeisim", *SMALL[:-1], "400", *AXES, "-o", str(path), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def wait_for_rows(path: Path, number: int) -> None:
    until = monotonic() + 60
    while monotonic() < until:
        if path.exists() and len(rows_of(path)) >= number:
            return
        sleep(0.05)
    raise AssertionError("no runs come")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["serial", "processes"])
def test_kill_9_loses_nothing_and_nothing_is_made_again(
    tmp_path: Path, where: str, done: Path
) -> None:
    path = tmp_path / "killed.sqlite"
    process = running(path, "--executor", where)
    wait_for_rows(path, 3)
    process.kill()
    process.communicate()
    kept = rows_of(path)
    assert 3 <= len(kept) < 1600
    found = swept(path, "--json").document()
    assert set(kept) <= set(rows_of(path))
    wanted = {row[:2] for row in rows_of(done)} - {row[:2] for row in kept}
    assert found["made"] == len(wanted)
    assert set(rows_of(done)) <= set(rows_of(path))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_is_done(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "stopped.sqlite"
    process = running(path, "--executor", "processes")
    wait_for_rows(path, 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert (out, err) == ("", f"stopped; the runs made so far are in {path}: say it again\n")
    assert not path.with_name("stopped.sqlite-wal").exists()
    assert len(rows_of(path)) >= 3


@pytest.mark.slow
def test_only_one_command_writes_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "two.sqlite"
    process = running(path)
    wait_for_rows(path, 1)
    second = swept(path)
    process.kill()
    process.communicate()
    assert second.status == 2
    assert "another command is writing to it" in second.err


def test_of_two_that_make_the_file_the_first_one_has_it(tmp_path: Path) -> None:
    """The second one saw no file, and makes its own when the first one writes already."""
    path = tmp_path / "two.sqlite"
    with opened(path, {"format": FORMAT}) as store:
        inode = path.stat().st_ino
        _make(path, {"format": FORMAT})
        assert path.stat().st_ino == inode
        with pytest.raises(InputError, match="another command is writing"), opened(path, {}):
            pass
        assert store.seeds("x") == set()
    assert [each.name for each in tmp_path.iterdir()] == ["two.sqlite"]


@pytest.mark.slow
def test_a_worker_of_a_cluster_dies_mid_sweep(tmp_path: Path, done: Path) -> None:
    pytest.importorskip("distributed")
    path = tmp_path / "cluster.sqlite"
    with cluster(workers=2) as (address, workers):
        process = running(path, "--executor", address, "-n", "40")
        wait_for_rows(path, 5)
        workers[0].kill()
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, ""), out
    assert len(rows_of(path)) == 160
    assert set(rows_of(done)) <= set(rows_of(path))


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (mine TEXT)")
        connection.commit()


def text(path: Path) -> None:
    path.write_text("my notes\n" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9_000])


def overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:12_288] = b"\xff" * 8192
    path.write_bytes(bytes(data))


def a_word_for_a_number(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET fails = 'many' WHERE seed = 2")
        connection.commit()


def infinite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET line_use = 9e999 WHERE seed = 1")
        connection.commit()


def of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET value = 'hgeisim sweep 0' WHERE name = 'format'")
        connection.commit()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (foreign, "is not the file of a sweep"),
        (text, "is not the file of a sweep"),
        (empty, "is not the file of a sweep"),
        (cut, "is damaged"),
        (overwritten, "is damaged"),
        (a_word_for_a_number, "is damaged: no number in a metric of"),
        (infinite, "is damaged: no number in a metric of"),
        (of_another_version, f"its format is hgeisim sweep 0, not {FORMAT}"),
    ],
)
def test_a_file_that_is_not_right_stays_as_it_is(
    harm: Callable[[Path], None], said: str, done: Path, tmp_path: Path
) -> None:
    path = tmp_path / "it.sqlite"
    if harm is not foreign:
        path.write_bytes(done.read_bytes())
    harm(path)
    before = path.read_bytes()
    found = swept(path)
    assert (found.status, found.out) == (2, "")
    assert said in found.err
    assert path.read_bytes() == before


def test_another_scenario_has_another_file(done: Path) -> None:
    before = done.read_bytes()
    found = swept(done, "-s", "vm.batch.vcpus=2")
    assert "belongs to another sweep: its digest" in found.err
    assert done.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-x", "vm.0.vcpus=7..1"), "-x vm.0.vcpus = 7..1: is an empty range: 7 is more than 1"),
        (("-x", "vm.0.vcpus="), "-x = "),
        (("-x", "vm.0.vcpus"), "must be KEY=VALUES"),
        (("-x", "vm.0.vcpus=1,,2"), "has an empty value between two commas"),
        (("-x", "vm.0.vcpus=1..9..0"), "must have a step of 1 or more"),
        (("-x", "vm.0.vcpus=1..99999"), "must have at most 10000 values"),
        (("-x", "vm.0.vcpu=1,2"), 'did you mean "vcpus"'),
        (("-x", "vm.wbe.vcpus=1,2"), 'did you mean "web"'),
        (("-x", "vm.0.vcpus=1,many"), "-x vm.0.vcpus"),
        (("-x", "run.seed=1..3"), "use --replications"),
        (("-x", "vm.0.vcpus=1", "-x", "vm.0.vcpus=2"), "must be given once"),
        (("-x", "kernel.variant=v7.3,v9"), "'v9' is not a base"),
        (("-x", "kernel.variant=v7.3", "--variant", "v7.1"), "does not go with -x kernel.variant"),
        ((), "-x: must be given at least once"),
        (("-x", "vm.0.vcpus=1", "-m", "fail"), "did you mean"),
        (("-x", "vm.0.vcpus=1", "--executor", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
        (("-x", "vm.0.vcpus=1", "--out", "no/such/\0"), "must be a path"),
        (("-x", "vm.0.vcpus=1", "--csv", "/dev/null/a.csv"), "/dev/null is not a folder"),
    ],
)
def test_mistakes(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hgeisim.study.pool.CONNECT_S", 0.5)
    found = command("sweep", "big-little", "-n", "2", "--until", "100us", *words)
    assert (found.status, found.out) == (2, "")
    assert said in found.err
