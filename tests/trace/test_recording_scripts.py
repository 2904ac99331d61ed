"""`hgeisim trace record`: its events are those of the table, and the scripts do what they say.

The scripts run here as they are, against a folder that looks like tracefs, and with commands of
the same names that only note how they were called.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hgeisim.trace.event_names import MEANINGS, columns_of
from hgeisim.trace.probe_points import MEMBERS, ON_DEMAND, PROBES, SGEI, TRACEPOINTS
from tests.support.traces import trace_command

FUNCTIONS = [function for probe in PROBES for function in probe.functions] + [SGEI[1]]
LEFT_OUT = {"tracing_mark_write"}
"""Events of the table that need no probe."""
V6_12 = [f for f in FUNCTIONS if "riscv_mmu_io" not in f and "vmid" not in f and "__" not in f]
PIPE = (
    "vm-7 [001] d..1. 5.000001: alloc: (kvm_riscv_aia_alloc_hgei+0x0/0x1a) cpu=1 vcpu=0xff1 "
    "old_cpu=(fault) old_hgei=(fault)\n"
    "vm-7 [001] d..1. 5.000002: alloc_ret: (a+0x1/0x2 <- kvm_riscv_aia_alloc_hgei) ret=1\n"
    "CPU:2 [LOST 3 EVENTS]\n"
    "sh-9 [000] ..... 5.000003: tracing_mark_write: end\n"
)


def test_events_are_those_of_the_table() -> None:
    own = {probe.event for probe in PROBES} | {SGEI[0]}
    kernel = {e for group in (TRACEPOINTS, ON_DEMAND) for events in group.values() for e in events}
    assert own | kernel | LEFT_OUT == set(MEANINGS)
    assert not own & kernel


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.event)
def test_arguments_are_those_of_the_table(probe: object) -> None:
    assert probe in PROBES
    (found,) = [each for each in PROBES if each is probe]
    columns = columns_of(MEANINGS[found.event], {})
    given = {argument.name for argument in found.arguments}
    assert {column.argument for column in columns if not column.optional} <= given
    assert all(argument.member in MEMBERS for argument in found.arguments if argument.member)


def stub(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


class Host:
    """A machine to record on; its kernel has some functions."""

    def __init__(self, folder: Path, functions: list[str]) -> None:
        self.bin, self.tracefs = folder / "bin", folder / "tracefs"
        self.instance = self.tracefs / "instances" / "hgeisim"
        self.folder = folder
        self.bin.mkdir()
        (self.tracefs / "events").mkdir(parents=True)
        (self.tracefs / "instances").mkdir()
        (self.tracefs / "kprobe_events").write_text("p:somebody/else do_exit\n")
        (self.tracefs / "kprobe_profile").write_text("  alloc  7  2\n  exit  9  9\n")
        lines = [f"ffffffff80000000 t {function}\t[kvm]\n" for function in functions]
        (folder / "kallsyms").write_text("".join(lines))
        for name, body in (
            ("id", "echo 0"), ("uname", "echo riscv64"), ("modprobe", ":"), ("rmdir", "rm -r $1"),
            ("gdb", "echo '$1 = 24'"), ("mkdir", f"cp -r {folder}/new $1"),
        ):  # fmt: skip
            stub(self.bin, name, body)
        self._make_instance(folder / "new")

    def _make_instance(self, new: Path) -> None:
        events = [f"hgeisim/{probe.event}" for probe in PROBES] + ["hgeisim/sgei"]
        events += [f"{group}/{event}" for group, names in TRACEPOINTS.items() for event in names]
        for event in events:
            (new / "events" / event).mkdir(parents=True)
            (new / "events" / event / "enable").touch()
        (new / "trace_pipe").write_text(PIPE)

    def record(self, tool: str, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        script = self.folder / "record.sh"
        script.write_text(trace_command("record", "--with", tool).out)
        return subprocess.run(
            ["/bin/sh", str(script), *command],
            env={
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "TRACEFS": str(self.tracefs),
                "KALLSYMS": str(self.folder / "kallsyms"),
                "OUT": str(self.folder / "trace.txt.gz"),
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def probes(self) -> list[str]:
        return (self.tracefs / "kprobe_events").read_text().splitlines()


@pytest.mark.slow
def test_tracefs_records_and_cleans_up(tmp_path: Path) -> None:
    host = Host(tmp_path, V6_12)
    seen = tmp_path / "seen"
    run = host.record(
        "tracefs", "sh", "-c", f"cp -r {host.instance} {seen}; exit 5",
        KVM_DEBUG="kvm.ko", SGEI_AT="0x3a:s1",
    )  # fmt: skip
    assert run.returncode == 5, run.stderr
    assert "not recorded" not in run.stderr
    assert "2 hits of probes were missed" in run.stderr
    added = [line for line in host.probes() if line.startswith(("p:hgeisim", "r256:hgeisim"))]
    assert {re.split("[/ ]", line)[1] for line in added} == {p.event for p in PROBES} | {"sgei"}
    assert "p:hgeisim/free kvm_riscv_aia_free_hgei cpu=$arg1:s32 hgei=$arg2:s32" in added
    assert (
        "p:hgeisim/rel kvm_riscv_vcpu_aia_imsic_release vcpu=$arg1:x64 "
        "vs_cpu=+24(+24($arg1)):s32 vs_hgei=+24(+24($arg1)):s32"
    ) in added
    assert "r256:hgeisim/alloc_ret kvm_riscv_aia_alloc_hgei ret=$retval:s32" in added
    assert "p:hgeisim/sgei hgei_interrupt+0x3a mask=%s1:x64" in added
    removed = [line for line in host.probes() if line.startswith("-:")]
    assert removed == [f"-:{re.split('[: ]', line)[1]}" for line in added], "nobody else's"
    assert not host.instance.exists()
    state = {name: (seen / name).read_text().strip() for name in ("trace_clock", "tracing_on")}
    assert state == {"trace_clock": "mono", "tracing_on": "1"}
    assert all(path.read_text() == "1\n" for path in seen.rglob("enable") if "hgeisim" in str(path))


@pytest.mark.slow
def test_what_tracefs_recorded_is_read(tmp_path: Path) -> None:
    host = Host(tmp_path, V6_12)
    assert host.record("tracefs", "true", KVM_DEBUG="kvm.ko").returncode == 0
    assert gzip.decompress((tmp_path / "trace.txt.gz").read_bytes()).decode() == PIPE
    answer = trace_command("import", tmp_path / "trace.txt.gz")
    assert answer.status == 0
    assert "Events were lost in 1 place" in answer.out


@pytest.mark.slow
def test_tracefs_says_what_it_cannot_record(tmp_path: Path) -> None:
    """Without debug information, and on a kernel without wakeon."""
    host = Host(tmp_path, [name for name in V6_12 if "wakeon" not in name])
    run = host.record("tracefs", "true")
    assert (
        "not recorded: upd rel lread inject run wakeon kick vload vput imput sgei\n" in run.stderr
    )
    assert "p:hgeisim/alloc kvm_riscv_aia_alloc_hgei cpu=$arg1:s32 vcpu=$arg2:x64" in host.probes()


@pytest.mark.parametrize("tool", ["tracefs", "bpftrace"])
def test_a_machine_that_cannot_record_is_left_alone(tool: str, tmp_path: Path) -> None:
    host = Host(tmp_path, [])
    run = host.record(tool, "true")
    assert run.returncode == 1
    assert re.search("KVM has no AIA|bpftrace is not installed", run.stderr)
    assert host.record(tool).stderr == "record: say which COMMAND to run\n"
    assert host.probes() == ["p:somebody/else do_exit"]


BPFTRACE = """\
import os, shutil, signal, sys
out, program = sys.argv[sys.argv.index("-o") + 1], sys.argv[-1]
shutil.copy(program, os.environ["COPY"])
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
with open(out, "w") as raw:
    raw.write("2000 vm-7 [001] 0.000002000: alloc_ret: ret=1\\n0 ready\\n")
    raw.write("1000 vm-7 [001] 0.000001000: alloc: cpu=1 vcpu=0x1 old_cpu=-1 old_hgei=-1\\n")
signal.pause()
"""


@pytest.mark.slow
def test_bpftrace(tmp_path: Path) -> None:
    host = Host(tmp_path, V6_12)
    (tmp_path / "stub.py").write_text(BPFTRACE)
    stub(host.bin, "bpftrace", f'exec {sys.executable} {tmp_path}/stub.py "$@"')
    program = tmp_path / "program"
    run = host.record("bpftrace", "true", COPY=str(program), SGEI_AT="0x3a:s1")
    assert run.returncode == 0, run.stderr
    lines = program.read_text().splitlines()
    assert (
        'kprobe:kvm_riscv_aia_free_hgei { $t = nsecs; printf("%llu %s-%d [%03d] %llu.%09llu: free: '
        r'cpu=%d hgei=%d\n", $t, comm, tid, cpu, $t / 1000000000, $t % 1000000000, '
        "(int32)arg0, (int32)arg1); }"
    ) in lines
    assert any(line.startswith("kprobe:hgei_interrupt+0x3a {") for line in lines)
    assert any('reg("s1")' in line for line in lines)
    assert len(lines) == len(PROBES) + 2, "each event once, sgei, and BEGIN"
    out = tmp_path / "trace.txt.gz"
    assert "1 vCPUs" in trace_command("import", out).out
