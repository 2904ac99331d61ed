"""How the bars of vCPUs look and what is written on them: one look a VM, or a kind of VMs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hgeisim.plot.groups import NUMBERED, OTHERS, groups_of
from hgeisim.plot.style import BLUE, GREEN, PURPLE, SKY, YELLOW
from hgeisim.record.tables import Tables, vcpu_names

FILLS = ((SKY, ""), (YELLOW, ""), (GREEN, ".."), (PURPLE, "\\\\"), ("#FFFFFF", "--"), (BLUE, "++"))
"""Colour and hatching of the groups, in the order in which their VMs arrive."""


@dataclass(frozen=True)
class Fills:
    """The group of each vCPU by its number, `fills` by group, and the vCPUs' names.

    Groups are those of `groups.py`; "" is that of vCPUs of which only the thread is known.
    """

    groups: Mapping[int, str]
    fills: Mapping[str, tuple[str, str]]
    names: Mapping[int, str]

    def group(self, vcpu: int) -> str:
        """The group of a vCPU."""
        return self.groups.get(vcpu, "")

    def labels(self, vcpu: int) -> tuple[str, ...]:
        """What may be written on a bar of a vCPU, the longest first; each is plain beside the
        look of its group."""
        name, group = self.names.get(vcpu, f"vCPU {vcpu}"), self.group(vcpu)
        if group == OTHERS:
            return (name,)
        if group.endswith(NUMBERED):
            return name, name[name.find("#") :]
        return name, name.split("/")[-1]


def fills_of(tables: Tables) -> Fills:
    """Choose the look of every vCPU of a run."""
    vms = _vms(tables)
    group_of = groups_of(vms.values(), len(FILLS))
    groups = {vcpu: group_of[vm] for vcpu, vm in vms.items()}
    order = list(dict.fromkeys(groups.values())) or [""]
    return Fills(groups, dict(zip(order, FILLS, strict=False)), vcpu_names(tables))


def _vms(tables: Tables) -> dict[int, str]:
    """The VM of each vCPU, where that is known."""
    vcpus = tables.get("vcpus")
    if vcpus is None or "vm" not in (vcpus.dtype.names or ()):
        return {}
    return dict(zip(vcpus["vcpu"].tolist(), vcpus["vm"].tolist(), strict=True))
