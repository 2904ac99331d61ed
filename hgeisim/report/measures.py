"""The measures of a run as text: how long things took, where vCPU time went, waits for locks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.record.units import percent, short_time
from hgeisim.report.layout import count, indented

SPAN_HEADS = ("what took time", "count", "p50", "p99", "max")
SPAN_LABELS = {
    "msi-vsfile": "MSI to the guest, VS-file",
    "msi-swfile": "MSI to the guest, SW-file",
    "sgei-taken": "SGEI raised to handler",
    "sgei-served": "SGEI handler to owner runs",
    "attach": "SW-file to VS-file",
    "move": "VS-file moved to another HART",
    "fallback": "no line: goes on with SW-file",
    "refused": "no line: entry failed",
}
STATES = {
    "vsfile_ns": "VS-file",
    "swfile_ns": "SW-file",
    "blocked_ns": "WFI",
    "failed_ns": "failed",
    "host_ns": "host",
}
LOCKS_SHOWN = 3


def span_rows(result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """The table: a row for each kind of span that there was."""
    for kind, label in SPAN_LABELS.items():
        span = result["spans"][kind]
        if span["count"]:
            times = (_plain(span[name]) for name in ("p50_ns", "p99_ns", "max_ns"))
            yield label, f"{span['count']:,}", *times


def measure_lines(result: dict[str, Any]) -> Iterator[str]:
    """Where the time of all vCPUs went, and for which locks was waited longest."""
    vcpus, whole = result["vcpus"], result["vcpus"]["life_ns"]
    if whole:
        shares = (f"{name} {percent(vcpus[key] / whole)}" for key, name in STATES.items())
        yield from indented(f"time of {count(vcpus['count'], 'vCPU')}: {', '.join(shares)}", 0)
    waited = {name: use for name, use in result["locks"].items() if use["contended"]}
    longest = sorted(waited, key=lambda name: (-waited[name]["wait_ns_total"], name))[:LOCKS_SHOWN]
    told = (f"{name} {_plain(waited[name]['wait_ns_total'])}" for name in longest)
    yield from indented(f"lock waits: {', '.join(told) or 'none'}", 0)


def _plain(ns: int) -> str:
    """A time in ASCII, for mails."""
    return short_time(ns).replace("µ", "u")
