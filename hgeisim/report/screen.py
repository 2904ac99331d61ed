"""A run on one screen, for a Python prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hgeisim.report.harts import HEADS, hart_row, total_row
from hgeisim.report.layout import WIDTH, count
from hgeisim.scenario.duration import format_duration

HARTS_SHOWN = 8
FINDINGS_SHOWN = 5


def screen(manifest: dict[str, Any], summary: dict[str, Any]) -> str:
    """What ran, how full the fullest HARTs were and the ids of the findings: at most 24 lines of 80
    columns.  The documents are those of a run folder."""
    lines = [*_head(manifest, summary), *_harts(summary["harts"]), *_findings(summary["findings"])]
    return "\n".join(line[:WIDTH].rstrip() for line in lines)


def _head(manifest: dict[str, Any], summary: dict[str, Any]) -> Iterator[str]:
    yield manifest["scenario"].get("title") or "a run"
    until, seed = format_duration(summary["end_ns"]), manifest["seed"]
    yield f"{manifest['variant']}, preemption {manifest['preemption']}, {until}, seed {seed}"
    yield f"fingerprint {summary['fingerprint']}"
    yield ""


def _harts(harts: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The HARTs that were out of lines longest, in the order of their numbers."""
    fullest = sorted(harts, key=lambda hart: (-hart["exhausted"], -hart["busy_mean"]))
    shown = sorted(fullest[:HARTS_SHOWN], key=lambda hart: hart["hart"])
    rows = [("HART", *HEADS), *map(hart_row, shown), total_row(harts)]
    yield from _table(rows)
    if len(harts) > HARTS_SHOWN:
        yield f"the fullest {HARTS_SHOWN} of {len(harts)} HARTs; result.harts has all"
    yield ""


def _table(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _findings(findings: Sequence[dict[str, Any]]) -> Iterator[str]:
    new = sum(bool(finding.get("new")) for finding in findings)
    yield f"{count(len(findings), 'finding')}, {new} new" if findings else "no finding"
    for finding in findings[:FINDINGS_SHOWN]:
        yield f"  {'new ' if finding.get('new') else ''}{finding['id']}"
    if len(findings) > FINDINGS_SHOWN:
        yield "  ...; result.findings has all"
