"""One scenario and one seed give one result to the byte, today and tomorrow."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgeisim.drivers.timed.simulation import simulate
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from tests.support.golden import difference, updating

FINGERPRINTS = Path(__file__).parent.parent / "fingerprints.toml"
HEAD = "# Fingerprints of the built-in scenarios, by variant; `make golden` rewrites them.\n"
VARIANTS = {
    "big-little": ("v6.12", "v6.12+percpu-v5"),
    "blocked-move": ("v6.12", "v6.18"),
    "contend": ("v6.12", "v7.3"),
    "everything": ("v6.12", "v7.3"),
    "exhaustion-auto": ("v6.12", "v7.3"),
    "exhaustion-hwaccel": ("v6.12", "v7.3"),
    "few-files": ("v6.12", "v7.3"),
    "high-identity": ("v7.2", "v7.3"),
    "hold-and-wait": ("v6.18", "v7.3"),
    "homogeneous": ("v7.1", "v7.3"),
    "host-shutdown": ("v6.12", "v7.3"),
    "hotplug-storm": ("v7.1", "v7.3"),
    "idle-power": ("v7.3", "v7.3+PM-0"),
    "late-vm": ("v7.1", "v7.3"),
    "late-zero": ("v7.2", "v7.3"),
    "lines-63": ("v6.12", "v7.3"),
    "lost-trap": ("v7.1", "v7.3"),
    "lost-ipi": ("v7.1", "v7.3"),
    "migration-storm": ("v6.18", "v7.3"),
    "crowd": ("v7.1", "v7.3"),
    "module-exit": ("v6.12", "v7.3"),
    "module-load": ("v7.1", "v7.3"),
    "move-offline": ("v6.12", "v7.3"),
    "moved-sleeper": ("v6.12", "v6.18"),
    "multi-vendor": ("v7.1", "v7.3"),
    "on-swfile": ("v6.12", "v7.3"),
    "one-vm": ("v6.12", "v7.3"),
    "patch-race": ("v6.12+percpu-v2", "v6.12+percpu-v5"),
    "realtime": ("v6.16", "v7.3"),
    "replugged-sleeper": ("v7.2", "v7.3"),
    "reset-release": ("v6.12", "v7.3"),
    "reused-line": ("v6.12", "v7.3"),
    "server-64": ("v7.3",),
    "sgei-storm": ("v6.18", "v7.3"),
    "sleeper-offline": ("v6.12", "v7.3"),
    "attr-offline": ("v6.12", "v7.3"),
    "attr-waits": ("v7.1", "v7.3"),
    "monitor-exits": ("v6.12", "v7.3"),
    "store-moved": ("v6.12", "v7.3"),
    "store-returned": ("v6.12", "v7.3"),
    "stale-attr": ("v6.12", "v7.3"),
    "suspend": ("v7.2", "v7.3"),
    "three-widths": ("v7.1", "v7.3"),
    "two-lines": ("v6.12", "v7.3"),
    "virt-2socket": ("v7.3",),
    "virt-guests3": ("v7.3",),
    "virt-guests5": ("v7.3",),
    "virt-guests7": ("v7.3",),
    "vm-churn": ("v7.1", "v7.3"),
    "vmid-rollover": ("v7.1", "v7.3"),
    "weak-init": ("v7.1+percpu-v2", "v7.3"),
}
REMEDY = (
    "Simulated time went another way than it used to. If it should: HGEISIM_UPDATE=1 (make golden) "
    "rewrites tests/fingerprints.toml, and the commit message must say why each line changed."
)
HASH_SEEDS = ("0", "1", "random")


def test_every_built_in_scenario_has_fingerprints() -> None:
    assert sorted(VARIANTS) == built_in_names()


@pytest.mark.slow
def test_fingerprints() -> None:
    now = HEAD + "".join(tables())
    if updating():
        FINGERPRINTS.write_text(now, encoding="utf-8")
    kept = FINGERPRINTS.read_text(encoding="utf-8") if FINGERPRINTS.exists() else ""
    tomllib.loads(now)
    if now != kept:
        pytest.fail(f"{difference(kept, now, FINGERPRINTS.name)}\n{REMEDY}", pytrace=False)


def tables() -> Iterator[str]:
    """The file's text, a table for each scenario."""
    for name, variants in VARIANTS.items():
        yield f"\n[{name}]\n"
        for variant in variants:
            scenario = load_scenario(name, {"variant": variant})
            simulation = simulate(scenario, record="occupancy")  # the timeline is the same
            simulation.run(scenario.run.until)
            yield f'"{variant}" = "{fingerprint(simulation.timeline)}"\n'


def start(hash_seed: str, *args: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "hgeisim", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def outputs(*args: str) -> list[bytes]:
    """The output of a command under each of `HASH_SEEDS`; it must not fail."""
    running = [start(hash_seed, *args) for hash_seed in HASH_SEEDS]
    said = [process.communicate()[0] for process in running]
    assert {process.returncode for process in running} <= {0, 1}
    return said


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v6.12+percpu-v5"])
def test_a_run_folder_is_the_same_to_the_byte(variant: str, tmp_path: Path) -> None:
    args = ("run", "big-little", "--variant", variant, "--until", "6ms", "--out")
    running = [start(seed, *args, str(tmp_path / seed)) for seed in HASH_SEEDS]
    for process in running:
        process.communicate()
    one, *others = (contents(tmp_path / seed) for seed in HASH_SEEDS)
    assert {"manifest.json", "summary.json", "occupancy.csv", "events.csv"} <= set(one)
    assert len(one["events.csv"]) > 1000
    for other in others:
        assert other == one


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.proof
def test_an_exploration_is_the_same_to_the_byte() -> None:
    one, *others = outputs("explore", "patch-race", "--json")
    assert b'"token": "hg2.' in one
    assert others == [one, one]


@pytest.mark.slow
def test_random_schedules_are_the_same_to_the_byte() -> None:
    one, *others = outputs("explore", "patch-race", "--walk", "100", "--seed", "7", "--json")
    assert others == [one, one]


@pytest.mark.slow
def test_a_run_leaves_nothing_behind_for_the_next() -> None:
    """Two runs in one process are two equal runs."""
    scenario = load_scenario("big-little", {"until": "3ms"})
    prints = []
    for _ in range(2):
        simulation = simulate(scenario)
        simulation.run(scenario.run.until)
        prints.append(fingerprint(simulation.timeline))
    assert prints[0] == prints[1]
