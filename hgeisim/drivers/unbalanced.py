"""A function that has not given back what it took, or has given back what it did not take."""

from __future__ import annotations

from hgeisim.checks.finding import Finding
from hgeisim.machine.balance import Left
from hgeisim.machine.task import Runner


def unbalanced(who: Runner, left: Left) -> Finding:
    """The finding for a function that a context has left so."""
    return Finding("unbalanced", left.function, f"{who.name} returns with {left.balance}")
