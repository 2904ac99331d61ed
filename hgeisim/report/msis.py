"""The account of the MSIs of a run as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.report.layout import count

MSI_HEADS = ("MSIs", "sent", "delivered", "merged", "pending", "dropped", "lost")
VMS_SHOWN = 8
"""With more VMs only the sum is printed; `--json` has them all."""


def msi_rows(msis: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A row for each VM if there are a few, and one for all; none when nothing was sent."""
    if not msis["all"]["sent"]:
        return
    if 1 < len(msis["vms"]) <= VMS_SHOWN:
        for name, row in msis["vms"].items():
            yield _row(name, row)
    yield _row("all", msis["all"])


def dropped_line(msis: dict[str, Any]) -> str:
    """By which rules MSIs were dropped, "" when none was."""
    rules = {rule: n for rule, n in msis["all"]["dropped"].items() if n}
    told = ", ".join(f"{n:,} {rule}" for rule, n in rules.items())
    return f"dropped by rule: {told}" if told else ""


def by_sgei(msis: dict[str, int]) -> Iterator[str]:
    """How many MSIs took the way of an SGEI; nothing where none was sent."""
    if msis["sent"]:
        yield f"{msis['sgei']:,} of {count(msis['sent'], 'MSI')} took an SGEI"


def _row(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    numbers = {**row, "dropped": sum(row["dropped"].values())}
    return name, *(f"{numbers[head]:,}" for head in MSI_HEADS[1:])
