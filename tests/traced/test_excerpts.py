"""`hgeisim trace check`: real excerpts agree, other kernels do not, and both are reported."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hgeisim.cli.trace import command
from hgeisim.drivers.traced.conformance import check_trace
from hgeisim.report.conformance import document, text
from tests.support.golden import check_golden
from tests.support.traced import LINES, excerpt, variant_of
from tests.support.traces import trace_command, trace_path, trace_text

CHECKED = {
    "migrations-3132": 1574,
    "hotplug": 813,
    "enable-at-vm-create": 319,
    "exhausted": 203,
    "update": 53,
    "locks": 4,
    "storm-auto": 234,
    "storm-hwaccel": 308,
}
"""Events compared in each excerpt."""


FOUND = {"storm-hwaccel": ["lost-wakeup:vcpu", "stale-armed:hgei"]}
"""Faults of a real kernel: see B-02 and F-5 in docs/findings.md."""


@pytest.mark.parametrize("name", CHECKED)
def test_an_excerpt_agrees(name: str) -> None:
    result = check_trace(excerpt(name), variant_of(name))
    assert result.disagreement is None
    assert (result.checked.total(), result.agreed) == (CHECKED[name], CHECKED[name])
    found = list(dict.fromkeys(found.finding.id for found in result.findings))
    assert found == FOUND.get(name, [])
    assert result.states <= 4


def test_every_kind_of_event_is_compared() -> None:
    """Only free_ret is in none of them."""
    seen = {
        event
        for name in CHECKED
        for event, count in check_trace(excerpt(name), variant_of(name)).checked.items()
        if count
    }
    assert seen == {
        *("alloc", "alloc_ret", "free", "upd", "upd_ret", "rel", "rel_ret"),
        *("dis", "dis_ret", "en", "en_ret", "ioremap", "iounmap", "lread", "sgei", "kick"),
        *("run", "inject", "wakeon"),
    }


def test_what_is_missing_is_inferred_and_named() -> None:
    result = check_trace(excerpt("storm-auto"), "v6.12")
    assert [inferred.text for inferred in result.inferred] == [
        "missing before this line: lread: cpu=2 hgei=1 (vm0vcpu1)",
    ]
    result = check_trace(excerpt("storm-hwaccel"), "v6.12")
    assert "HGEIE of CPU 0 had 0x8 set from before the trace" in result.inferred[0].text


@pytest.mark.parametrize("variant", ["v6.12+percpu-v2", "v6.12+percpu-v5"])
def test_a_kernel_that_differs_only_where_nothing_happens_agrees(variant: str) -> None:
    assert check_trace(excerpt("migrations-3132"), variant).disagreement is None


def test_a_kernel_with_one_count_for_all_harts_disagrees() -> None:
    """v6.12 would hand out a second line on the HART that has one."""
    disagreement = check_trace(excerpt("migrations-3132"), "v6.12").disagreement
    assert disagreement is not None
    assert disagreement.why == ("has ret=-2, the model ret=2",)


def test_a_kernel_that_arms_lines_elsewhere_disagrees() -> None:
    disagreement = check_trace(excerpt("storm-auto"), "v6.18").disagreement
    assert disagreement is not None
    assert disagreement.record.event == "wakeon"


def test_lines_that_the_machine_does_not_have() -> None:
    answer = trace_command("check", trace_path("exhausted"), "--variant", "v6.12", "--lines", "4")
    assert answer.status == 1
    assert "  the model allows: alloc_ret: cpu=1 ret=4 (vm0vcpu3)\n" in answer.out


def test_the_text_of_an_agreement() -> None:
    check_golden("trace-check-agrees", _text("storm-auto", "v6.12"))


def test_the_text_of_a_disagreement() -> None:
    check_golden("trace-check-disagrees", _text("migrations-3132", "v6.12"))


def _text(name: str, variant: str) -> str:
    output = "\n".join(text(document(check_trace(excerpt(name), variant))))
    assert max(map(len, output.splitlines())) <= 80
    return output + "\n"


def test_the_document() -> None:
    path = trace_path("migrations-3132")
    lines = ",".join(map(str, LINES["migrations-3132"]))
    answer = trace_command("check", path, "--variant", "v6.12", "--lines", lines, "--json")
    assert answer.status == 1
    result = json.loads(answer.out)
    assert (result["checked"], result["agreed"]) == (8, 7)
    assert (result["inferred"], result["findings"]) == ([], [])
    assert result["disagreement"]["line"] == result["last_line"] + 1
    assert result["disagreement"]["owners"] == {"cpu": 1, "lines": ["vm0vcpu1", "vm0vcpu4", None]}


def test_the_status_is_that_of_the_verdict() -> None:
    path = trace_path("hotplug")
    assert trace_command("check", path, "--variant", "v6.12").status == 0
    assert trace_command("check", path, "--variant", "v6.12", "--lines", "2").status == 1


@pytest.mark.parametrize("variant", ["v6", "v6.12+percpu", "v6.12+review-min"])
def test_a_wrong_variant_is_reported(variant: str) -> None:
    answer = trace_command("check", trace_path("locks"), "--variant", variant)
    assert answer.status == 2
    assert answer.problems[0].startswith(f"check: variant = {variant!r}: ")


def test_a_trace_without_lines_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("".join(trace_text("locks").splitlines(keepends=True)[:9]))
    answer = trace_command("check", path, "--variant", "v6.12")
    assert answer.status == 2
    assert "but none of alloc, free, upd, rel, dis, en, run" in answer.problems[0]


def test_a_cut_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(trace_text("hotplug").encode())[:4000])
    answer = trace_command("check", path, "--variant", "v6.12")
    assert answer.status == 2
    assert "is cut short here" in answer.problems[0]


def test_a_tail_that_is_cut_is_no_disagreement(tmp_path: Path) -> None:
    """Wherever the trace is cut, the events before the cut agree."""
    lines = trace_text("storm-auto").splitlines(keepends=True)
    path = tmp_path / "t.txt"
    for end in range(20, len(lines), 40):
        path.write_text("".join(lines[:end]))
        assert trace_command("check", path, "--variant", "v6.12", "--lines", "3").status == 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_values_are_a_verdict_or_bad_input(tmp_path: Path, data: st.DataObject) -> None:
    """No change of digits in a trace leads to a traceback."""
    text_ = "".join(trace_text("storm-auto").splitlines(keepends=True)[:120])
    digits = [found.start() for found in re.finditer(r"(?<=[=x])\d", text_)]
    for at in data.draw(st.lists(st.sampled_from(digits), min_size=1, max_size=5)):
        text_ = text_[:at] + data.draw(st.sampled_from("0123456789")) + text_[at + 1 :]
    path = tmp_path / "t.txt"
    path.write_text(text_)
    assert trace_command("check", path, "--variant", "v6.12").status in (0, 1, 2)


def test_after_lost_events_a_weaker_check_goes_on_and_says_so(tmp_path: Path) -> None:
    lines = trace_text("storm-auto").splitlines(keepends=True)
    path = tmp_path / "t.txt"
    path.write_text("".join([*lines[:200], "CPU:2 [LOST 17 EVENTS]\n", *lines[200:]]))
    answer = trace_command("check", path, "--variant", "v6.12", "--lines", "3")
    assert answer.status == 0
    assert "  weaker from line 201 on: events were lost in 1 place; after each," in answer.out
    result = json.loads(trace_command("check", path, "--variant", "v6.12", "--json").out)
    assert (result["holes"], result["first_hole"], result["disagreement"]) == (1, 201, None)
    wrong = [line * (1 + (" free: " in line)) for line in lines[200:]]
    path.write_text("".join([*lines[:200], "CPU:2 [LOST 17 EVENTS]\n", *wrong]))
    assert trace_command("check", path, "--variant", "v6.12", "--lines", "3").status == 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_holes_anywhere_are_no_disagreement(tmp_path: Path, data: st.DataObject) -> None:
    """Lost events, if the trace marks them, never make a true trace false."""
    lines = trace_text("storm-auto").splitlines(keepends=True)
    at = data.draw(st.integers(5, len(lines) - 2))
    gone = data.draw(st.integers(0, 40))
    cpu = re.findall(r" \[(\d+)\] ", lines[at])[0].lstrip("0") or "0"
    path = tmp_path / "t.txt"
    path.write_text("".join([*lines[:at], f"CPU:{cpu} [LOST EVENTS]\n", *lines[at + gone :]]))
    answer = trace_command("check", path, "--variant", "v6.12", "--lines", "3")
    assert answer.status == 0, answer.out


def test_the_command_has_help() -> None:
    assert "check" in command.commands
