"""A finding of a run in time as evidence for a mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.finding import Finding
from hgeisim.kernel.variants import find_variant
from hgeisim.lockorder.report import Report
from hgeisim.report.kernel_names import Functions
from hgeisim.report.lock_mail import lock_lines
from hgeisim.report.mail_head import consequence, finding_head, labelled, machine
from hgeisim.scenario.duration import format_duration
from hgeisim.scenario.schema import Scenario
from hgeisim.watch.lock_report import finding_of


def run_mail(
    scenario: Scenario, seen: tuple[int, Finding], reports: Iterable[Report]
) -> Iterator[str]:
    """The lines, but for the command; `seen` says when, in ns, and what."""
    time_ns, finding = seen
    run = scenario.run
    yield from finding_head(finding, scenario.kernel)
    yield from machine(scenario)
    when = f"first at {time_ns / 1e6:.3f} ms of one run of {format_duration(run.until)}"
    yield from labelled("Seen", f"{when}, seed {run.seed}")
    yield ""
    functions = Functions(find_variant(scenario.kernel.variant))
    report = next((each for each in reports if finding_of(each).id == finding.id), None)
    if report is not None:
        yield from lock_lines(finding, report, functions)
    else:
        yield from consequence(finding.id)
    yield ""
