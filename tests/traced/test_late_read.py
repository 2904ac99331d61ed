"""An argument may be newer than the time stamp of its event, but not newer than the next event."""

from __future__ import annotations

import pytest

from tests.support.traced import alloc, follow, free, run

PAGE_3_1 = "3 v1-101 ioremap: kvm=k gpa=0x28000000 hpa=0x28011000"
PAGE_0_1 = "0 v1-101 ioremap: kvm=k gpa=0x28000000 hpa=0x28001000"
HAS_3_1 = (*alloc(3, "v1", 1), PAGE_3_1, run(3, "v1", 1))
MOVES = (*alloc(0, "v1", 1, "3:1"), PAGE_0_1)
"""v1 moves to CPU 0; it has the new VS-file some time after the last of these."""
SWEPT = ("3 v9-109 lread: hgei=1", free(0, "v1", "3:1"))
OFF = "3 cpuhp/3-30 dis:"


def rel(place: str) -> str:
    """CPU 3 takes a VS-file from v1, "CPU:LINE"."""
    cpu, line = place.split(":")
    return f"3 cpuhp/3-30 rel: vcpu=v1 vs_cpu={cpu} vs_hgei={line}"


def goes_on(cpu: int) -> tuple[str, ...]:
    """... and goes on with that of a CPU."""
    return (
        *("3 cpuhp/3-30 iounmap: gpa=0x28000000", f"{cpu} v9-109 lread: hgei=1"),
        *(f"3 cpuhp/3-30 free: cpu={cpu} hgei=1", "3 cpuhp/3-30 rel_ret:"),
        "3 cpuhp/3-30 dis_ret:",
    )


INJECT = "2 msi-64 inject: vcpu=v1 iid=5 vs_cpu=0 vs_hgei=1"
KICK = "2 msi-64 kick: vcpu=v1 cpu=0 mode=1"


def test_a_release_names_the_file_that_its_vcpu_gets_after_it() -> None:
    result = follow(*HAS_3_1, OFF, rel("0:1"), *MOVES, *SWEPT, *goes_on(0))
    assert (result.disagreement, result.findings) == (None, [])


@pytest.mark.parametrize("place", ["2:1", "0:2", "3:1", "-1:-1"])
def test_what_does_not_come_true_before_the_next_event_disagrees(place: str) -> None:
    """A file that v1 never has; and the old one, or none, while the new one is taken."""
    result = follow(*HAS_3_1, OFF, rel(place), *MOVES, *SWEPT, *goes_on(0))
    assert (result.disagreement is not None) == (place != "3:1")


def test_a_late_read_that_has_not_come_true_is_named() -> None:
    found = follow(*HAS_3_1, OFF, rel("2:1"), *goes_on(3)).disagreement
    assert found is not None
    assert found.why == ("line 6 names CPU 2 line 1 of v1, which has CPU 3 line 1 up to here",)
    assert found.record.event == "iounmap"
    assert found.cpu == 2


def test_an_allocation_names_no_old_file_as_that_is_gone_already() -> None:
    """A release takes the file between the time stamp and the read of the argument; imsic_update
    has read the old place before, and frees it again (B-19)."""
    asks, gets = alloc(0, "v1", 1, "-1:-1")
    released = ("3 v9-109 lread: hgei=1", *goes_on(3)[2:])
    steps = (*HAS_3_1, asks, OFF, rel("3:1"), *released, gets, PAGE_0_1, *SWEPT, run(0, "v1", 1))
    without = tuple(step for step in steps if "ioremap" not in step)
    for result in (follow(*steps), follow(*without)):
        assert result.disagreement is None
        assert [each.finding.id for each in result.findings] == ["double-free:hgei"]


def test_an_allocation_that_names_another_file_disagrees_as_it_returns() -> None:
    found = follow(*HAS_3_1, *alloc(0, "v1", 1, "2:1")).disagreement
    assert found is not None
    assert found.record.event == "alloc_ret"
    assert found.why == ("line 5 names CPU 2 line 1 of v1, which has CPU 3 line 1 up to here",)


def test_an_injection_finds_the_file_that_its_vcpu_gets_after_it() -> None:
    assert follow(*HAS_3_1, INJECT, *MOVES, *SWEPT, run(0, "v1", 1), KICK).disagreement is None
    late = follow(*HAS_3_1, INJECT, KICK, *MOVES, *SWEPT, run(0, "v1", 1)).disagreement
    assert late is not None
    assert late.record.event == "kick"


def test_what_may_yet_come_true_when_the_trace_ends_is_named() -> None:
    result = follow(*HAS_3_1, INJECT)
    assert result.disagreement is None
    text = "line 5 names CPU 0 line 1 of v1, which has CPU 3 line 1 up to here"
    assert [each.text for each in result.inferred] == [text]
