"""The beginning of a mail: the finding and its kernel, the machine, and what is asked of whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hgeisim.checks.finding import PRE_EXISTING, Finding
from hgeisim.checks.known import known
from hgeisim.checks.remedies import remedy
from hgeisim.report.layout import count, in_columns
from hgeisim.scenario.schema import Kernel, Scenario, Task, Vm


def labelled(label: str, text: str) -> list[str]:
    """A paragraph with a word in the margin."""
    return in_columns(text, f"{label:<9}")


def vacuous_head(why: str) -> Iterator[str]:
    """The verdict says nothing about lines, whatever was found; this comes first."""
    rest = "the verdict says nothing about lines. Below is what was found besides."
    yield from in_columns(f"vacuous: {why}; {rest}")
    yield ""


def finding_head(
    finding: Finding, kernel: Kernel, accepted: bool = False, standing: str = ""
) -> Iterator[str]:
    """The id, the name by which it is known, the kernel; then the finding, which may be `accepted`
    where it is not known.  Of a user's own patch, how it compares with the base."""
    entry = known(finding.id, kernel.variant, kernel.realtime, finding.cause)
    names = [entry.name] if entry else []
    accepted = accepted or bool(entry and entry.accepted)
    if standing:
        names = names if standing == PRE_EXISTING else []
    standing = ", ".join([*names, standing or ("accepted" if accepted else "new")])
    kernel_name = f"{kernel.variant}, preemption {kernel.preemption}"
    yield from in_columns(f"{finding.id} ({standing}) on {kernel_name}")
    yield from in_columns(finding.text, "  ")
    yield ""


def machine(scenario: Scenario) -> Iterator[str]:
    """The HARTs and their lines, the vCPUs and where they start, the tasks and their actions."""
    harts = scenario.topology.harts
    groups = [(lines, len(list(run))) for lines, run in groupby(hart.lines for hart in harts)]
    if len(groups) == 1:
        text = f"{count(len(harts), 'HART')}, {count(groups[0][0], 'line')} each"
    else:
        text = f"{len(harts)} HARTs: {', '.join(f'{n} with {lines}' for lines, n in groups)} lines"
    starts = (
        f"{v.name} {'' if i else 'starts '}on CPU{v.hart}" for i, v in enumerate(scenario.vcpu)
    )
    yield from labelled("Machine", "; ".join(filter(None, (text, ", ".join(starts)))))
    if scenario.vm:
        yield from labelled("VMs", "; ".join(map(_vm, scenario.vm)))
    if scenario.task:
        yield from labelled("Tasks", "; ".join(map(_task, scenario.task)))


def _vm(vm: Vm) -> str:
    many = f"{vm.count} of " if vm.count else ""
    return f"{many}{vm.name}: {count(vm.vcpus, 'vCPU')}, {vm.mode}"


def _task(task: Task) -> str:
    where = f" on CPU{task.hart}" if task.hart is not None else ""
    return f"{task.name}{where}: {', '.join(map(str, task.does))}"


def consequence(finding_id: str, closes: str = "") -> Iterator[str]:
    """What breaks, and what would close it."""
    about = remedy(finding_id)
    yield from labelled("Breaks", about.breaks)
    yield from labelled("Closes", closes or about.closes)
