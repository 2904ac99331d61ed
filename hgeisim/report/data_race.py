"""A data race as plain data, and as KCSAN tells it: what each side does, and its stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.drivers.explored.races.race import Race, Side
from hgeisim.report.layout import indented


def race_facts(race: Race) -> dict[str, Any]:
    """A race as plain data."""
    sides = [_side(side) for side in race.sides]
    return {"cell": race.cell, "before": race.before, "after": race.after, "sides": sides}


def _side(side: Side) -> dict[str, Any]:
    access = side.access
    return {
        "context": side.context,
        "hart": side.hart,
        "does": f"{'marked ' if access.marked else ''}{'write' if access.written else 'read'}",
        "locks": access.locks,
        "functions": list(access.functions),
    }


def race_lines(race: dict[str, Any]) -> Iterator[str]:
    """Both stacks, the inner functions first."""
    for side in race["sides"]:
        where = f"{side['does']} by {side['context']} on HART {side['hart']}"
        yield from indented(f"{where}: {' < '.join(side['functions'])}", 2, 4)
