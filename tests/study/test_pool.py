"""Where a replication runs makes no difference to its record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import pytest

import hgeisim
from hgeisim.errors import InputError
from hgeisim.study.pool import CHUNK_MAX, Serial, _size, pool
from hgeisim.study.replication import Job, Record, job_of, nth
from tests.support.clusters import cluster

JOBS = 6


@pytest.fixture(scope="module")
def job() -> Job:
    return job_of(hgeisim.load("big-little", until="600us"))


def records(where: str | Executor, job: Job) -> dict[int, Record]:
    with pool(where) as workers:
        return dict(workers.records((n, nth(job, n)) for n in range(JOBS)))


@pytest.fixture(scope="module")
def serial(job: Job) -> dict[int, Record]:
    return records("serial", job)


def test_all_jobs_come_back_once(serial: dict[int, Record]) -> None:
    assert sorted(serial) == list(range(JOBS))
    assert len({str(record) for record in serial.values()}) > 1


@pytest.mark.slow
def test_processes_give_the_same(job: Job, serial: dict[int, Record]) -> None:
    assert records("processes", job) == serial


def test_any_executor_gives_the_same(job: Job, serial: dict[int, Record]) -> None:
    with ThreadPoolExecutor(2) as threads:
        assert records(threads, job) == serial
        assert threads.submit(len, "ab").result() == 2  # it is the caller's to close


@pytest.mark.slow
def test_a_cluster_gives_the_same(job: Job, serial: dict[int, Record]) -> None:
    pytest.importorskip("distributed")
    said = logging.getLogger("distributed.client")
    before = said.level
    with cluster(workers=1) as (address, _):
        assert records(address, job) == serial
        with pool(address):  # results that a dead worker had are made again: no warning of that
            assert not said.isEnabledFor(logging.WARNING)
    assert said.level == before


def test_only_a_few_jobs_are_out(job: Job) -> None:
    """The parent asks for jobs as it can send them, so a study may be as long as it likes."""
    asked = []

    def endless() -> Iterator[tuple[int, Job]]:
        n = 0
        while True:
            asked.append(n)
            yield n, nth(job, n)
            n += 1

    with pool("serial") as workers:
        found = workers.records(endless())
        next(found)
        assert len(asked) == 2
        found.close()


@pytest.mark.parametrize(
    ("jobs", "seconds", "size"),
    [(1, 0.1, 10), (1, 3.0, 1), (4, 1.0, 4), (1, 0.0, CHUNK_MAX), (10, 0.05, 200)],
)
def test_chunks_take_about_a_second(jobs: int, seconds: float, size: int) -> None:
    assert _size(jobs, seconds) == size


@pytest.mark.parametrize("where", ["serial", "processes"])
def test_a_job_that_is_refused_ends_it_with_a_sentence(where: str, job: Job) -> None:
    with pool(where) as workers, pytest.raises(InputError, match="other code"):
        list(workers.records([(0, replace(job, code="other"))]))


def test_errors_of_the_serial_executor_come_out_of_its_future() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Serial().submit(int, "x").result()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("procesess", 'did you mean "processes"'),
        ("tcp://127.0.0.1:9", "no Dask scheduler answers there"),
        ("tcp://nowhere", "no Dask scheduler answers there"),
        ("", "must be processes, serial"),
    ],
)
def test_a_pool_that_is_not_there(where: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where.startswith("tcp"):
        pytest.importorskip("distributed")
    monkeypatch.setattr("hgeisim.study.pool.CONNECT_S", 0.5)
    with pytest.raises(InputError, match=said), pool(where):
        pass


def test_dask_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'hgeisim\[dask\]'"), pool("tcp://h:1"):
        pass
