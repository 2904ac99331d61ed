"""The looks and labels of the bars of vCPUs: one look for each VM, or for a kind of VMs.

VMs are put in few enough groups to be told apart in a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hgeisim.plot.style import BLUE, GREEN, PURPLE, SKY, YELLOW
from hgeisim.runs.tables import Tables, vcpu_names

OTHERS = "other VMs"
NUMBERED = "#N"
"""How the name of a group of numbered VMs ends."""


def vm_groups(vms: Iterable[str], most: int) -> dict[str, str]:
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


FILLS = ((SKY, ""), (YELLOW, ""), (GREEN, ".."), (PURPLE, "\\\\"), ("#FFFFFF", "--"), (BLUE, "++"))
"""Colour and hatching of the groups, in the order in which their VMs arrive."""


@dataclass(frozen=True)
class VcpuStyles:
    """The group of each vCPU by its number, `fills` by group, and the vCPUs' names.

    Groups are those of `vm_groups`; "" is the group of vCPUs whose thread alone is known.
    """

    groups: Mapping[int, str]
    fills: Mapping[str, tuple[str, str]]
    names: Mapping[int, str]

    def group(self, vcpu: int) -> str:
        """The group of a vCPU."""
        return self.groups.get(vcpu, "")

    def labels(self, vcpu: int) -> tuple[str, ...]:
        """The texts for a bar of a vCPU, the longest first; each is clear beside the look of its
        group."""
        name, group = self.names.get(vcpu, f"vCPU {vcpu}"), self.group(vcpu)
        if group == OTHERS:
            return (name,)
        if group.endswith(NUMBERED):
            return name, name[name.find("#") :]
        return name, name.split("/")[-1]


def vcpu_styles(tables: Tables) -> VcpuStyles:
    """Choose the look of every vCPU of a run."""
    vms = _vms(tables)
    group_of = vm_groups(vms.values(), len(FILLS))
    groups = {vcpu: group_of[vm] for vcpu, vm in vms.items()}
    order = list(dict.fromkeys(groups.values())) or [""]
    return VcpuStyles(groups, dict(zip(order, FILLS, strict=False)), vcpu_names(tables))


def _vms(tables: Tables) -> dict[int, str]:
    """The VM of each vCPU, where that is known."""
    vcpus = tables.get("vcpus")
    if vcpus is None or "vm" not in (vcpus.dtype.names or ()):
        return {}
    return dict(zip(vcpus["vcpu"].tolist(), vcpus["vm"].tolist(), strict=True))
