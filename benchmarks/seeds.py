"""A closed set of seeds: every shipped scenario with a load, on its own base, with many seeds.

    python -m benchmarks.seeds [FIRST [COUNT]]

The findings of a run are kept in out/seeds, by the code that ran, so no run is made twice:
stop it and start it again as you like.  Changes of known.toml do not count as code.  The
seeds of `LOOKED_AT` may be looked at while known.toml is written; those of `HELD_BACK` mean
something only as long as nobody does.  Exit status 1 when something was found that known.toml does
not name.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.finding import Cause, of_ids
from hgeisim.checks.known import known
from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "out" / "seeds"
LOOKED_AT, HELD_BACK = range(1000, 1200), range(3000, 3200)
OFTEN = 100
"""Progress is printed each time that this number of runs is done."""

Run: TypeAlias = tuple[str, int]
"""A scenario, as the command line names it, and a seed."""
Found: TypeAlias = dict[str, Cause]
"""The ids of what a run found, each with its cause."""


def scenario_names() -> list[str]:
    """The scenarios that have something to run in time, as the command line names them."""
    built_in = [name for name in built_in_names() if load_scenario(name).vm]
    traces = sorted((ROOT / "scenarios" / "traces").glob("*.toml"))
    return built_in + [str(path.relative_to(ROOT)) for path in traces]


def found_in(run: Run) -> Found:
    """Make a run."""
    scenario = _loaded(*run)
    simulation = simulate(scenario, form=fused)
    try:
        simulation.run(scenario.run.until)
    except Exception as error:  # noqa: BLE001 - whatever ends a run is a finding
        return simulation.causes | of_ids([f"crash:{type(error).__name__} {error}"])
    return simulation.causes


def _loaded(name: str, seed: int | None = None) -> Scenario:
    built_in = not name.endswith(".toml")
    return load_scenario(name if built_in else ROOT / name, {"seed": seed})


@cache
def _own(name: str) -> tuple[str, bool]:
    """The variant of a scenario, and whether it runs PREEMPT_RT."""
    kernel = _loaded(name).kernel
    return kernel.variant, kernel.realtime


def code_digest() -> str:
    """Names the code and the scenarios that run."""
    files = [path for ending in ("*.py", "*.toml", "*.dtb") for path in _files(ending)]
    text = blake2b(digest_size=8)
    for path in sorted(files):
        text.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return text.hexdigest()


def _files(ending: str) -> Iterator[Path]:
    for folder in ("hgeisim", "scenarios"):
        yield from (path for path in (ROOT / folder).rglob(ending) if path.name != "known.toml")


class Kept:
    """The findings of runs, kept in a file with one line for each; a line that was cut short is
    forgotten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        self.found: dict[Run, Found] = {}
        for line in lines:
            name, seed, found = json.loads(line)
            self.found[name, seed] = {i: Cause(*map(_read, cause)) for i, cause in found.items()}
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def add(self, run: Run, found: Found) -> None:
        """Keep one more."""
        self.found[run] = found
        with self.path.open("a", encoding="utf-8") as file:
            causes = {i: [_shown(each) for each in cause] for i, cause in found.items()}
            file.write(json.dumps([*run, causes]) + "\n")


def _shown(words: frozenset[str] | None) -> list[str] | None:
    return None if words is None else sorted(words)


def _read(words: list[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(words)


@dataclass
class Verdict:
    """The findings of some runs: how often what is accepted, what has only a name (a fault of a
    kernel or patch that the scenario shows), and in which run what is new first."""

    accepted: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    new: dict[str, list[Run]] = field(default_factory=dict)

    def add(self, run: Run, found: Found) -> None:
        """Look at one more run."""
        variant, realtime = _own(run[0])
        for ident, cause in found.items():
            entry = known(ident, variant, realtime, cause)
            if is_note(ident):
                self.named[f"a note {ident}"] += 1
            elif entry is None:
                self.new.setdefault(ident, []).append(run)
            else:
                counted = self.accepted if entry.accepted else self.named
                counted[f"{entry.name} {ident}"] += 1

    def lines(self) -> Iterator[str]:
        """As text, new findings last."""
        for title, counted in (("accepted", self.accepted), ("known, not accepted", self.named)):
            yield f"{title}: in how many runs"
            yield from (f"{times:7,}  {what}" for what, times in sorted(counted.items()))
        yield f"new: {len(self.new)}"
        for ident, runs in sorted(self.new.items()):
            name, seed = runs[0]
            yield f"{len(runs):7,}  {ident}"
            yield f"         hgeisim run {name} --seed {seed}"


def survey(runs: Sequence[Run], kept: Kept) -> Verdict:
    """Make the runs that were not made yet, on all cores, and look at all of them."""
    left = [run for run in runs if run not in kept.found]
    print(f"{len(runs):,} runs, {len(runs) - len(left):,} of them made before", flush=True)
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, get_context("spawn")) as workers:
        for done, (run, found) in enumerate(
            zip(left, workers.map(found_in, left), strict=True), start=1
        ):
            kept.add(run, found)
            if done % OFTEN == 0:
                print(f"{done:,} of {len(left):,}", flush=True)
    verdict = Verdict()
    for run in runs:
        verdict.add(run, kept.found[run])
    return verdict


def main() -> int:
    """Run all scenarios with some seeds, and say what that found and how long it took."""
    given = [int(word) for word in sys.argv[1:]]
    first, count = (*given, *(LOOKED_AT.start, len(LOOKED_AT))[len(given) :])
    start_s = time.monotonic()
    seeds, names = range(first, first + count), scenario_names()
    runs = [(name, seed) for seed in seeds for name in names]
    verdict = survey(runs, Kept(KEPT / f"{code_digest()}.jsonl"))
    print("\n".join(verdict.lines()))
    took_s = time.monotonic() - start_s
    print(f"{len(names)} scenarios, seeds {seeds[0]} to {seeds[-1]}, {took_s:,.0f} s")
    return 1 if verdict.new else 0


if __name__ == "__main__":
    sys.exit(main())
