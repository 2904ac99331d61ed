"""A run read back, as pictures are drawn from it: timeline, tables, summary, title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hgeisim.runs.occupancy_steps import (
    Steps,
    Windows,
    all_at_once,
    offline_windows,
    steps_of_harts,
)
from hgeisim.runs.tables import Tables
from hgeisim.runs.timeline import Timeline


@dataclass(frozen=True)
class Recording:
    """A run, read back: `title` says what ran, further lines of it are a subtitle; `summary` is
    `summary.json`, and `tables` are those that were recorded."""

    timeline: Timeline
    title: str
    tables: Tables = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def harts(self) -> list[Steps]:
        """The occupancy of each HART."""
        return steps_of_harts(self.timeline)

    @cached_property
    def offline(self) -> list[Windows]:
        """When each HART was offline."""
        return offline_windows(self.timeline)

    @property
    def end_ns(self) -> int:
        """When the recording ends; 1 for one that took no time, so that it can be drawn."""
        return max(self.timeline.last_ns, 1)


def offline_label(offline: list[Windows]) -> str:
    """What it means that HARTs are offline in this run."""
    return "virtualization off: no VM, or HART offline" if all_at_once(offline) else "HART offline"


def title_of(manifest: Mapping[str, Any]) -> str:
    """Say what ran: the title of the scenario, and below it the kernel and the seed."""
    title = one_line(manifest["scenario"].get("title") or "A run without a title")
    if "trace" in manifest["scenario"]:
        return f"{title}\nan event trace of a real kernel"
    kernel = one_line(f"{manifest['variant']}, preemption {manifest['preemption']}")
    return f"{title}\n{kernel}, seed {manifest['seed']}"


def one_line(words: object) -> str:
    """Words in one line of letters that can be drawn."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(words)).split())
