"""Runs of machines of several sizes, ready to be drawn."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from hgeisim.drivers.timed.simulation import simulate
from hgeisim.report.run import manifest, summary
from hgeisim.runs.folder import write_run
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import texts_of
from hgeisim.runs.timeline import Timeline
from hgeisim.scenario.load import scenario_from


def scenario_of(harts: tuple[int, ...], variant: str = "v7.0+percpu-v5") -> dict[str, Any]:
    """Two VMs, one AUTO and one HWACCEL, on HARTs with given lines; the last one goes offline."""
    run, msi = ({"distribution": "exponential", "mean": mean} for mean in ("90us", "300us"))
    common = {"stagger": "5us", "run": run, "msi": msi}
    half = max(1, sum(harts) * 2 // 3)
    return {
        "title": f"Machine of {len(harts)} HARTs",
        "machine": {"harts": [{"guest_files": lines} for lines in harts]},
        "kernel": {"variant": variant, "preemption": "full"},
        "run": {"until": "2ms"},
        "vm": [
            {"name": "web", "vcpus": half, "mode": "auto", **common},
            {"name": "db", "vcpus": half, "mode": "hwaccel", **common},
        ],
        "balance": {"every": {"distribution": "exponential", "mean": "20us"}},
        "hotplug": [{"hart": len(harts) - 1, "offline": "300us", "online": "1ms"}],
    }


@cache
def recording(harts: tuple[int, ...], variant: str = "v7.0+percpu-v5") -> Recording:
    """Return a run of such a machine, as it would be read back from its folder; made once."""
    return recorded(scenario_of(harts, variant))


def recorded(raw: dict[str, Any]) -> Recording:
    """Return a run of a scenario, given as in a file."""
    scenario = scenario_from(raw)
    sim = simulate(scenario)
    sim.run(scenario.run.until)
    return Recording(manifest(scenario), summary(scenario, sim), sim.timeline, sim.tables)


def bare(timeline: Timeline, **scenario: object) -> Recording:
    """Return a recording with nothing but a timeline; `scenario` stands in its manifest."""
    facts = {"variant": "v7.0", "preemption": "none", "seed": 1}
    return Recording({"scenario": scenario, **facts}, {}, timeline)


def write_folder(path: Path, harts: tuple[int, ...]) -> None:
    """Leave a run of such a machine at `path`."""
    made, scenario = recording(harts), scenario_from(scenario_of(harts))
    write_run(path, manifest(scenario), made.summary, made.timeline, texts_of(made.tables))
