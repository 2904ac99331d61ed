"""`hgeisim trace import`: its table, its folder, and damaged traces."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.cli import plot
from hgeisim.cli.trace import command
from hgeisim.errors import InputError
from hgeisim.report.imported_trace import document
from hgeisim.runs.folder import read_run
from hgeisim.runs.timeline import EVENT_NAMES
from hgeisim.trace.event_names import Events
from hgeisim.trace.import_trace import import_trace
from hgeisim.trace.imported_run import timeline_of
from tests.support.traces import HELP, NAMES, script, trace_command, trace_path, trace_text

TABLE = """\
Trace migrations-3132.txt.gz
1,708 records, 1.800 s, 4 HARTs, 8 vCPUs

HART   lines   max   alloc   fail   free   SGEI   moves   released   off
------------------------------------------------------------------------
0          3     3      27      7     24     18      19         12     0
1          1     1      17    211     16     26       4          6     0
2          3     3      28     70     28     26      13         15     0
3          2     2      29    134     27     23      11         15     0
all        9           101    422     95     93      47         48     0


fingerprint d418a12cd4bbac81
"""


def test_the_table() -> None:
    answer = trace_command("import", trace_path("migrations-3132"))
    assert (answer.status, answer.problems) == (0, ())
    assert answer.out == TABLE


def test_the_table_says_what_is_a_guess_and_what_hotplug_did() -> None:
    out = trace_command("import", trace_path("hotplug")).out
    assert "2      3         3       6      7      6      4       0          6     3\n" in out
    assert "3      3?        3       3      0      3     17       0          3     1\n" in out
    assert "\n?  A guess: no allocation failed there.  --lines gives the number.\n" in out
    assert "\n9 of the released VS-files: by CPU hotplug.\n" in out
    assert max(map(len, out.splitlines())) <= 80


COUNTS = {
    "migrations-3132": (1708, 101, 422, 95, 93, 47, 48, 0, 0),
    "hotplug": (900, 13, 243, 9, 47, 0, 9, 5, 9),
    "enable-at-vm-create": (556, 3, 0, 3, 27, 0, 0, 8, 0),
    "exhausted": (420, 3, 51, 0, 14, 0, 0, 0, 0),
    "update": (220, 4, 0, 0, 0, 0, 0, 0, 0),
    "locks": (300, 1, 0, 0, 0, 0, 0, 0, 0),
}
"""records, alloc, fail, free, sgei, moves, release, windows, released by hotplug."""


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_text(name: str) -> None:
    """The import counts the same events that grep finds in the trace."""
    text = trace_text(name)
    result = json.loads(trace_command("import", trace_path(name), "--json").out)
    total, by_hotplug = result["total"], result["released_by_hotplug"]
    assert (result["trace"]["records"], *total.values(), by_hotplug) == COUNTS[name]
    found = {
        event: len(re.findall(f": {event}: ", text)) for event in ("alloc_ret", "free", "sgei")
    }
    failed = len(re.findall(r": alloc_ret: .* ret=-", text))
    assert total["alloc"] + total["fail"] == found["alloc_ret"]
    assert (total["fail"], total["free"], total["sgei"]) == (failed, found["free"], found["sgei"])
    assert total["release"] == len(re.findall(r": rel: .* vs_cpu=\d", text))
    assert total["release"] == len(re.findall(": rel_ret: ", text))
    assert total["moves"] == moves_in(text)
    assert result["trace"]["records"] == sum(line[0] != "#" for line in text.splitlines())


def moves_in(text: str) -> int:
    """Count the allocations of vCPUs that had a line, thread by thread, and got another."""
    count, had = 0, {}
    for thread, event, arguments in re.findall(r"(?m)^(\S+) .*: (alloc|alloc_ret): (.*)$", text):
        if event == "alloc":
            had[thread] = "old_cpu=-1" not in arguments
        else:
            count += had[thread] and "ret=-" not in arguments
    return count


def test_lines_may_be_given() -> None:
    out = trace_command("import", trace_path("hotplug"), "--lines", "3,3,3,2").out
    assert "3          2    3!       3      0" in out
    assert "A guess" not in out
    result = trace_command("import", trace_path("hotplug"), "--lines", "7", "--json").out
    assert [hart["lines"] for hart in json.loads(result)["harts"]] == [7] * 4


@pytest.mark.parametrize("lines", ["", "3,", "x", "-1", "64", "3,3", "\u0663"])
def test_lines_that_cannot_be(lines: str) -> None:
    answer = trace_command("import", trace_path("hotplug"), "--lines", lines)
    assert answer.status == 2
    assert answer.problems[0].startswith("--lines = ")


def test_the_folder_is_a_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = trace_command("import", trace_path("hotplug"), "--out", out)
    assert answer.out.endswith(f"\nrun folder {out}; `hgeisim plot {out}` draws it\n")
    run = read_run(out)
    assert run.manifest["scenario"] == {
        "title": "Trace hotplug.txt.gz",
        "trace": "hotplug.txt.gz",
    }
    assert run.summary["fingerprint"] == run.manifest["fingerprint"]
    assert run.timeline.event_kind.count(EVENT_NAMES.index("offline")) == 5
    assert run.timeline.event_kind.count(EVENT_NAMES.index("online")) == 4
    head, *owners = (out / "owners.csv").read_text().splitlines()
    assert head == "start_ns,end_ns,start_known,end_known,hart,line,vcpu"
    assert len(owners) == 13
    assert owners[0] == "349981000,491489000,1,1,2,1,1"
    vcpus = (out / "vcpus.csv").read_text().splitlines()
    assert vcpus[:2] == ["vcpu,pointer,pid,thread", "1,0x~2a858b0,70,vm0vcpu0"]
    assert len(vcpus) == 11


def test_equal_traces_give_equal_folders(tmp_path: Path) -> None:
    for name in ("one", "two"):
        trace_command("import", trace_path("exhausted"), "--out", tmp_path / name)
    one, two = (
        {file.name: file.read_bytes() for file in sorted((tmp_path / name).iterdir())}
        for name in ("one", "two")
    )
    assert one == two


@pytest.mark.slow
def test_the_folder_can_be_drawn(tmp_path: Path) -> None:
    out = tmp_path / "run"
    trace_command("import", trace_path("hotplug"), "--out", out)
    plot.command.main([str(out)], standalone_mode=False)
    assert {"occupancy.png", "occupancy.svg"} <= {file.name for file in out.iterdir()}
    assert "Trace hotplug.txt.gz" in (out / "manifest.json").read_text()
    assert trace_command("import", trace_path("hotplug"), "--out", out).status == 0


def test_a_place_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    answer = trace_command("import", trace_path("hotplug"), "--out", tmp_path)
    assert answer.status == 2
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_trace_without_a_word_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(script("0 a-1 sched_wakeup: comm=a pid=7 target_cpu=003"))
    answer = trace_command("import", path)
    assert answer.problems == (
        f"{path}: has 1 records, but none of alloc_ret, free, free_ret, sgei, rel; "
        "--events FILE.toml gives other names",
    )
    path.write_text("")
    assert "has 0 records" in trace_command("import", path).problems[0]


def test_other_names(tmp_path: Path) -> None:
    text = trace_text("hotplug").replace(": alloc:", ": aia_alloc:").replace("hgei=", "line=")
    (tmp_path / "t").write_text(text)
    assert "hgei" in trace_command("import", tmp_path / "t").problems[0]
    (tmp_path / "names.toml").write_text(
        '[alloc]\nevent = "aia_alloc"\nold_line = "old_line"\n'
        '[free]\nline = "line"\n[lread]\nline = "line"\n'
        '[rel]\nvsfile_line = "vs_line"\n[inject]\nvsfile_line = "vs_line"\n'
    )
    answer = trace_command("import", tmp_path / "t", "--events", tmp_path / "names.toml", "--json")
    expected = json.loads(trace_command("import", trace_path("hotplug"), "--json").out)
    result = json.loads(answer.out)
    assert result["fingerprint"] == expected["fingerprint"]
    assert result["harts"] == expected["harts"]


def test_doubts_holes_and_unanswered_calls_are_noted(tmp_path: Path) -> None:
    lines = trace_text("migrations-3132").splitlines(keepends=True)
    frees = [at for at, line in enumerate(lines) if ": free:" in line]
    without = [line for at, line in enumerate(lines) if at not in frees[:9]]
    path = tmp_path / "t"
    path.write_text("".join(without))
    out = trace_command("import", path).out
    assert len(re.findall(r"\ndoubt, line \d+: HART \d line \d ", out)) == 5
    assert re.search(r"\n\.\.\. and \d+ more doubts; --json lists them all\n", out)
    path.write_text("".join([*without[:900], "CPU:1 [LOST 7 EVENTS]\n", *without[900:]]))
    assert "\nEvents were lost in 1 place: the counts are too low.\n" in (
        trace_command("import", path).out
    )
    path.write_text("".join(lines[:-1]) + script("5 x-1 alloc: cpu=5 vcpu=q"))
    assert "allocations have no return" in trace_command("import", path).out


def test_cpus_that_were_printed_out_of_step(tmp_path: Path) -> None:
    """Lines of different CPUs in another order are the same trace, up to the line numbers."""
    head, *lines = trace_text("hotplug").splitlines(keepends=True)
    swapped = [head, *lines]
    for at in range(2, len(swapped) - 1, 3):
        one, other = swapped[at : at + 2]
        cpus = [re.findall(r" \[(\d+)\] ", line) for line in (one, other)]
        stamps = [re.findall(r" (\d+\.\d+): ", line) for line in (one, other)]
        if cpus[0] != cpus[1] and stamps[0] != stamps[1]:
            swapped[at : at + 2] = [other, one]
    assert swapped != [head, *lines]
    (tmp_path / "t").write_text("".join(swapped))
    results = [
        json.loads(trace_command("import", path, "--json").out)
        for path in (tmp_path / "t", trace_path("hotplug"))
    ]
    assert results[0]["fingerprint"] == results[1]["fingerprint"]


LINES = {name: trace_text(name).splitlines(keepends=True)[:400] for name in NAMES}
FOREIGN = ("hello\n", "\n", "# x\n", "CPU:1 [LOST 3 EVENTS]\n", "\x1b[0m 1.2: alloc: \n", " => f\n")
NUMBERS = ("-1", "0", "1", "63", "64", "4095", "99999999999999999999999", "0xffffffffffffffff", "x")


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Draw a real trace with lines cut, removed, doubled, moved, foreign or with other numbers."""
    lines = list(LINES[draw(st.sampled_from(NAMES))])
    for _ in range(draw(st.integers(1, 4))):
        at, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        act = draw(st.sampled_from(("cut", "drop", "double", "swap", "foreign", "number", "part")))
        if act == "cut":
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(st.sampled_from(("", "\n")))
        elif act == "drop":
            del lines[at : at + draw(st.integers(1, 50))]
            lines = lines or ["\n"]
        elif act == "double":
            lines.insert(other, lines[at])
        elif act == "swap":
            lines[at], lines[other] = lines[other], lines[at]
        elif act == "foreign":
            lines.insert(at, draw(st.sampled_from(FOREIGN) | st.text(max_size=30)))
        elif act == "number":
            number = draw(st.sampled_from(NUMBERS))
            lines[at] = re.sub(r"(?<==)-?[0-9]+\b", number, lines[at])
        else:
            lines = lines[at:] or lines
    return "".join(lines)


