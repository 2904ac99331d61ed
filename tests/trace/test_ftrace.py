"""ftrace text: every line is a record, a header, a hole or an error that names it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.trace.foreign_line import LAYOUT
from hgeisim.trace.ftrace import (
    Entry,
    Header,
    Lost,
    Record,
    arguments_of,
    parse_ftrace,
    read_ftrace,
)
from tests.support.traces import NAMES, line, trace_path, trace_text


def parsed(text: str) -> list[Entry]:
    return list(parse_ftrace(text.splitlines(keepends=True), "t.txt"))


def problem(text: str) -> str:
    with pytest.raises(InputError) as error:
        parsed(text)
    (found,) = error.value.problems
    return str(found)


def test_a_record() -> None:
    (record,) = parsed("vm0vcpu1-58 [002] dnZ2. 25.894021: free: cpu=2 hgei=1\n")
    assert record == Record(1, "vm0vcpu1", 58, 2, "dnZ2.", 25_894_021_000, "free", "cpu=2 hgei=1")


@pytest.mark.parametrize(
    ("text", "thread", "flags"),
    [
        ("            bash-1     [000] d..1.     1.5: x: a=1\n", ("bash", 1), "d..1."),
        ("   a-2  (    7) [000] ..... 1.5: x: a=1\n", ("a", 2), "....."),
        ("   a-2  (-------) [000] ..... 1.5: x: a=1\n", ("a", 2), "....."),
        ("<idle>-0 [000] d.h3. 1.5: x: a=1\n", ("<idle>", 0), "d.h3."),
        ("kworker/u16:1-9 [000] d..2 1.5: x: a=1\n", ("kworker/u16:1", 9), "d..2"),
        ("my prog-1-2 [3]-77 [000] ..... 1.5: x: a=1\n", ("my prog-1-2 [3]", 77), "....."),
        ("trace-cmd-3 [000]  1.5: x:   a=1\n", ("trace-cmd", 3), ""),
        ("  <idle>-0       0d..2.     1.5: x:   a=1\n", ("<idle>", 0), "d..2."),
        ("vm0vcpu1-34     12.N...     1.5: x: a=1\n", ("vm0vcpu1", 34), ".N..."),
    ],
)
def test_layouts(text: str, thread: tuple[str, int], flags: str) -> None:
    (record,) = parsed(text)
    assert isinstance(record, Record)
    assert ((record.comm, record.pid), record.flags) == (thread, flags)
    assert (record.time_ns, record.event) == (1_500_000_000, "x")
    assert record.arguments() == {"a": "1"}


def test_what_a_report_of_trace_cmd_begins_with() -> None:
    text = "version = 7\nCPU 3 is empty\ncpus=4\na-1 [000] ..... 1.5: x: a=1\n"
    assert [type(entry) for entry in parsed(text)] == [Header, Header, Header, Record]


def test_the_plugin_of_trace_cmd_for_sched_switch() -> None:
    line = "a-1 [000] ..... 1.5: sched_switch: k/1:0:23 [120] R+ ==> a b:1 [-1]\n"
    (record,) = parsed(line)
    assert isinstance(record, Record)
    assert record.arguments() == {
        "prev_comm": "k/1:0",
        "prev_pid": "23",
        "prev_prio": "120",
        "prev_state": "R+",
        "next_comm": "a b",
        "next_pid": "1",
        "next_prio": "-1",
    }


def test_no_arguments() -> None:
    (one, other) = parsed("a-1 [000] ..... 1.5: dis: \na-1 [000] ..... 1.5: dis:\n")
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert one.text == other.text == ""


@given(st.integers(0, 8_999_999_999_999_999_999), st.integers(1, 9))
def test_times_are_exact(time_ns: int, digits: int) -> None:
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    text = f"{fraction:09}"[:digits]
    (record,) = parsed(f"a-1 [000] ..... {seconds}.{text}: x: \n")
    assert isinstance(record, Record)
    assert record.time_ns == time_ns - time_ns % 10 ** (9 - digits)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("# tracer: nop\n", Header(1, "tracer: nop")),
        ("#\n", Header(1, "")),
        ("CPU:2 [LOST 123 EVENTS]\n", Lost(1, 2, 123)),
        ("CPU:2 [LOST EVENTS]\n", Lost(1, 2, None)),
        ("CPU:2 [7 EVENTS DROPPED]\n", Lost(1, 2, 7)),
        ("CPU:2 [EVENTS DROPPED]\n", Lost(1, 2, None)),
        ("##### CPU 3 buffer started ####\n", Lost(1, 3, None)),
    ],
)
def test_what_is_no_record(text: str, entry: Entry) -> None:
    assert parsed(text) == [entry]


def test_empty_lines_count_but_say_nothing() -> None:
    (record,) = parsed("\n" + line(1, 0, "x:"))
    assert record.line == 2


def test_arguments() -> None:
    assert arguments_of("(f+0x0/0x1a <- g+0x2/0x3) cpu=1 vcpu=0x~2a vm=0xff") == {
        "cpu": "1",
        "vcpu": "0x~2a",
        "vm": "0xff",
    }
    assert arguments_of("cpu: 0001 target: 145 step: 148 (kvm_offline_cpu)") == {
        "cpu": "0001",
        "target": "145",
        "step": "148",
        "()": "kvm_offline_cpu",
    }
    switch = "prev_comm=my prog prev_pid=1 prev_state=R+ ==> next_comm=a=b next_pid=2"
    assert arguments_of(switch) == {
        "prev_comm": "my prog",
        "prev_pid": "1",
        "prev_state": "R+",
        "next_comm": "a=b",
        "next_pid": "2",
    }
    assert arguments_of("(Function call interrupts)") == {"()": "Function call interrupts"}
    assert arguments_of("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "hello\n",
        "a-1 [000] ..... 1.5 x: no colon\n",
        "a [000] ..... 1.5: x: no pid\n",
        "a-1 ..... 1.5: x: no cpu\n",
        "CPU:2 [LOST many EVENTS]\n",
        "a-1 [000] ..... 99999999999.0: x: a clock that no kernel has\n",
    ],
)
def test_a_foreign_line_is_named(text: str) -> None:
    message = problem(line(0, 0, "x:") + text)
    assert message.startswith("t.txt: line 2 = '")
    assert message.endswith(LAYOUT)


def test_other_tracers_have_a_remedy() -> None:
    message = problem("a-1 [000] ..... 1.5: do_idle <-cpu_startup_entry\n")
    assert message.endswith("; record events only: current_tracer nop, no stack traces")
    assert problem(" => kvm_riscv_aia_alloc_hgei\n").endswith("no stack traces")


def test_a_cut_line_is_reported() -> None:
    assert problem("a-1 [000] ..... 1.5: x: a=1").endswith("is cut short: it has no end of line")


def test_time_goes_forward_on_each_cpu() -> None:
    message = problem(line(2, 0, "x:") + line(1, 1, "x:") + line(2, 0, "x:") + line(1, 0, "x:"))
    assert message.startswith(
        "t.txt: line 4 = '5.000001': the line before it on CPU 0 has a later t"
    )


def test_a_cpu_number_out_of_range() -> None:
    assert problem("a-1 [9999] ..... 1.5: x:\n") == (
        "t.txt: line 1 = 'CPU 9999': must be below 4096"
    )


def problem_of(path: Path) -> str:
    with pytest.raises(InputError) as error:
        list(read_ftrace(path))
    (found,) = error.value.problems
    return str(found)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t"
    assert problem_of(path) == f"{path}: cannot be read: No such file or directory"
    assert problem_of(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    path.write_bytes(b"\x17\x08\x44tracing6\0")
    assert problem_of(path).endswith(
        "is the binary file of trace-cmd; `trace-cmd report` prints it as text"
    )
    path.write_bytes(b"\x7fELF\0\0")
    assert problem_of(path) == f"{path}: is neither a text file nor a gzip of one"


def test_a_cut_or_damaged_gzip_says_how_far_it_is_good(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    whole = gzip.compress(trace_text("exhausted").encode(), mtime=0)
    path.write_bytes(whole[:-30])
    assert problem_of(path).startswith(f"{path}: after line ")
    assert problem_of(path).endswith("the gzip file is cut short here")
    path.write_bytes(whole[:-8] + b"\0" * 8)
    assert problem_of(path).endswith("the gzip file is damaged here")
    path.write_bytes(whole + b"more")
    assert problem_of(path).endswith("after line 422: the gzip file is damaged here")


def test_plain_and_gzip_and_dos_files_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t"
    expected = list(read_ftrace(trace_path("locks")))
    text = trace_text("locks").encode()
    for content in (text, text.replace(b"\n", b"\r\n"), gzip.compress(text)):
        path.write_bytes(content)
        assert list(read_ftrace(path)) == expected


def test_bytes_that_are_no_utf8_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"\xff\xfe-1 [000] ..... 1.5: x:\n")
    (record,) = read_ftrace(path)
    assert isinstance(record, Record)
    assert record.comm == "\ufffd\ufffd"


@pytest.mark.parametrize("name", NAMES)
def test_real_traces_are_read_line_by_line(name: str) -> None:
    entries = parsed(trace_text(name))
    assert [entry.line for entry in entries] == list(range(1, len(entries) + 1))
    assert [type(entry) for entry in entries[:3]] == [Header, Header, Record]
    for entry, text in zip(entries, trace_text(name).splitlines(), strict=True):
        if isinstance(entry, Record):
            stamp = f"{entry.time_ns // 10**9}.{entry.time_ns // 1000 % 10**6:06}"
            who = f"{entry.comm}-{entry.pid} [{entry.cpu:03}] {entry.flags}"
            assert f"{who} {stamp}: {entry.event}: {entry.text}".strip() == text.strip()
