"""The load that both sides run: many vCPUs that move, SGEIs, hotplug; 11 lines a HART."""

from __future__ import annotations

from dataclasses import dataclass

LINES = 11


@dataclass(frozen=True)
class Load:
    """Means and fixed times in ns; no vCPU waits for its HART, so the locks see all of it."""

    until_ns: int
    vcpus_per_hart: int = 8
    run_ns: int = 20_000
    sgei_ns: int = 10_000
    hold_ns: int = 200
    entry_ns: int = 500
    hotplug_ns: int = 1_000_000
    offline_ns: int = 200_000
