"""A real Dask cluster on loopback: a scheduler and some workers, each a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from tests.support.source import ROOT

START_S = 30
"""How long a process may take to start."""
Started = subprocess.Popen[str]


@contextmanager
def cluster(workers: int) -> Iterator[tuple[str, list[Started]]]:
    """The address of a scheduler, and its workers; all are gone at the end."""
    scheduler = _started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    made = [scheduler]
    try:
        address = _address(scheduler)
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        made += [_started("worker", address, *options) for _ in range(workers)]
        _wait_for(address, workers)
        yield address, made[1:]
    finally:
        for process in reversed(made):
            process.kill()
            process.communicate()


def _started(*words: str) -> Started:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "info",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip


def _address(scheduler: Started) -> str:
    assert scheduler.stderr is not None
    for line in scheduler.stderr:
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
            return found[1]
    raise AssertionError("the scheduler has ended")


def _wait_for(address: str, workers: int) -> None:
    from distributed import Client  # noqa: PLC0415

    client: Any = Client(address, timeout=START_S, set_as_default=False)
    until = monotonic() + START_S
    while len(client.scheduler_info()["workers"]) < workers and monotonic() < until:
        sleep(0.05)
    client.close()
