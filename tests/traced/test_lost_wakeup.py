"""A lost wake-up (B-02) shows in a trace; one that is late, or may yet come, does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hgeisim.checks.catalogue import not_checked
from hgeisim.drivers.traced.conformance import Conformance
from hgeisim.drivers.traced.read_trace import offer_of
from tests.support.traced import alloc, check_file, follow, run, thread
from tests.support.traces import script, trace_command, trace_path

MSI, IDLE = "msi-64", "<idle>-0"


def of_vcpu(cpu: int, event: str, *more: str) -> str:
    """An event of v1 in its own thread."""
    return " ".join([f"{cpu} {thread('v1')} {event}: vcpu=v1", *more])


def load(cpu: int) -> str:
    """The thread of v1 is switched in."""
    return of_vcpu(cpu, "vload", f"cpu={cpu}")


def put(cpu: int) -> str:
    """The thread of v1 is switched out."""
    return of_vcpu(cpu, "vput", f"cpu={cpu}")


def kick(cpu: int, who: str = IDLE) -> str:
    """A thread kicks v1."""
    return f"{cpu} {who} kick: vcpu=v1 cpu=-1 mode=0"


INJECT = f"3 {MSI} inject: vcpu=v1 iid=5 vs_cpu=1 vs_hgei=1"
BLOCKED = (*alloc(1, "v1", 1), run(1, "v1", 1), of_vcpu(1, "wakeon", "en=1"), put(1))
"""v1 has line 1 of CPU 1, and sleeps there."""
CALLED = (*BLOCKED, INJECT, kick(3, MSI), f"1 {IDLE} sgei: mask=0x2", kick(1))
"""An MSI for v1 has come, and an SGEI for it."""
ASLEEP = (*CALLED, load(0), put(0))
"""v1 has woken up on CPU 0, and has not left kvm_vcpu_block."""
AWAKE = (of_vcpu(0, "wakeon", "en=0"), *alloc(0, "v1", 1, "1:1"))


def found(result: Conformance) -> list[tuple[str, int]]:
    """The findings and their places in a trace that agrees."""
    assert result.disagreement is None
    return [(each.finding.id, each.line) for each in result.findings]


def test_a_vcpu_that_sleeps_again_after_its_sgei_is_lost() -> None:
    steps = (*ASLEEP, kick(2), load(0), *AWAKE)
    result = follow(*steps)
    assert found(result) == [("lost-wakeup:vcpu", len(ASLEEP) + 2)]
    text = result.findings[0].finding.text
    assert text == (
        "v1 has an interrupt in its VS-file on HART 1, is kicked by the SGEI in line 9, "
        "wakes up on HART 0 and sleeps again, until something else wakes it"
    )


def test_each_further_msi_wakes_it_in_vain() -> None:
    again = (INJECT, kick(3, MSI), load(3), put(3))
    assert found(follow(*ASLEEP, *again)) == [("lost-wakeup:vcpu", len(ASLEEP) + 3)]


@pytest.mark.parametrize(
    "steps",
    [
        CALLED,
        ASLEEP,
        (*ASLEEP, kick(2)),
        (*CALLED, load(0), *AWAKE),
        (*ASLEEP, load(0), *AWAKE),
        (*ASLEEP, kick(2), load(1), of_vcpu(1, "wakeon", "en=0")),
        (*CALLED, load(1), put(1), kick(2), load(1), of_vcpu(1, "wakeon", "en=0")),
        (*BLOCKED, kick(2), *CALLED[len(BLOCKED) :], load(0), put(0), kick(2), load(0), *AWAKE),
        (*CALLED, kick(2), load(0), put(0), kick(2), load(0), *AWAKE),
        (*BLOCKED, INJECT, kick(3, MSI), load(0), put(0), kick(2), load(0), *AWAKE),
    ],
    ids=[
        *("ends when called", "ends asleep", "ends when kicked", "late", "preempted", "moved back"),
        *("preempted at home", "kicked before", "kicked on its way", "nothing proves the MSI"),
    ],
)
def test_a_vcpu_that_may_have_its_wake_up_is_not_accused(steps: tuple[str, ...]) -> None:
    """Not where the trace ends, nor where v1 unblocks by itself or has another reason to."""
    assert found(follow(*steps)) == []


def test_a_kick_that_wakes_it_for_good_ends_it() -> None:
    """v1 has two reasons then; being preempted before it looks is not another lost wake-up."""
    steps = (*ASLEEP, kick(2), load(0), put(0), kick(2), load(0), *AWAKE)
    assert found(follow(*steps)) == [("lost-wakeup:vcpu", len(ASLEEP) + 2)]
    both = (*ASLEEP, INJECT, kick(3, MSI), kick(2), load(0), put(0), kick(2), load(0), *AWAKE)
    assert found(follow(*both)) == [("lost-wakeup:vcpu", len(ASLEEP) + 4)]


def test_a_vcpu_whose_file_was_taken_meanwhile_is_not_accused() -> None:
    """The interrupt is in the SW-file then, and v1 is kicked for it."""
    taken = (
        *("1 cpuhp-9 dis:", "1 cpuhp-9 rel: vcpu=v1 vs_cpu=1 vs_hgei=1"),
        *("1 cpuhp-9 free: cpu=1 hgei=1", "1 cpuhp-9 rel_ret:", "1 cpuhp-9 dis_ret:"),
    )
    assert found(follow(*ASLEEP, *taken, kick(2), load(0))) == []


@pytest.mark.parametrize(("seconds", "lost"), [("6.5", False), ("7.9", True)])
def test_a_vcpu_that_sleeps_to_the_end_is_lost_if_that_is_long(
    seconds: str, lost: bool, tmp_path: Path
) -> None:
    """Away for longer than a pause of the whole machine, while other CPUs go on."""
    result = check_file(_long(tmp_path, seconds), "t")
    assert found(result) == ([("lost-wakeup:vcpu", 15)] if lost else [])
    for each in result.findings:
        assert each.finding.text.endswith("sleeps again, to the end of the trace, 2.9 s later")


def _long(tmp_path: Path, seconds: str) -> Path:
    """v1 sleeps from 5 s on, another guest runs until the end."""
    entries = (
        re.sub(r" 5\.0+", f" {at}", script("2 v2-102 run: vcpu=v2 cpu=2 hstatus=0x0"))
        for at in ("5.9", "6.2", "6.4", seconds)
    )
    path = tmp_path / "t.txt"
    path.write_text("".join([script(*ASLEEP), *entries]))
    return path


def test_a_real_one_is_reported_by_its_name() -> None:
    """07: a tick wakes a vCPU that was moved in its sleep."""
    answer = trace_command("check", trace_path("07-storm-hwaccel"), "--variant", "v6.12")
    assert answer.status == 1
    assert "finding lost-wakeup:vcpu (B-02 or F-3), line 426\n" in answer.out


def test_each_time_is_listed() -> None:
    """22 has no tick: each MSI wakes a vCPU in vain, until it is moved back."""
    answer = trace_command("check", trace_path("22-locks"), "--variant", "v6.12")
    assert "finding lost-wakeup:vcpu (B-02 or F-3), line 801\n" in answer.out
    assert "\n  and again, line 911, 1014, 1048, " in answer.out


def test_a_trace_without_the_events_for_it_says_so() -> None:
    for gone in ("wakeon", "vput", "kick", "sgei"):
        steps = [step for step in ASLEEP if f" {gone}:" not in step]
        assert "lost-wakeup" in not_checked(offer_of(follow(*steps).trace)), gone
    assert "lost-wakeup" not in not_checked(offer_of(follow(*ASLEEP).trace))
