"""The cost of studies: a sweep on all cores, a finished sweep, memory, a paired comparison.

    python -m benchmarks.studies [RUNS]

Wall time, except for the comparison, which is CPU time of one process against that of as many bare
runs (`--record occupancy`).  Memory is the peak of the parent of a sweep, for a quarter of the runs
and for all of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import hgeisim

RUNS = 200
PAIRS = 8
PEAK = """
import resource, sys
from hgeisim.cli.main import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
raise SystemExit(status)
"""
AXES = ("-x", "machine.harts.1.guest_files=1..5", "-x", "vm.0.vcpus=8,16")
POINTS = 10


def swept(folder: Path, name: str, runs: int, *words: str) -> tuple[float, int]:
    """Seconds and peak memory (KiB) of the parent of a sweep of short runs of big-little."""
    few = ("--until", "2ms", "-n", str(runs // POINTS), "-o", str(folder / f"{name}.sqlite"))
    command = [sys.executable, "-c", PEAK, "sweep", "big-little", *AXES, *few, "--json", *words]
    began = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return time.monotonic() - began, int(done.stderr.split()[-1])


def bare_s(scenario: Any, variants: tuple[str, ...]) -> float:
    """CPU seconds of bare runs with the seeds of a comparison."""
    began = time.process_time()
    for seed in range(1, PAIRS + 1):
        for variant in variants:
            made = hgeisim.load(scenario, variant=variant, seed=seed)
            hgeisim.run(made, record="occupancy")
    return time.process_time() - began


def compared_s(scenario: Any, variants: tuple[str, ...]) -> float:
    """CPU seconds of the comparison, text included."""
    began = time.process_time()
    how: dict[str, Any] = {"replications": PAIRS, "executor": "serial"}
    str(hgeisim.compare(scenario, variants, **how))
    return time.process_time() - began


def main() -> None:
    """Print the figures beside their aims."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        serial_s, few_kib = swept(folder, "few", runs // 4, "--executor", "serial")
        serial_s, many_kib = swept(folder, "serial", runs, "--executor", "serial")
        both_s, parent_kib = swept(folder, "both", runs)
        again_s, _ = swept(folder, "both", runs)
    print(f"{runs} short runs: serial {serial_s:.1f} s, processes {both_s:.1f} s,", end=" ")
    print(f"{both_s / serial_s:.2f} of serial (aim: 0.6 on 2 cores)", flush=True)
    print(f"gone on with when finished: {again_s:.2f} s (aim: 2)")
    print(f"peak of a serial sweep: {few_kib >> 10} MiB for {runs // 4} runs,", end=" ")
    print(f"{many_kib >> 10} for {runs}; of a parent of processes {parent_kib >> 10}", flush=True)
    variants = "v7.1", "v7.3"
    bare, compared = bare_s("big-little", variants), compared_s("big-little", variants)
    print(f"{PAIRS} pairs of big-little: {compared:.1f} s of CPU,", end=" ")
    print(f"{compared / bare:.2f} of {2 * PAIRS} bare runs (aim: 1.3)")


if __name__ == "__main__":
    main()
