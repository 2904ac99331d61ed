"""The head of a mail, the finding, its kernel and its machine; and its end, the consequence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hgeisim.checks.finding import PRE_EXISTING, Finding
from hgeisim.checks.known import known
from hgeisim.checks.remedies import remedy
from hgeisim.report.kernel_names import in_c
from hgeisim.report.layout import count, in_columns
from hgeisim.scenario.schema import Kernel, Scenario


def labelled(label: str, text: str) -> list[str]:
    """A paragraph with a word in the margin."""
    return in_columns(text, f"{label:<9}")


def vacuous_head(why: str) -> Iterator[str]:
    """The first lines of a mail under a vacuous verdict: the finding below stands nevertheless."""
    rest = "the verdict says nothing about lines. Below is what was found nevertheless."
    yield from in_columns(f"vacuous: {why}; {rest}")
    yield ""


def finding_head(
    finding: Finding, kernel: Kernel, accepted: bool = False, standing: str = ""
) -> Iterator[str]:
    """The id of a finding with its name, its standing and the kernel; then its text.

    `accepted` says that a baseline of lock order accepts it, even if known.toml does not know it;
    `standing` compares the finding of a user's own patch with the base.
    """
    entry = known(finding.id, kernel.variant, kernel.realtime, finding.cause)
    names = [entry.name] if entry else []
    accepted = accepted or bool(entry and entry.accepted)
    if standing:
        names = names if standing == PRE_EXISTING else []
    standing = ", ".join([*names, standing or ("accepted" if accepted else "new")])
    kernel_name = f"{kernel.variant}, preemption {kernel.preemption}"
    yield from in_columns(f"{finding.id} ({standing}) on {kernel_name}")
    yield from in_columns(in_c(finding.text), "  ")
    yield ""


def machine(scenario: Scenario) -> Iterator[str]:
    """The HARTs with their lines, the vCPUs with their first CPUs, the VMs, the tasks with their
    actions."""
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
    vms = [
        f"{f'{vm.count} of ' if vm.count else ''}{vm.name}: {count(vm.vcpus, 'vCPU')}, {vm.mode}"
        for vm in scenario.vm
    ]
    tasks = [
        f"{task.name}{'' if task.hart is None else f' on CPU{task.hart}'}: "
        f"{', '.join(map(str, task.does))}"
        for task in scenario.task
    ]
    for label, each in (("VMs", vms), ("Tasks", tasks)):
        yield from labelled(label, "; ".join(each)) if each else ()


def consequence(finding_id: str, closes: str = "") -> Iterator[str]:
    """The damage that a finding does, and a change that would close it."""
    about = remedy(finding_id)
    yield from labelled("Breaks", about.breaks)
    yield from labelled("Closes", closes or about.closes)
