"""Messages about a wrong scenario: all mistakes together, each with key, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.scenario.action import VERBS, allowed_actions
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.parse import KEYS
from hgeisim.scenario.schema import (
    Balance,
    HartGroup,
    Hotplug,
    Kernel,
    Machine,
    RandomHotplug,
    Run,
    Task,
    Vcpu,
    Vm,
)
from hgeisim.scenario.table import Table, toml_value
from hgeisim.scenario.timing import KINDS

VM = """
[[vm]]
name = "web"
vcpus = 2
run = { distribution = "constant", value = "1us" }
msi = { distribution = "constant", value = "1us" }
"""
TASK = """
[[vcpu]]
name = "v1"
hart = 0
[[vcpu]]
name = "v2"
hart = 1
[[task]]
name = "t1"
hart = 0
does = ["msi v1"]
"""
MACHINE = "[machine]\nharts = [{ count = 2, guest_files = 1 }]\n"
TIME = '{ distribution = "constant", value = "1us" }'
RANDOM = f"[random_hotplug]\nevery = {TIME}\noffline_for = {TIME}\n"
RANDOM_MESSAGES = [
    "random_hotplug.every: is missing; it must be a table such as { distribution = ",
    "random_hotplug.offline_for = 1: must be a table such as { distribution = ",
    "random_hotplug.evry = 1: is not a key here; the keys are every, offline_for, harts; did",
]


def errors(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    prefix = f"{path}: "
    return [line.removeprefix(prefix) for line in str(caught.value).splitlines()]


BAD = """
lok_at = "x"
title = 5
[machine]
harts = [{ count = 2, guest_files = 200, foo = 1 }, { guest_files = "3", geilen = 64 }]
[kernel]
preemption = "ful"
[run]
sed = 3
seed = true
until = "0ns"
[[vm]]
nme = "web"
vcpus = 0
mode = "atuo"
arrives = "1.0005us"
run = { distribution = "exponental", mean = "1us" }
msi = { distribution = "exponential", men = "1us" }
[[vm]]
name = "a b"
vcpus = 1
run = "5us"
msi = { distribution = "uniform", low = "2us", high = "1us" }
[[vm]]
name = "c"
vcpus = 1
run = { mean = "1us" }
msi = { distribution = "exponential", mean = "0us" }
[balance]
every = { distribution = "constant", value = "0ns" }
[timing]
ipi = "5"
ipii = "5us"
wake_up = 3
[hotplug]
hart = 1
[[task]]
name = "t"
hart = 0
does = ["destory v1", "offline x", 5]
[[task]]
name = "u"
hart = 0
does = []
"""

BAD_MESSAGES = """
lok_at = "x": is not a key here; the keys are title, look_at, no_lines, survey, machine, kernel, \
run, vm, balance, hotplug, random_hotplug, device, lock_load, timing, vcpu, task; did you \
mean "look_at"?
title = 5: must be text without control characters
machine.harts[0].guest_files = 200: must be 0..127 (guest interrupt files in the HART's IMSIC \
region)
machine.harts[0].foo = 1: is not a key here; the keys are count, guest_files, geilen, imsic
machine.harts[1].guest_files = "3": must be 0..127 (guest interrupt files in the HART's IMSIC \
region)
machine.harts[1].geilen = 64: must be 0..63 (HGEIE has 64 bits, and bit 0 is read-only zero)
kernel.preemption = "ful": must be "none", "voluntary", "full" or "rt"; did you mean "full"?
run.until = "0ns": must be above 0ns
run.seed = true: must be a whole number, 0..2**63 - 1
run.sed = 3: is not a key here; the keys are until, quiet, seed; did you mean "seed"?
vm[0].name: is missing; it must be a name of at most 40 letters, digits, ".", "_" and "-"
vm[0].vcpus = 0: must be 1..1024
vm[0].mode = "atuo": must be "emul", "auto" or "hwaccel"; did you mean "auto"?
vm[0].arrives = "1.0005us": must be a whole number of nanoseconds
vm[0].run.distribution = "exponental": must be one of "constant", "exponential", "uniform", \
"empirical"; did you mean "exponential"?
vm[0].msi.mean: is missing; it must be a time with a unit, such as "800ns", "1.5us", "20ms" or "2s"
vm[0].msi.men = "1us": is not a key here; the keys are distribution, mean; did you mean "mean"?
vm[0].nme = "web": is not a key here; the keys are name, vcpus, mode, fail_entry, fail_wait, \
harts, arrives, stagger, run, msi, replies, identity, ipi, tick, destroyed, count, every, lives, \
returns; did you mean "name"?
vm[1].name = "a b": must be a name of at most 40 letters, digits, ".", "_" and "-"
vm[1].run = "5us": must be a table such as { distribution = "exponential", mean = "120us" }
vm[1].msi = { distribution = "uniform", low = "2us", high = "1us" }: must have a `low` that is not \
above its `high`
vm[2].run.distribution: must be one of "constant", "exponential", "uniform", "empirical"
vm[2].msi = { distribution = "exponential", mean = "0us" }: must have a `mean` above 0ns
balance.every = { distribution = "constant", value = "0ns" }: must not be 0ns every time, or \
simulated time would stand still
hotplug = { hart = 1 }: must be a list of tables, each under the line [[hotplug]]
timing.ipi = "5": must have a unit, one of ns, us, ms and s, such as "800ns", "1.5us", "20ms" or \
"2s"
timing.wake_up = 3: must be a time such as "2us" or a distribution (wake a blocked vCPU)
timing.ipii = "5us": is not a key here; the keys are raw_spin_lock, raw_spin_unlock, \
interrupt_entry, ipi, ipi_send, vsfile_sweep, wake_up, context_switch, halt_poll, guest_entry, \
vm_teardown, stop_machine, cpuhp_state; \
did you mean "ipi"?
task[0].does[0] = "destory v1": must be one of {verbs}; did you mean "destroy"?
task[0].does[1] = "offline x": must be "offline HART"
task[0].does[2] = 5: must be one of {verbs}
task[1].does = []: must be a list of actions such as ["migrate 0", "run"]
"""


def test_all_mistakes_together(tmp_path: Path) -> None:
    messages = BAD_MESSAGES.replace("{verbs}", allowed_actions(VERBS))
    assert errors(tmp_path, BAD) == messages.strip().splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["machine: is missing; write a table [machine]", "must have at least one [[vm]]"]),
        ("machine = 5", ["machine = 5: must be a table", "must have at least one [[vm]]"]),
        (MACHINE, ["must have at least one [[vm]] or [[task]]"]),
        ("[machine]" + VM, ["machine = {  }: must have either `devicetree` or `harts`"]),
        (
            MACHINE + 'devicetree = "x.dtb"' + VM,
            ["machine = { harts = [{ count = 2, guest_files = 1 }], devicetree ="],
        ),
        (MACHINE + "geilen = [1, 1]" + VM, ["machine = { harts = "]),
        ('[machine]\ndevicetree = "x"\nguest_index_bits = 3' + VM, ["machine = { devicetree"]),
        (
            MACHINE.replace("= 1 }", "= 100 }") + "guest_index_bits = 6" + VM,
            ["machine.guest_index_bits = 6: must be at least 7 for 100 guest files"],
        ),
        (
            MACHINE.replace("count = 2", "count = 512").replace("}]", "}, {guest_files=1}]") + VM,
            ["machine.harts = 513 HARTs: must have at most 512 HARTs"],
        ),
        (
            MACHINE + "[kernel]\ninit_hart = 2" + VM,
            ["kernel.init_hart = 2: must be a HART of this"],
        ),
        (
            MACHINE + VM + VM + TASK.replace('"v1"', '"web"').replace("msi v1", "msi web"),
            [
                'vm[1].name = "web": must be unique; vm[0] has the same name',
                'vcpu[0].name = "web": must be unique; vm[0] has the same name',
            ],
        ),
        (
            MACHINE + VM + VM.replace("vcpus = 2", "vcpus = 0"),
            [
                "vm[1].vcpus = 0: must be 1..1024",
                'vm[1].name = "web": must be unique; vm[0] has the same name',
            ],
        ),
        (
            'title = "\\u001b[31mred"\nlook_at = """two\n\tlines\\u0007"""\n' + MACHINE + VM,
            [
                'title = "\\u001b[31mred": must be text without control characters',
                'look_at = "two\\n\\tlines\\u0007": must be text without control characters',
            ],
        ),
        (
            MACHINE + TASK.replace("msi v1", "msi v11"),
            ['task[0].does[0] = "msi v11": must be the name of a [[vcpu]]: v1, v2; did you mean '],
        ),
        (
            MACHINE + '[[task]]\nname = "t"\nhart = 7\ndoes = ["offline 7", "msi v1"]',
            [
                "task[0].hart = 7: must be a HART of this machine, 0..1",
                'task[0].does[0] = "offline 7": must be a HART of this machine, 0..1',
                'task[0].does[1] = "msi v1": must be the name of a [[vcpu]]: there is none',
            ],
        ),
        (
            MACHINE + TASK + '[[task]]\nname = "t2"\nvcpu = "v2"\ndoes = ["msi v1"]',
            ["task[1] = { name = "],
        ),
        (MACHINE + TASK + 'vcpu = "v2"', ["task[0] = { name = "]),
        (
            MACHINE
            + TASK
            + '[[task]]\nname = "a"\nvcpu = "v1"\ndoes = ["run"]\n'
            + '[[task]]\nname = "b"\nvcpu = "v1"\ndoes = ["run"]\n',
            ['task[2].vcpu = "v1": a vCPU can have only one thread; see task[1].vcpu'],
        ),
        (
            MACHINE + TASK.replace("msi v1", 'destroy v1", "destroy v1'),
            ['task[0].does[1] = "destroy v1": a vCPU can be destroyed only once; see task[0].does'],
        ),
        (
            MACHINE + TASK.replace("msi v1", "unload"),
            ['task[0].does[0] = "unload": is allowed only in a scenario without [[vm]] and'],
        ),
        (
            MACHINE + VM + 'arrives = "2ms"\ndestroyed = "2ms"',
            ['vm[0].destroyed = "2ms": must be later than arrives = "2ms"'],
        ),
        (
            MACHINE + VM + '[[hotplug]]\nhart = 1\noffline = "2ms"\nonline = "1ms"',
            ['hotplug[0].online = "1ms": must be later than offline = "2ms"'],
        ),
        (
            MACHINE
            + VM
            + '[[hotplug]]\nhart = 1\noffline = "5ms"\n'
            + '[[hotplug]]\nhart = 1\noffline = "1ms"\nonline = "5ms"',
            ['hotplug[0].offline = "5ms": must be later than hotplug[1].online = "5ms"'],
        ),
        (
            MACHINE
            + VM
            + '[[hotplug]]\nhart = 1\noffline = "1ms"\n'
            + '[[hotplug]]\nhart = 1\noffline = "2ms"\nonline = "5ms"',
            ['hotplug[1].offline = "2ms": must not follow hotplug[0], which leaves HART 1 offline'],
        ),
        (
            MACHINE
            + VM
            + '[[hotplug]]\nhart = 1\noffline = "1ms"\nonline = "3ms"\n'
            + '[[hotplug]]\nhart = 0\noffline = "2ms"\nonline = "5ms"',
            ['hotplug[1].offline = "2ms": must leave at least one HART online'],
        ),
        (
            MACHINE + VM + "harts = [0, 2, 0]",
            [
                "vm[0].harts[1] = 2: must be a HART of this machine, 0..1",
                "vm[0].harts[2] = 0: must be listed only once",
            ],
        ),
        (
            MACHINE + VM + f'destroyed = "2ms"\nevery = {TIME}',
            ["vm[0] = { name = "],
        ),
        (MACHINE + VM + 'fail_entry = "move"', ["vm[0] = { name = "]),
        (
            MACHINE + VM + RANDOM + "harts = [1, 3, 1]",
            [
                "random_hotplug.harts[1] = 3: must be a HART of this machine, 0..1",
                "random_hotplug.harts[2] = 1: must be listed only once",
            ],
        ),
        (
            MACHINE + VM + RANDOM + '[[hotplug]]\nhart = 1\noffline = "1ms"',
            ["random_hotplug = 2 HARTs: must leave one HART online besides a random one and"],
        ),
        (
            MACHINE.replace("2", "4")
            + VM
            + RANDOM
            + 'harts = [1]\n[[hotplug]]\nhart = 1\noffline = "1ms"',
            ["random_hotplug.harts[0] = 1: must not be a HART of a [[hotplug]] table"],
        ),
        (MACHINE + VM + "[random_hotplug]\nevry = 1\noffline_for = 1", RANDOM_MESSAGES),
    ],
)
def test_inconsistencies(tmp_path: Path, text: str, expected: list[str]) -> None:
    lines = errors(tmp_path, text)
    # What concerns the whole file has no key, and keeps the name of the file.
    lines = [line.removeprefix(f"{tmp_path}/x.toml: ") for line in lines]
    starts = [line[: len(start)] for line, start in zip(lines, expected, strict=False)]
    assert (starts, len(lines)) == (expected, len(expected))


@pytest.mark.parametrize(
    ("content", "start"),
    [
        (
            b"[run]\nseed = 1\nseed = 2\n",
            "line 3, column 9: must be TOML: Cannot overwrite a value; ",
        ),
        (b"run = {seed = 1}\nrun.until = 3\n", "line 2, column 14: must be TOML: Cannot mutate "),
        (b"title = 'caf\xe9'\n", "line 1 = byte 0xe9: must be UTF-8"),
        (b"[run]\nseed = 1 \xff", "line 2 = byte 0xff: must be UTF-8"),
        (b"x = " + b"[" * 5000, "must be nested at most 64 tables or lists deep"),
    ],
)
def test_a_syntax_error_names_its_line(tmp_path: Path, content: bytes, start: str) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_scenario(tmp_path / "x.toml")
    line = str(caught.value).removeprefix(f"{tmp_path / 'x.toml'}: ")
    assert line.startswith(start)
    assert ("may occur only once" in line) == ("Cannot" in line)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(MACHINE + VM, encoding="utf-8-sig")
    assert len(load_scenario(tmp_path / "x.toml").topology.harts) == 2


def test_a_text_may_have_several_lines(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('look_at = """two\n\tlines"""\n' + MACHINE + VM)
    assert load_scenario(tmp_path / "x.toml").look_at == "two\n\tlines"


def test_an_unknown_key_does_not_hide_other_mistakes_of_its_table(tmp_path: Path) -> None:
    lines = errors(tmp_path, MACHINE + 'x = 1\ndevicetree = "m.dtb"' + VM)
    assert [line.rpartition(": ")[2] for line in lines] == [
        "is not a key here; the keys are devicetree, harts, geilen, guest_index_bits, boot_hart, "
        "offline",
        "must have either `devicetree` or `harts`",
    ]


def test_an_unknown_key_does_not_hide_the_rest(tmp_path: Path) -> None:
    machine = MACHINE.replace("guest_files = 1", "guest_files = 1, foo = 1")
    lines = errors(tmp_path, machine + "[kernel]\ninit_hart = 9\nx = 1" + VM)
    assert [line.split(" = ")[0] for line in lines] == [
        "machine.harts[0].foo",
        "kernel.x",
        "kernel.init_hart",
    ]


TABLES: list[type[Table]] = [
    HartGroup,
    Machine,
    Kernel,
    Run,
    Vm,
    Balance,
    Hotplug,
    RandomHotplug,
    Vcpu,
    Task,
    *KINDS.values(),
]
WORDS = st.sampled_from(sorted({name for table in TABLES for name in table.model_fields}))
VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["1us", "v1", "auto"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@given(raw=st.dictionaries(st.sampled_from([*KEYS, "other"]), VALUES, max_size=6))
def test_no_content_raises_anything_but_input_error(
    tmp_path_factory: pytest.TempPathFactory, raw: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "random.toml"
    lines = (f"{key} = {toml_value(value)}\n" for key, value in raw.items())
    path.write_text("".join(lines), encoding="utf-8")
    try:
        load_scenario(path, {"seed": 1})
    except InputError as error:
        assert all(problem.allowed for problem in error.problems)
