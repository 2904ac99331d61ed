"""Every step of the AIA paths, sections 2.3-2.12 of docs/paths.md, is reached in each driver."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import Draw
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.drivers.traced.conformance import check_trace
from hgeisim.drivers.traced.probed_call import UPDATE
from hgeisim.kernel.structs import ENOENT
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from tests.kernel.test_twins import ROWS, twin
from tests.support.kernels import BITMAP_RESET, CLAMP, MIN, V2, V3, V4, V5, V6_12, V6_16, V7_0, V7_2
from tests.support.source import ROOT, tree_of
from tests.support.traced import alloc, excerpt, run, variant_of, written
from tests.traced.test_excerpts import CHECKED

Line = tuple[str, int]
"""A file of hgeisim/ and the number of a line."""


def lines_of_sections(first: int, last: int) -> dict[Line, str]:
    """The statements of all functions of sections 2.`first` to 2.`last`, with their function."""
    found = {}
    sections = {f"2.{n}" for n in range(first, last + 1)}
    for section, names, file in ROWS:
        leading = re.match(r"(?:`\w+`(?:, )?)*", names)
        for name in re.findall(r"\w+", leading.group() if leading else ""):
            if section in sections:
                method = twin(name, file)
                found.update(dict.fromkeys(_statements(file, method), f"{method} in {file}"))
    return found


def _statements(file: str, method: str | None) -> Iterator[Line]:
    for node in ast.walk(tree_of(f"hgeisim/{file}")):
        if isinstance(node, ast.FunctionDef) and node.name == method:
            for part in node.body[1:]:  # without the docstring
                for statement in ast.walk(part):
                    if isinstance(statement, ast.stmt):
                        yield file, statement.lineno


class Tracer:
    """Notes the lines of hgeisim/kernel/ that run while it is entered."""

    def __init__(self) -> None:
        self.lines: set[Line] = set()

    def __enter__(self) -> Tracer:
        self.before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        path = frame.f_code.co_filename
        if "hgeisim/kernel/" not in path:
            return None
        file = path.rpartition("hgeisim/")[2]
        self.lines.add((file, frame.f_lineno))

        def line(frame: FrameType, event: str, arg: object) -> Any:
            self.lines.add((file, frame.f_lineno))
            return line

        return line


pytestmark = pytest.mark.slow

LINES = lines_of_sections(3, 12)
BUSY = {
    "vcpu/v4": ("block",),
    "vcpu/v1": ("migrate 1", "run", "exit", "block", "migrate 0", "run"),
    "vcpu/v2": ("block", "run", "exit"),
    "cpuhp/0": ("offline 0", "online 0"),
    "monitor": ("reset v1", "msi v1", "set_reg v3", "destroy v3", "msi v2", "rw_attr v1"),
    "device": ("sbi_ipi v2", "irqfd v2", "irqfd v1", "msi v1"),
}
"""What the tasks of a small busy machine do: vCPUs move, sleep, are reset and destroyed beside a
hotplug; v4 sleeps on the HART that goes offline."""
RELOAD = {"modprobe/0": ("unload", "load")}
"""Every HART is enabled for the first time, once more."""
LEAVING = {"vcpu/v1": ("migrate 1", "exit_mm"), "cpuhp/0": ("offline 0",)}
"""A monitor exits beside a hotplug."""
HOME = {"v1": 0, "v2": 1, "v3": 1, "v4": 0}
"""Where the vCPUs start, those of `BUSY`."""


def small(
    machine: tuple[str, tuple[int, ...], str], does: Mapping[str, tuple[str, ...]], preemption: str
) -> Scenario:
    """A machine with such a kernel, lines of HARTs and mode, where tasks do such things."""
    variant, lines, mode = machine
    tasks: list[dict[str, Any]] = []
    for task, actions in does.items():
        kind, _, name = task.partition("/")
        where: dict[str, Any] = {"vcpu": name} if kind == "vcpu" else {"hart": int(not name)}
        tasks.append({"name": task, "does": actions, **where})
    vcpus = [{"name": name, "hart": hart, "mode": mode} for name, hart in HOME.items()]
    return scenario_from(
        {
            "machine": {"harts": [{"guest_files": max(lines), "geilen": n} for n in lines]},
            "kernel": {"variant": variant, "preemption": preemption, "halt_poll_max": "0ns"},
            "run": {"until": "20ms"},
            "vcpu": [] if does is RELOAD else vcpus,
            "task": tasks,
        }
    )


BUSY_MACHINES = [
    *((variant, (2, 3), "auto") for variant in (V6_12, V6_16, V7_0, V7_2, V2, V5, CLAMP)),
    *((variant, (1, 1), mode) for variant in (V6_12, V7_0) for mode in ("auto", "hwaccel")),
    (V7_0, (1, 1), "emul"),
    (BITMAP_RESET, (0, 2), "auto"),
]
"""Variants, lines and modes that have all the steps between them, with the reloaded ones."""
RELOADED = [(variant, (3, 2), "auto") for variant in (V3, V4, V5, MIN)]


def scenarios(preemption: str) -> Iterator[Scenario]:
    """All of them; without preemption, v4 sleeps before hotplug comes, in time."""
    yield from (small(machine, BUSY, preemption) for machine in BUSY_MACHINES)
    yield from (small(machine, RELOAD, preemption) for machine in RELOADED)
    yield small((V7_0, (1, 1), "auto"), LEAVING, preemption)


def not_reached(tracer: Tracer) -> dict[str, list[int]]:
    """The lines that never ran, by function."""
    left: dict[str, list[int]] = {}
    for line, function in LINES.items():
        if line not in tracer.lines:
            left.setdefault(function, []).append(line[1])
    return left


def lines_told(left: dict[str, list[int]]) -> Iterator[str]:
    """The text of such lines."""
    for function, numbers in left.items():
        text = (ROOT / "hgeisim" / function.split(" in ")[1]).read_text().splitlines()
        yield from (text[number - 1].strip() for number in numbers)


def test_there_are_lines_to_reach() -> None:
    assert len(LINES) > 300
    assert not_reached(Tracer()).keys() == {*LINES.values()}


def test_in_time_each_step_is_reached() -> None:
    """The boundaries are stripped there."""
    runs = [simulate(scenario) for scenario in scenarios("none")]
    runs.append(simulate(load_scenario("big-little", {"variant": V6_12, "until": "10ms"})))
    with Tracer() as tracer:
        for run in runs:
            run.run(int(20e6))
    left = not_reached(tracer)
    assert [line for line in lines_told(left) if line != "yield STEP"] == []


@pytest.mark.proof
def test_explored_each_step_is_reached() -> None:
    spaces = [space_of(scenario) for scenario in scenarios("full")]
    with Tracer() as tracer:
        for space in spaces:
            random_walk(space, 20, Draw(Streams(3).stream("walks")))
    assert not_reached(tracer) == {}


ENABLE = ("1 cpuhp-9 en:", "1 cpuhp-9 en_ret:")
ARMED_AND_TAKEN = (
    *(*alloc(1, "v1", 1), run(1, "v1", 1), "1 v1-101 wakeon: vcpu=v1 en=1"),
    *("1 cpuhp-9 dis:", "1 cpuhp-9 rel: vcpu=v1 vs_cpu=1 vs_hgei=1"),
    *("1 cpuhp-9 free: cpu=1 hgei=1", "1 cpuhp-9 rel_ret:", "1 cpuhp-9 dis_ret:"),
)
REFUSED = (
    *("1 v1-101 upd: vcpu=v1 vcpu_cpu=1 vs_cpu=-1 vs_hgei=-1", *alloc(1, "v1", 1)),
    *("1 v1-101 upd_ret: ret=1", run(1, "v1", 1)),
    *("1 v2-102 upd: vcpu=v2 vcpu_cpu=1 vs_cpu=-1 vs_hgei=-1", *alloc(1, "v2", -ENOENT)),
    "1 v2-102 upd_ret: ret=0",
)
"""HWACCEL, without a line."""
WRITTEN = [
    *((variant, (3, 3), ENABLE) for variant in (V2, CLAMP, MIN, V3, V4, V5)),
    *((variant, (3, 3), alloc(1, "v1", 1)) for variant in (V6_16, V7_2)),
    (V2, (3, 0), ENABLE),
    (MIN, (3, 2), ENABLE),
    (V6_12, (3, 3), ARMED_AND_TAKEN),
    (V7_2, (3, 3), [event for event in ARMED_AND_TAKEN if "wakeon" not in event]),
    (V6_12, (1, 1), REFUSED),
]
"""Kernels without an excerpt, and steps that excerpts do not show."""
NOT_FOLLOWED = {
    *("vcpu_load", "vcpu_put", "kvm_arch_vcpu_load", "kvm_arch_vcpu_put"),
    *("kvm_sched_in", "kvm_sched_out", "kvm_riscv_vcpu_aia_put"),
    *("kvm_riscv_vcpu_aia_imsic_put", "registers_to_be_written", "any_pending", "read_pgd"),
    "load_registers",
    "kvm_riscv_vcpu_set_reg_csr",
    "kvm_riscv_vcpu_aia_has_interrupts",
    *("kvm_riscv_vcpu_aia_imsic_inject", "kick_after_store", "kvm_riscv_vcpu_set_interrupt"),
    *("irqfd_wakeup", "imsic_page_write", "imsic_swfile_extirq_update"),
    "lower_nr_hgei",
}
"""What no event of a trace begins: loading and putting, looking for something pending, and MSIs,
which are compared with where the VS-file is, no more; and the first time that a HART is enabled."""
FLUSHED = "kvm_riscv_vcpu_flush_interrupts in kernel/variants/irqs_pending_lock.py"
"""No excerpt of v7.2 is here: v6.12 shows an interrupt that is flushed."""
EMUL_RETURNS = 1
"""A vCPU in EMUL has no events."""


def test_following_traces_the_steps_of_their_events_are_reached() -> None:
    with Tracer() as tracer:
        for name in CHECKED:
            assert check_trace(excerpt(name), variant_of(name)).disagreement is None
        for variant, lines, steps in WRITTEN:
            result = check_trace(written(*steps, lines=lines), variant)
            assert result.disagreement is None, (variant, result.disagreement)
    left = not_reached(tracer)
    del left[FLUSHED]
    del left["kvm_riscv_mmu_iounmap in kernel/variants/gstage.py"]  # as in v6.12
    assert {name.split()[0] for name in left} - NOT_FOLLOWED == {UPDATE}
    assert len(next(lines for name, lines in left.items() if UPDATE in name)) == EMUL_RETURNS
