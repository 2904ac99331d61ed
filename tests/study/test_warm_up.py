"""MSER-5: a beginning that differs is left out, noise alone is not."""

from __future__ import annotations

import numpy as np
import pytest

import hgeisim
from hgeisim.errors import InputError
from hgeisim.scenario.streams import Streams
from hgeisim.study.pool import pool
from hgeisim.study.replication import SLICES, job_of, settling
from hgeisim.study.warm_up import mser_5, warm_up_ns

MS = 1_000_000


def by_definition(series: list[float]) -> int:
    """White's statistic, as it is defined, batch by batch."""
    means = [float(np.mean(series[at : at + 5])) for at in range(0, len(series) - 4, 5)]
    errors = [
        float(np.var(means[d:])) * (len(means) - d) / (len(means) - d) ** 2
        for d in range(len(means) - 10)
    ]
    return 5 * int(np.argmin(errors))


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_statistic_of_its_definition(seed: int) -> None:
    noise = Streams(seed).generator("noise").normal(size=500)
    series = [float(20 * np.exp(-at / 12) + each) for at, each in enumerate(noise)]
    cut = mser_5(series)
    assert cut == by_definition(series)
    assert cut is not None
    assert 20 <= cut <= 80  # a ramp of 20 standard deviations is below one of them from 36 on


def test_a_series_without_a_beginning_keeps_nearly_all() -> None:
    assert mser_5([3.0] * 200) == 0
    cuts = [mser_5(Streams(seed).generator("n").normal(size=500).tolist()) for seed in range(100)]
    assert sum(cut is not None and cut <= 50 for cut in cuts) > 70
    assert cuts.count(None) <= 3


def test_a_series_that_grows_to_the_end_does_not_settle() -> None:
    assert mser_5([float(at * at) for at in range(200)]) is None
    assert mser_5([1.0] * 7) is None


def test_what_is_asked_for() -> None:
    scenario = hgeisim.load("few-files")
    with pool("serial") as workers:
        jobs = [job_of(scenario)]
        assert warm_up_ns(workers, "none", jobs, scenario.run.until) == (0, True)
        assert warm_up_ns(workers, "1ms", jobs, scenario.run.until) == (MS, True)
        for asked, said in (("3ms", "must be shorter than the run, 3ms"), ("soon", "mser-5, none")):
            with pytest.raises(InputError, match=said):
                warm_up_ns(workers, asked, jobs, scenario.run.until)


@pytest.mark.slow
def test_vms_that_arrive_make_a_beginning() -> None:
    """40 vCPUs of big-little's first VM arrive within 6 ms; without the second VM it settles."""
    scenario = hgeisim.load(
        "big-little", until="40ms", set={"vm.batch.vcpus": 1, "hotplug": [], "vm.web.vcpus": 40}
    )
    lines, guests = settling(job_of(scenario))
    assert len(lines) == len(guests) == SLICES
    with pool("serial") as workers:
        cut, settled = warm_up_ns(workers, "mser-5", [job_of(scenario)], scenario.run.until)
    assert settled
    assert 2 * MS <= cut <= 20 * MS
