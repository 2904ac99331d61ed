"""VMs in few enough groups to be told apart in a picture."""

from __future__ import annotations

from collections.abc import Iterable

OTHERS = "other VMs"
NUMBERED = "#N"
"""How the name of a group of numbered VMs ends."""


def groups_of(vms: Iterable[str], most: int) -> dict[str, str]:
    """Return the group of each VM; there are `most` at most, in the order of their first VMs.

    A group is a VM; where there are too many, all VMs of one kind (`web#1`, `web#2`) are the group
    `web#N`, and if there still are too many, the last ones are `OTHERS`.
    """
    names = list(dict.fromkeys(vms))
    if len(names) <= most:
        return {name: name for name in names}
    kinds = {name: _kind(name) for name in names}
    order = list(dict.fromkeys(kinds.values()))
    own = order if len(order) <= most else order[: most - 1]
    return {name: kind if kind in own else OTHERS for name, kind in kinds.items()}


def _kind(name: str) -> str:
    kind, numbered, _ = name.partition("#")
    return kind + NUMBERED if numbered else kind
