"""The result of a run in time: its manifest and summary as documents, and text for people.

For a Python prompt, the run on one screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from textwrap import wrap
from typing import Any

from hgeisim.checks.catalogue import is_note, not_checked
from hgeisim.checks.finding import INTRODUCED, PRE_EXISTING
from hgeisim.checks.known import known_facts, new_findings
from hgeisim.drivers.timed.base_runs import BaseRuns
from hgeisim.drivers.timed.simulation import Simulation
from hgeisim.drivers.vacuity import to_enter, vacuous
from hgeisim.report.findings import (
    explanation,
    in_order,
    named,
    nothing_found,
    standing,
    unlooked,
)
from hgeisim.report.layout import WIDTH, count, indented
from hgeisim.report.real_code import code_facts, code_lines
from hgeisim.report.run_tables import by_sgei
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.measures import hart_summaries, measures
from hgeisim.scenario.canonical import effective
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.table import format_duration
from hgeisim.version import VERSION
from hgeisim.watch.asker import offer_of


def manifest(scenario: Scenario) -> dict[str, Any]:
    """The manifest of a run: its scenario, kernel, seed and version."""
    return {
        "scenario": effective(scenario),
        "digest": scenario.digest,
        "variant": scenario.kernel.variant,
        "preemption": scenario.kernel.preemption,
        "seed": scenario.run.seed,
        "versions": {"hgeisim": VERSION},
    }


def summary(
    scenario: Scenario, simulation: Simulation, strict: bool = False, runs: BaseRuns | None = None
) -> dict[str, Any]:
    """The summary of a run: its verdict, measures and findings, compared with the runs of a base if
    there are any."""
    judged = _compared(simulation, runs, strict) if runs else _known(scenario, simulation, strict)
    why, msis = _why_vacuous(scenario, simulation, runs), simulation.msis()
    new = any(each["new"] for each in judged.values())
    ends_quiet = scenario.run.quiet is not None and bool(scenario.vm)
    if runs:
        base = {"variant": runs.variant, "runs": runs.runs, "rare": round(runs.rare, 3)}
    return {
        "verdict": "vacuous" if why else "violation" if new else "sampled",
        "variant": scenario.kernel.variant,
        **code_facts(scenario.kernel.variant),
        "seed": scenario.run.seed,
        "end_ns": simulation.timeline.end_ns,
        "fingerprint": fingerprint(simulation.timeline),
        "harts": hart_summaries(simulation.timeline),
        **measures(simulation.timeline, simulation.tables),
        "msis": msis,
        "reach": {
            "vacuous": why,
            "msis": {"sent": msis["all"]["sent"], "sgei": simulation.sgeis.msis},
        },
        "findings": in_order(
            {"id": i, "time_ns": now, "text": f.text, **judged[i]}
            for i, (now, f) in simulation.findings.items()
        ),
        **({"base": base} if runs else {}),
        "schedules": 1,
        "not_checked": not_checked(offer_of(scenario.kernel.variant, quiet=ends_quiet)),
    }


def _why_vacuous(scenario: Scenario, simulation: Simulation, runs: BaseRuns | None) -> str:
    """The reason why a run is vacuous, else "".

    A run in which no vCPU has arrived that could enter its guest is not judged.
    """
    guests = simulation.guests
    may = [vcpu.id for vcpu in to_enter(scenario, simulation.k)]
    if not (may or scenario.vcpu):
        return ""
    line = guests.line_handed_out
    there = runs.hand_out_a_line() if runs and not line else None
    return vacuous(scenario, not may or any(i in guests.entered for i in may), line, there)


def _known(scenario: Scenario, simulation: Simulation, strict: bool) -> dict[str, dict[str, Any]]:
    """The name, reason and newness of each finding according to known.toml."""
    variant, realtime = scenario.kernel.variant, scenario.kernel.realtime
    causes = simulation.causes
    new = new_findings(causes, variant, strict, realtime)
    return {
        i: {"new": i in new, **known_facts(i, variant, realtime, cause)}
        for i, cause in causes.items()
    }


def _compared(simulation: Simulation, runs: BaseRuns, strict: bool) -> dict[str, dict[str, Any]]:
    """The standing of each finding against the base; one that the base shows too has the name and
    reason that it has there."""
    kernel, unknown = runs.scenario.kernel, {"known_as": None, "reason": None}
    judged: dict[str, dict[str, Any]] = {}
    for i, each in runs.standings(simulation.causes).items():
        there = each.word == PRE_EXISTING
        cause = simulation.causes[i]
        facts = known_facts(i, kernel.variant, kernel.realtime, cause) if there else unknown
        new = (strict or not there) and not is_note(i)
        judged[i] = {"new": new, "standing": each.word, "base_switches": None, **facts}
    return judged


def head(scenario: Scenario) -> Iterator[str]:
    """The title, the kernel and the hint where to look, in lines of at most 80 characters where
    words allow it."""
    until = format_duration(scenario.run.until)
    kernel = scenario.kernel
    yield from wrap(scenario.title or scenario.file, WIDTH)
    yield f"{kernel.variant}, preemption {kernel.preemption}, {until}, seed {scenario.run.seed}"
    if scenario.look_at:
        yield from wrap(f"Look at: {scenario.look_at}", WIDTH)
    for warning in scenario.topology.warnings:
        yield from indented(f"{scenario.topology.source}: {warning}", 0)


def finding_lines(result: dict[str, Any]) -> Iterator[str]:
    """The findings as text, after the reason why the run is vacuous, if it is."""
    if result["reach"]["vacuous"]:
        yield f"vacuous: {result['reach']['vacuous']}"
    for finding in result["findings"]:
        when = f"{finding['time_ns'] / 1e6:.3f} ms"
        words = f"finding {named(finding)}, first at {when}{_standing(finding, result)}"
        yield from indented(words, 0, 4)
        yield from explanation(finding)
    yield from _compared_with(result)
    if nothing_found(result["findings"]):
        yield "no finding in this run (one schedule)"
    else:
        yield "seen in one schedule"
    yield from code_lines(result)
    yield from by_sgei(result["reach"]["msis"])
    yield from unlooked(result["not_checked"])


def _standing(finding: dict[str, Any], result: dict[str, Any]) -> str:
    """How a finding counts; for an introduced one also how many runs of the base were searched."""
    word, base = standing(finding), result.get("base")
    if finding.get("standing") != INTRODUCED or not (base and base["runs"]):
        return word
    return f"{word}: in none of {count(base['runs'], 'run')} of {base['variant']}"


def _compared_with(result: dict[str, Any]) -> Iterator[str]:
    """The number of runs of the base, and how rare a finding may be to be missing from them."""
    if "base" not in result:
        return
    base = result["base"]
    runs = count(base["runs"], "run") if base["runs"] else "no run was needed"
    words = f"compared with {base['variant']}: {runs}"
    if any(each.get("standing") == INTRODUCED for each in result["findings"]) and base["runs"]:
        part = ceil(100 * base["rare"])
        words += f"; what it shows in fewer than {part} % of its runs may be missing there"
    yield from indented(words, 0)