@given(damaged())
@settings(max_examples=150)
def test_a_damaged_trace_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Bad input is reported with its file and place; good input makes an ordered timeline."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    refused_or_read(path)


@given(st.sampled_from(NAMES), st.integers(0, 20_000), st.booleans())
@settings(max_examples=60)
def test_a_damaged_gzip_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: int, cut: bool
) -> None:
    content = bytearray(trace_path(name).read_bytes())
    at %= len(content)
    if cut:
        del content[at:]
    else:
        content[at] ^= 0x55
    path = tmp_path_factory.getbasetemp() / "damaged.gz"
    path.write_bytes(content)
    refused_or_read(path)


def refused_or_read(path: Path) -> None:
    try:
        trace = import_trace(path, Events())
    except InputError as error:
        for problem in error.problems:
            assert problem.file == str(path)
            assert problem.allowed
        return
    timeline = timeline_of(trace.occupancy, trace.machine)
    assert list(timeline.event_time_ns) == sorted(timeline.event_time_ns)
    assert all(0 <= busy <= 63 for _, busy in timeline.steps(0))
    document(trace, timeline)


@given(damaged())
@settings(max_examples=20)
def test_a_damaged_trace_that_is_read_leaves_a_folder(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    base = tmp_path_factory.getbasetemp()
    path, out = base / "other.gz", base / "run"
    path.write_bytes(gzip.compress(text.encode("utf-8", "surrogatepass"), 1))
    answer = trace_command("import", path, "--out", out)
    assert answer.status in (0, 2)
    if answer.status == 0:
        assert read_run(out).summary["variant"] == "traced kernel"


def test_every_command_has_an_example() -> None:
    context = click.Context(command, help_option_names=HELP)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        assert "Example:" in (found.help or "")
        assert max(map(len, found.get_help(context).splitlines())) <= 80


def test_progress_is_reported(tmp_path: Path) -> None:
    counts: list[int] = []
    path = tmp_path / "t"
    path.write_text(script("0 a-1 alloc: cpu=0 vcpu=p", *["0 a-1 alloc_ret: ret=-2"] * 40_000))
    import_trace(path, Events(), progress=counts.append)
    assert counts == [1 << 14, 2 << 14]


def test_a_trace_of_years_is_refused(tmp_path: Path) -> None:
    """One damaged second, which does not fit into a column of times."""
    first, *_, last = trace_text("hotplug").splitlines(keepends=True)
    (tmp_path / "t").write_text(first + last + re.sub(r" \d+\.(\d+): ", r" 8999999999.\1: ", last))
    with pytest.raises(InputError, match="days; a trace may span 416; a time in it is"):
        import_trace(tmp_path / "t", Events())
