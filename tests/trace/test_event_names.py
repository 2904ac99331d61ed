"""Meanings of events, by their built-in names and by a user's own."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from hgeisim.errors import InputError
from hgeisim.trace import kernel_event as kernel
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.event_names import MEANINGS, Events
from hgeisim.trace.event_names_file import load_events
from hgeisim.trace.ftrace import Record, parse_ftrace
from hgeisim.trace.kvm_event import Bits, Cpu, Line, LineOrError, Meaning, Number, reader_of
from tests.support.traces import NAMES, line, trace_text


def meaning(event: str, table: Events | None = None) -> Meaning | None:
    (record,) = parse_ftrace([line(0, 0, event)], "t.txt")
    assert isinstance(record, Record)
    return (table or Events()).decode(record, "t.txt")


def problem(event: str) -> str:
    with pytest.raises(InputError) as error:
        meaning(event)
    (message,) = error.value.problems
    return str(message)


EXAMPLES: list[tuple[str, Meaning]] = [
    (
        "alloc: cpu=1 vcpu=0x~2 vm=0x~3 idx=0 old_cpu=2 old_hgei=3",
        kvm.Alloc(Cpu(1), "0x~2", Cpu(2), Line(3)),
    ),
    ("alloc: cpu=1 vcpu=0x~2", kvm.Alloc(Cpu(1), "0x~2")),
    ("alloc_ret: cpu=1 vcpu=0x~2 idx=0 ret=-2", kvm.AllocReturn(LineOrError(-2), Cpu(1), "0x~2")),
    ("alloc_ret: (a+0x1/0x2 <- b) ret=0xfffffffffffffffe", kvm.AllocReturn(LineOrError(-2))),
    ("alloc_ret: ret=0xfffffffe", kvm.AllocReturn(LineOrError(-2))),
    ("alloc_ret: ret=0x3", kvm.AllocReturn(LineOrError(3))),
    ("free: cpu=2 hgei=1", kvm.Free(Cpu(2), Line(1))),
    ("free_ret: ", kvm.FreeReturn()),
    ("sgei: mask=0x6 lock=0xff6000007dc860b8", kvm.Sgei(Bits(6))),
    (
        "upd: vcpu=0x~2 idx=2 vcpu_cpu=2 vs_cpu=-1 vs_hgei=-1",
        kvm.Update("0x~2", Cpu(2), Cpu(-1), Line(-1)),
    ),
    ("upd_ret: vcpu=0x~2 ret=1", kvm.UpdateReturn(Number(1))),
    ("rel: vcpu=0x~2 idx=1 vcpu_cpu=-1 vs_cpu=3 vs_hgei=1", kvm.Release("0x~2", Cpu(3), Line(1))),
    ("rel_ret: vcpu=0x~2", kvm.ReleaseReturn()),
    ("dis: ", kvm.Disable()),
    ("dis_ret: ", kvm.DisableReturn()),
    ("en: ", kvm.Enable()),
    ("en_ret: ", kvm.EnableReturn()),
    (
        "ioremap: kvm=0x~2 gpa=0x28000000 hpa=0x28009000",
        kvm.Map(Bits(0x28000000), Bits(0x28009000)),
    ),
    ("iounmap: kvm=0x~2 gpa=0x28000000", kvm.Unmap(Bits(0x28000000))),
    ("lread: data=0x~2 hgei=3", kvm.Sweep(Line(3))),
    (
        "inject: vcpu=0x~2 idx=2 iid=19 vs_cpu=-1 vs_hgei=-1",
        kvm.Inject("0x~2", Number(19), Cpu(-1), Line(-1)),
    ),
    ("run: vcpu=0x~2 idx=1 cpu=2 hstatus=0x2002011c0", kvm.Run("0x~2", Cpu(2), Bits(0x2002011C0))),
    ("wakeon: vcpu=0x~2 idx=0 en=1", kvm.Wakeon("0x~2", Number(1))),
    ("kick: vcpu=0x~2 idx=1 cpu=-1 mode=0", kvm.Kick("0x~2", Cpu(-1), Number(0))),
    ("vload: vcpu=0x~2 idx=2 cpu=2", kvm.Load("0x~2", Cpu(2))),
    ("vload: vcpu=0x~2 idx=2 cpu=2 last_exit=-1", kvm.Load("0x~2", Cpu(2), Cpu(-1))),
    ("fload: vcpu=0x~2 idx=2", kvm.FullLoad("0x~2")),
    ("vput: vcpu=0x~2 idx=2 cpu=2", kvm.Put("0x~2", Cpu(2))),
    ("imput: vcpu=0x~2 idx=2 vs_cpu=0 vs_hgei=1", kvm.ImsicPut("0x~2", Cpu(0), Line(1))),
    (
        "sched_switch: prev_comm=a b prev_pid=1 prev_prio=120 prev_state=R+ ==> "
        "next_comm=c d next_pid=15 next_prio=120",
        kernel.Switch(Number(1), "R+", "c d", Number(15)),
    ),
    ("sched_wakeup: comm=a pid=7 prio=120 target_cpu=003", kernel.Wakeup(Number(7), Cpu(3))),
    ("sched_waking: comm=a pid=7 prio=120 target_cpu=003", kernel.Waking(Number(7))),
    (
        "sched_migrate_task: comm=a pid=55 prio=120 orig_cpu=2 dest_cpu=0",
        kernel.MoveTask(Number(55), Cpu(2), Cpu(0)),
    ),
    (
        "cpuhp_enter: cpu: 0001 target:   0 step:  86 (finish_cpu)",
        kernel.HotplugStep(Cpu(1), Number(0), Number(86), "finish_cpu"),
    ),
    (
        "cpuhp_exit:  cpu: 0001  state:  85 step:  86 ret: -16",
        kernel.HotplugStepReturn(Cpu(1), Number(85), Number(86), Number(-16)),
    ),
    (
        "ipi_send_cpu: cpu=3 callsite=f+0x50/0xda callback=g+0x0/0x16",
        kernel.IpiSend(Cpu(3), "f+0x50/0xda", "g+0x0/0x16"),
    ),
    (
        "ipi_send_cpumask: cpumask=0,2-3 callsite=f callback=g",
        kernel.IpiSendMany("0,2-3", "f", "g"),
    ),
    (
        "csd_queue_cpu: cpu=3 callsite=f+0x1/0x2 func=g csd=00000000b9001df3",
        kernel.CallQueued(Cpu(3), "g", "00000000b9001df3"),
    ),
    ("csd_function_entry: func=g, csd=00000000b9001df3", kernel.CallEntry("g", "00000000b9001df3")),
    ("csd_function_exit: func=g, csd=00000000b9001df3", kernel.CallExit("g", "00000000b9001df3")),
    (
        "ipi_raise: target_mask=00000002 (Rescheduling interrupts)",
        kernel.IpiRaise("00000002", "Rescheduling interrupts"),
    ),
    ("ipi_entry: (Function call interrupts)", kernel.IpiEntry("Function call interrupts")),
    ("ipi_exit: (Function call interrupts)", kernel.IpiExit("Function call interrupts")),
    (
        "lock_acquire: 000000007adbf54b &rq->__lock",
        kernel.LockAcquire("000000007adbf54b", "", "&rq->__lock"),
    ),
    ("lock_acquire: 00000000 try read a b", kernel.LockAcquire("00000000", "try read ", "a b")),
    ("lock_release: 00000000 &rq->__lock", kernel.LockRelease("00000000", "&rq->__lock")),
    ("lock_contended: 00000000 &rq->__lock", kernel.LockContended("00000000", "&rq->__lock")),
    ("tracing_mark_write: FAIL_ENTRY cpu=1", kernel.Mark("FAIL_ENTRY cpu=1")),
]


@pytest.mark.parametrize(("event", "expected"), EXAMPLES)
def test_meanings(event: str, expected: Meaning) -> None:
    assert meaning(event) == expected


def test_every_meaning_has_an_example() -> None:
    assert {type(expected) for _, expected in EXAMPLES} == set(MEANINGS.values())


def test_vgein_is_in_hstatus() -> None:
    assert kvm.Run("v", Cpu(0), Bits(0x2002011C0)).vgein == 1
    assert kvm.Run("v", Cpu(0), Bits(0x200000180)).vgein == 0


def test_other_events_mean_nothing() -> None:
    assert meaning("timer_start: timer=0x1") is None


@pytest.mark.parametrize("name", NAMES)
def test_every_record_of_the_real_traces_is_understood(name: str) -> None:
    table = Events()
    for entry in parse_ftrace(trace_text(name).splitlines(keepends=True), name):
        if isinstance(entry, Record):
            assert table.decode(entry, name) is not None, entry


def test_what_is_missing_is_named() -> None:
    assert problem("free: cpu=2 hg=1") == (
        "t.txt: line 1, event free: has no argument 'hgei'; it has: cpu, hg; "
        "--events FILE.toml gives other names"
    )
    assert "has no argument 'cpu'; it has: none" in problem("alloc: ")
    assert "has no argument 'lock'; it has: none" in problem("lock_acquire: ")


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("free: cpu=two hgei=1", "event free = cpu=two: must be a whole number, decimal or 0x"),
        ("free: cpu=2 hgei=64", "event free = hgei=64: must be -1..63"),
        ("free: cpu=4096 hgei=1", "event free = cpu=4096: must be -1..4095"),
        (
            "free: cpu=\u0663 hgei=1",
            r"event free = cpu=\u0663: must be a whole number, decimal or 0x",
        ),
        ("alloc_ret: ret=-5000", "event alloc_ret = ret=-5000: must be -4095..63"),
        ("sgei: mask=-1", "event sgei = mask=-1: must be 0..18446744073709551615"),
        ("free: cpu= hgei=1", "event free: has no argument 'cpu'; it has: hgei"),
    ],
)
def test_an_impossible_value_is_reported(event: str, message: str) -> None:
    assert f"t.txt: line 1, {message}" in problem(event)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Number, "0x7fffffffffffffff", (1 << 63) - 1),
        (Number, "0x8000000000000000", -(1 << 63)),
        (Number, "0x0fffffff", 0x0FFFFFFF),
        (Bits, "0xffffffff", 0xFFFFFFFF),
        (Cpu, "-1", -1),
        (Cpu, "003", 3),
        (Number, "148 (f)", 148),
    ],
)
def test_integers(kind: object, text: str, value: int) -> None:
    assert reader_of(kind)(text) == value


def table_of(tmp_path: Path, text: str) -> Events:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_events(path)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        table_of(tmp_path, text)
    return [str(each).removeprefix(f"{tmp_path}/mine.toml: ") for each in error.value.problems]


def test_other_names_need_no_code(tmp_path: Path) -> None:
    text = '[alloc]\nevent = "aia_alloc"\nvcpu = "owner"\n[free]\nline = "nr"\n'
    table = table_of(tmp_path, text)
    assert meaning("aia_alloc: cpu=1 owner=0x2", table) == kvm.Alloc(Cpu(1), "0x2")
    assert meaning("free: cpu=1 nr=2", table) == kvm.Free(Cpu(1), Line(2))
    assert meaning("alloc: cpu=1 vcpu=0x2", table) is None, "it is called otherwise now"


def test_two_events_may_change_places(tmp_path: Path) -> None:
    table = table_of(tmp_path, '[en]\nevent = "dis"\n[dis]\nevent = "en"\n')
    assert meaning("en: ", table) == kvm.Disable()
    assert meaning("dis: ", table) == kvm.Enable()


def test_every_mistake_of_a_table_is_reported(tmp_path: Path) -> None:
    text = 'free = 1\n[allok]\n[alloc]\nvcpus = "a"\ncpu = 3\nevent = "two words"\n'
    wrong, unknown, key, kind, words = mistakes(tmp_path, text)
    assert wrong == "free = 1: must be a table, under a line [free]"
    assert re.match(r'\[allok\]: is not a meaning; there are .*; did you mean "alloc"\?', unknown)
    assert key.startswith(
        'alloc.vcpus = "a": is not a key here; the keys are event, cpu, vcpu, old_cpu'
    )
    assert kind == "alloc.cpu = 3: must be a name, one word"
    assert words == 'alloc.event = "two words": must be a name, one word'


def test_one_event_has_one_meaning(tmp_path: Path) -> None:
    (message,) = mistakes(tmp_path, '[alloc]\nevent = "free"\n')
    assert message == (
        'free.event = "free": is already the name of alloc; give that one another name as well'
    )


def test_a_table_that_is_no_toml(tmp_path: Path) -> None:
    (message,) = mistakes(tmp_path, "[alloc\n")
    assert "must be TOML" in message


def test_every_field_can_be_named(tmp_path: Path) -> None:
    """Each meaning is as the documentation of the table promises."""
    for name, cls in MEANINGS.items():
        keys = [each.name for each in fields(cls)]  # type: ignore[arg-type]
        body = "".join(f'{key} = "arg_{key}"\n' for key in keys)
        assert table_of(tmp_path, f'[{name}]\nevent = "mine"\n{body}').meaning["mine"] is cls
