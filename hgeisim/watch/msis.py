"""The account of all MSIs of a run: what was sent, and what has become of it."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

from hgeisim.checks.conservation import missing
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.watch.moves import Moves

NOT_SET_UP = "not set up"
"""The rule for what was sent before the guest has set its interrupt file up: it may be zeroed."""
Account: TypeAlias = tuple[Counter[str], Counter[str]]
"""Counts by fate, and of what was dropped by rule."""
FATES = ("sent", "delivered", "merged", "pending", "lost")


def account(k: Module, moves: Moves) -> dict[str, Any]:
    """The MSIs of each VM, and of `all`: for each fate a count, `dropped` by rule.

    `sent` is counted where they are sent, so it is the sum of the rest only if none was forgotten.
    """
    vms: dict[str, Account] = {}
    everything: Account = Counter(), Counter()
    for vcpu in filter(None, k.vcpus):
        fates, dropped = _fates(k, vcpu, moves)
        for total in (everything, vms.setdefault(vcpu.vm.name, (Counter(), Counter()))):
            total[0].update(fates)
            total[1].update(dropped)
    return {"all": _row(*everything), "vms": {name: _row(*vms[name]) for name in vms}}


def _row(fates: Counter[str], dropped: Counter[str]) -> dict[str, Any]:
    return {fate: fates[fate] for fate in FATES} | {"dropped": dict(sorted(dropped.items()))}


def _fates(k: Module, vcpu: Vcpu, moves: Moves) -> Account:
    """What has become of the MSIs of one vCPU, and which rules dropped how many."""
    ledger, tally = vcpu.ledger, vcpu.ledger.tally
    if tally is None:
        return Counter(), Counter()
    dropped = Counter(tally.dropped)
    nowhere = missing(k, vcpu) if moves.at_rest(vcpu) else 0
    if not ledger.setup:
        dropped[NOT_SET_UP] += nowhere.bit_count()
    fates = {
        "sent": tally.sent,
        "delivered": tally.delivered,
        "merged": tally.merged,
        "pending": (ledger.owed & ~nowhere).bit_count(),
        "lost": tally.lost + (nowhere.bit_count() if ledger.setup else 0),
    }
    return Counter(fates), dropped
