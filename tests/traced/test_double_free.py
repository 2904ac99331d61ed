"""A line that is freed twice (B-19) is followed and reported; other traces like it disagree."""

from __future__ import annotations

import pytest

from hgeisim.drivers.traced.conformance import Conformance, also_agreeing, check_trace
from hgeisim.drivers.traced.read_trace import Trace, read_trace
from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.kernel.structs import Caller, Vcpu
from hgeisim.kernel.variants import OWN
from hgeisim.machine.ops import Path
from hgeisim.trace.event_names import Events
from tests.support.traced import alloc, follow, free, run, written
from tests.support.traces import trace_path

LINES = {"16-double-free": (3,), "21-eight-cpus": (7,)}
EVENTS = {"16-double-free": 473, "21-eight-cpus": 1492}
FOUND = {"16-double-free": [84, 226, 349, 475, 537], "21-eight-cpus": [710, 1534]}
"""The lines of the second frees."""
RACE = (
    *alloc(3, "v1", 1),
    "3 v1-101 ioremap: kvm=k gpa=0x28000000 hpa=0x28011000",
    *alloc(0, "v1", 1, "3:1"),
    "0 v1-101 ioremap: kvm=k gpa=0x28000000 hpa=0x28001000",
    "3 cpuhp/3-30 dis: ",
    "3 cpuhp/3-30 rel: vcpu=v1 vs_cpu=3 vs_hgei=1",
    "3 v9-109 lread: hgei=1",
    free(0, "v1", "3:1"),
)
"""A CPU that goes offline has taken the VS-file that its owner moves away from."""


def trace(name: str) -> Trace:
    """A whole trace, with the lines that its machine had."""
    return read_trace(trace_path(name), Events(), LINES[name])


def doubles(result: Conformance) -> list[int]:
    """The lines of the trace at which a line is freed twice."""
    return [found.line for found in result.findings if found.finding.id == "double-free:hgei"]


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_a_real_double_free_is_followed_and_found(name: str) -> None:
    result = check_trace(trace(name), "v6.12")
    assert result.disagreement is None
    assert (result.agreed, doubles(result)) == (EVENTS[name], FOUND[name])
    assert {found.finding.id for found in result.findings} == {"double-free:hgei"}


def test_the_second_of_two_that_took_a_file_frees_it_again() -> None:
    result = follow(
        *RACE,
        "3 cpuhp/3-30 lread: hgei=1",
        "3 cpuhp/3-30 free: cpu=3 hgei=1",
        "3 cpuhp/3-30 rel_ret: vcpu=v1",
        "3 cpuhp/3-30 dis_ret: ",
        run(0, "v1", 1),
    )
    assert result.disagreement is None
    assert len(doubles(result)) == 1


@pytest.mark.parametrize(
    "steps",
    [
        ("3 cpuhp/3-30 lread: hgei=2",),
        ("2 cpuhp/3-30 lread: hgei=1",),
        ("3 cpuhp/3-30 lread: hgei=1", "3 cpuhp/3-30 free: cpu=3 hgei=2"),
        ("3 cpuhp/3-30 lread: hgei=1", "3 cpuhp/3-30 free: cpu=2 hgei=1"),
        ("3 cpuhp/3-30 lread: hgei=1", "3 cpuhp/3-30 lread: hgei=1", free(0, "v1", "3:1")),
        (free(0, "v1", "3:1"),),
        ("2 v5-105 free: cpu=3 hgei=1",),
    ],
    ids=["line swept", "CPU swept", "line", "CPU", "swept thrice", "own thread", "anybody"],
)
def test_other_frees_are_still_refused(steps: tuple[str, ...]) -> None:
    """A free of a line or CPU, or by a thread, that has nothing to do with this VS-file."""
    assert follow(*RACE).disagreement is None
    assert follow(*RACE, *steps).disagreement is not None


def test_hwaccel_goes_back_to_the_cpu_of_its_file() -> None:
    """Allocation fails, the old file is kept; moved back, it needs no new one."""
    full = (*alloc(0, "v2", 1), *alloc(0, "v3", 2), *alloc(0, "v4", 3))
    failed = (*alloc(1, "v1", 1), run(1, "v1", 1), *full, *alloc(0, "v1", -2, "1:1"))
    assert follow(*failed, run(1, "v1", 1)).disagreement is None
    assert follow(*failed, run(1, "v1", 2)).disagreement is not None
    assert follow(*failed, run(0, "v1", 1)).disagreement is not None


def test_windows_that_were_joined_are_recognised() -> None:
    """Seconds without a record; and a shorter pause, after CPU 3 went offline."""
    result = check_trace(trace("16-double-free"), "v6.12")
    said = [each for each in result.inferred if "joined" in each.text]
    assert [each.line for each in said] == [114, 247, 381, 509]


def test_a_pause_that_proves_nothing_is_not_a_joint() -> None:
    """07 and 21 have a pause of more than a second each."""
    assert not check_trace(trace("21-eight-cpus"), "v6.12").holes


LATER = ["v6.16", "v6.18", "v7.0", "v7.1", "v7.2", "v7.3"]


def test_an_agreement_names_the_other_bases_that_would_agree() -> None:
    """Where a vCPU blocks, v6.12 and later kernels differ; in an allocation they do not."""
    assert also_agreeing(written(*alloc(1, "v1", 1)), "v6.12") == LATER
    blocked = (*alloc(1, "v1", 1), run(1, "v1", 1), "1 v1-101 wakeon: vcpu=v1 en=1")
    assert also_agreeing(written(*blocked), "v6.12") == []


class ReleasesOnlyTheFile(Imsic):
    """Keeps the line of a VS-file that was released."""

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """Take the file, and do nothing else."""
        yield vcpu.vsfile_lock.write_lock_irqsave
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield vcpu.vsfile_lock.write_unlock_irqrestore


@pytest.mark.slow
def test_a_kernel_whose_release_frees_nothing_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN, "m.py:Mutant", ReleasesOnlyTheFile)
    assert check_trace(trace("21-eight-cpus"), "v6.12+m.py:Mutant").disagreement is not None
