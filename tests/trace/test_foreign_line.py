"""Lines that other tools print, and other layouts of a trace: each is named, with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.errors import InputError
from hgeisim.trace.foreign_line import COMM_MAX, KINDS, LAYOUT, kind_of
from hgeisim.trace.ftrace import LINE_MAX, Record, parse_ftrace, read_ftrace
from tests.support.commands import hgeisim
from tests.support.traces import trace_path

PLAIN = "             vmm-54    [000] d..2.    25.580467: kick: vcpu=0x2 idx=1\n"
SHORT = "     vmm-54      0d..2.    25.580467: kick: vcpu=0x2 idx=1\n"
SEVERAL = "is of one of several recordings: a host and its guests have CPUs of the same numbers; "
CLOCK = "its clock does not count seconds; record with trace_clock local, mono or boot"
LOG = "is from the log of the kernel, with its times before those of the trace; copy /sys/kernel/"


def problem(text: str) -> str:
    with pytest.raises(InputError) as error:
        list(parse_ftrace(text.splitlines(keepends=True), "t.txt"))
    (found,) = error.value.problems
    return str(found)


@pytest.mark.parametrize(
    ("prefix", "line"),
    [
        (prefix, line)
        for prefix in (
            "trace.dat: ",
            "   trace.dat: ",
            " host: ",
            "h: ",
            "/my dir/trace: ",
            "a: b: ",
        )
        for line in (PLAIN, SHORT)
    ],
)
def test_one_of_several_recordings(prefix: str, line: str) -> None:
    said = problem(f"cpus=4\n{prefix}{line}")
    assert said.startswith(f"t.txt: line 2 = '{prefix.strip()}")
    assert f": {SEVERAL}print the host's alone: `trace-cmd report -i FILE`" in said


@pytest.mark.parametrize(
    "comm",
    [
        "a: b",
        "my: prog",
        "kworker/u16:1",
        "x" * COMM_MAX,
        "\ufffd" * COMM_MAX,
        "CPU 0/KVM: 1 2 3",
        ": ",
    ],
)
def test_names_that_a_task_may_have(comm: str) -> None:
    """As long as they are not longer than the kernel's, whatever they hold."""
    line = f"{comm[:COMM_MAX]:>16}-54    [000] d..2.    25.580467: kick: vcpu=0x2 idx=1\n"
    (record,) = parse_ftrace([line], "t.txt")
    assert isinstance(record, Record)
    assert record.comm == comm[:COMM_MAX].lstrip(" ")


def test_a_name_that_no_task_has() -> None:
    said = problem(f"{'x' * (COMM_MAX + 1)}-54 [000] d..2. 25.5: kick: a=1\n")
    assert "has a task's name of 16 characters; the kernel's have at most 15; copy /sys" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("     vmm    54 [000]    25.580467: probe:kick:   (ffff) a=1\n", "is what `perf script`"),
        (
            "     vmm    54/54    [000]    25.580467: kprobes:kick     a=1\n",
            "is what `perf script`",
        ),
        (" my prog  54 [003] d..2.  25.580467:     1 probe:kick: a=1\n", "is what `perf script`"),
        ("     vmm-54      0d..2. 580467us : kick: a=1\n", "is in the latency format, whose times"),
        ("     vmm-54      3d.Z.. 580467us+: kick: a=1\n", "latency-format, and copy the trace"),
        ("[  12.3] Dumping ftrace buffer:\n", LOG),
        ("[   25.580467]      vmm-54      0d..2. 580467us : kick: a=1\n", LOG),
        ("<4>[   25.580467]      vmm-54      0d..2. 580467us : kick: a=1\n", LOG),
        (f"Nov 30 19:00:00 host kernel: {PLAIN}", LOG),
        (PLAIN.replace("67: ", "67: (+17)  "), "before it; print it without `--ts-diff`"),
        (PLAIN.replace("67: ", "67: (+0.000012) "), "has the time since the line before it"),
        (PLAIN.replace("25.580467", "25580467"), CLOCK),
        (PLAIN.replace(" d..2.    25.580467", " 25580467"), CLOCK),
        (PLAIN.replace("25.580467", "0x1f3a"), CLOCK),
        (SHORT.replace("25.580467", "25580467"), CLOCK),
        (f"\x1b[0m{PLAIN}", "has codes for colours; print it without colours"),
        (" => kvm_vcpu_kick\n", f"{LAYOUT}; record events only: current_tracer nop"),
        (" 0)   1.25 us    |  kvm_vcpu_kick();\n", f"{LAYOUT}; record events only"),
        ("any other text\n", LAYOUT),
    ],
)
def test_what_is_named(line: str, said: str) -> None:
    assert said in problem(line)


def test_a_mark_of_utf_8_is_skipped_and_utf_16_is_named(tmp_path: Path) -> None:
    text = f"# tracer: nop\n{PLAIN}"
    file = tmp_path / "trace.txt"
    file.write_bytes(text.encode("utf-8-sig"))
    assert list(read_ftrace(file)) == list(parse_ftrace(text.splitlines(keepends=True), ""))
    file.write_bytes(PLAIN.encode("utf-8-sig"))
    (record,) = read_ftrace(file)
    assert isinstance(record, Record)
    assert record.comm == "vmm"
    file.write_bytes(text.encode("utf-16"))
    with pytest.raises(InputError, match="is UTF-16; `iconv -f UTF-16 -t UTF-8` makes it UTF-8"):
        list(read_ftrace(file))


def test_what_trace_cmd_says_of_itself() -> None:
    lines = ["trace-cmd version 3.3.1 (not-a-git-repo)\n", "cpus=4\n", PLAIN]
    assert isinstance(list(parse_ftrace(lines, ""))[-1], Record)


def test_the_command_says_it_once(tmp_path: Path) -> None:
    file = tmp_path / "both.txt"
    file.write_text(f" host: {PLAIN}" * 3)
    for words in (("import",), ("check", "--variant", "v6.12"), ("calibrate",)):
        told = hgeisim("trace", *words, str(file))
        assert (told.status, told.out) == (2, "")
        assert SEVERAL in told.err
        assert told.err.count("\n") == 1


@pytest.mark.parametrize("unit", ["-1 ", " 1", "1", " ", "-", "[", "1.1: ", "a-1 0d..2. ", "1) "])
def test_damaged_lines_take_no_long_time(unit: str) -> None:
    """The patterns are tried on lines of the greatest length; quadratic ones would take minutes."""
    line = (unit * LINE_MAX)[: LINE_MAX - 2] + "\n"
    assert kind_of(line)[0] in {LAYOUT, *(kind.what for kind in KINDS)}


def test_names_in_real_traces_are_short_enough() -> None:
    for entry in read_ftrace(trace_path("storm-auto")):
        if isinstance(entry, Record):
            assert len(entry.comm) <= COMM_MAX
