"""Where replications run: in this process, in processes of this machine, or on a Dask cluster.

Any `concurrent.futures.Executor` will do, for a job is all that a worker needs.  Jobs travel in
chunks of about a second, and only a few chunks are out at any time, so a study of any length takes
the same memory here.  Records come back in any order, each with the key of its job.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from hgeisim.errors import InputError, did_you_mean
from hgeisim.library.arguments import wrong
from hgeisim.study.replication import Job, Record, replicate_all

CHUNK_S = 1.0
"""How long a chunk should take."""
CHUNK_MAX = 256
OUT_PER_WORKER = 2
"""Chunks that are out for each worker: one to work on, and the next one."""
CONNECT_S = 10
"""How long a scheduler may take to answer."""
NAMES = ("processes", "serial")
SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")

Key = TypeVar("Key", bound=Hashable)
Answer = tuple[list[Record], float]


@dataclass(frozen=True)
class Pool:
    """An executor, and how many jobs it can do at the same time."""

    executor: Executor
    width: int

    def records(self, jobs: Iterable[tuple[Key, Job]]) -> Generator[tuple[Key, Record], None, None]:
        """Make replications; yields each with its key, in the order in which they are done.

        InputError: a worker refuses a job, or has ended.
        """
        left, size = iter(jobs), 1
        out: dict[Future[Answer], list[Key]] = {}
        try:
            while True:
                while len(out) < OUT_PER_WORKER * self.width and (chunk := [*islice(left, size)]):
                    future = self.executor.submit(replicate_all, [job for _, job in chunk])
                    out[future] = [key for key, _ in chunk]
                if not out:
                    return
                for future in wait(out, return_when=FIRST_COMPLETED).done:
                    keys = out.pop(future)
                    records, seconds = _answer(future)
                    size = _size(len(keys), seconds)
                    yield from zip(keys, records, strict=True)
        finally:
            for future in out:
                future.cancel()

    def map(self, function: Callable[[Job], Any], jobs: Sequence[Job]) -> list[Any]:
        """A function of each job, in their order."""
        futures = [self.executor.submit(function, job) for job in jobs]
        return [_answer(future) for future in futures]


def _size(jobs: int, seconds: float) -> int:
    """The number of jobs in the next chunk, after one with some jobs took some seconds."""
    each_s = max(seconds / jobs, CHUNK_S / CHUNK_MAX)
    return max(1, min(int(CHUNK_S / each_s), CHUNK_MAX))


def _answer(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        allowed = "a worker process has ended before its time: memory may be short"
        remedy = 'a script of yours calls under `if __name__ == "__main__":`; or take "serial"'
        raise wrong(("study", "executor"), "processes", allowed, remedy) from None
    except InputError:
        raise
    except Exception as error:
        if type(error).__name__ not in ("KilledWorker", "CommClosedError", "FutureCancelledError"):
            raise
        allowed = f"the cluster has given a chunk up: {type(error).__name__}: {error}"
        raise wrong(("study", "executor"), "dask", allowed, "see the log of its workers") from None


class Serial(Executor):
    """Does each job in this process, when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future raises it
            future.set_exception(error)
        return future


@contextmanager
def pool(asked: str | Executor) -> Iterator[Pool]:
    """The pool of a name: "processes", "serial", or the address of a Dask scheduler.

    An executor of the caller's own stays open.  InputError: there is not such a pool, or the
    scheduler does not answer.
    """
    if isinstance(asked, Executor):
        yield Pool(asked, getattr(asked, "_max_workers", cores()))
    elif asked == "serial":
        yield Pool(Serial(), 1)
    elif asked == "processes":
        with _processes() as made:
            yield made
    elif asked.startswith(SCHEMES):
        with _cluster(asked) as made:
            yield made
    else:
        allowed = f"must be {', '.join(NAMES)} or the address of a Dask scheduler, tcp://HOST:PORT"
        raise wrong(("study", "executor"), asked, allowed, did_you_mean(asked, NAMES))


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _processes() -> Iterator[Pool]:
    """Processes of this machine, as many as cores; all are gone at the end."""
    executor = Processes(cores(), multiprocessing.get_context(_start()), _begin)
    try:
        _answer(executor.submit(int))  # the processes start before anything here starts a thread
        yield Pool(executor, cores())
    except BaseException:
        _end(executor)
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _start() -> str:
    """How a process starts: as a copy of this one, which takes no time, where that is safe."""
    alone = sys.platform == "linux" and threading.active_count() == 1
    return "fork" if alone else "spawn"


class Processes(ProcessPoolExecutor):
    """Processes that never see Ctrl-C, not even while they start: that is for the parent."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call; it may start a process, which inherits the mask of signals."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Begin a worker, which ends when its parent does, even by SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _end(executor: ProcessPoolExecutor) -> None:
    """Stop workers in the middle of a chunk; Python has `terminate_workers` from 3.14 on."""
    for process in list((getattr(executor, "_processes", None) or {}).values()):
        process.terminate()


@contextmanager
def _cluster(address: str) -> Iterator[Pool]:
    """The workers of a running Dask scheduler."""
    place = ("study", "executor")
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        allowed = "needs Dask, which is not installed"
        raise wrong(place, address, allowed, "pip install 'hgeisim[dask]'") from None
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        allowed = f"no Dask scheduler answers there: {error}"
        raise wrong(place, address, allowed, "start one: dask scheduler") from None
    try:
        width = sum(client.nthreads().values())
        if not width:
            allowed = "this scheduler has no workers"
            raise wrong(place, address, allowed, f"start some: dask worker {address}")
        with _lost_chunks_unsaid():
            yield Pool(client.get_executor(pure=False), width)
    finally:
        client.close()


@contextmanager
def _lost_chunks_unsaid() -> Iterator[None]:
    """Keep Dask from warning of results that went with a worker: their chunks are made again."""
    logger = logging.getLogger("distributed.client")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
