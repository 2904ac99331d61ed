"""The CPUs of a devicetree as Linux numbers them, and the extensions that all of them have.

Source: of_parse_and_init_cpus (arch/riscv/kernel/smpboot.c), riscv_early_of_processor_hartid
(cpu.c), riscv_fill_hwcap (cpufeature.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hgeisim.scenario.devicetree import Devicetree, Node, joined

NEEDED = ("i", "m", "a")
"""The extensions without which Linux does not take a CPU."""
_SINGLE = re.compile(r"([a-rt-wy]|s(?=u))u?(?:[0-9]+(?:p[0-9]+)?)?_*")
"""A one-letter extension with its version; "su" is what old blobs say of privilege modes."""
_VERSION = re.compile(r"(?<=[a-z])[0-9]+(?:p[0-9]+)?$|[0-9]+p[0-9]+$")


@dataclass(frozen=True, eq=False)
class Cpu:
    """A CPU that Linux takes: its node and its hart id.

    `listed` are the names in its riscv,isa-extensions, as they are written, and `spelt` those in
    its riscv,isa, in small letters; None where it does not have the property.
    """

    node: Node
    hart_id: int
    listed: frozenset[str] | None
    spelt: frozenset[str] | None


@dataclass(frozen=True)
class Cpus:
    """All of them in the order of their numbers, and what Linux says about those it leaves out."""

    numbered: list[Cpu]
    warnings: list[str]

    @property
    def deciding(self) -> list[tuple[Cpu, frozenset[str]]]:
        """The CPUs that decide which extensions are used, and theirs.

        They are those with riscv,isa-extensions, if these have any in common: riscv,isa counts
        where no CPU has the newer property (riscv_fill_hwcap).
        """
        listed = [(cpu, _known(cpu.listed)) for cpu in self.numbered if cpu.listed is not None]
        if listed and frozenset.intersection(*(names for _, names in listed)):
            return listed
        return [(cpu, cpu.spelt) for cpu in self.numbered if cpu.spelt is not None]

    def lacking(self, extension: str) -> list[Cpu]:
        """Those that take an extension away from all: it is used where every CPU has it."""
        return [cpu for cpu, names in self.deciding if extension not in names]

    def unread(self) -> list[Cpu]:
        """Those whose riscv,isa does not count, since others have riscv,isa-extensions."""
        decide = {cpu.node.path for cpu, _ in self.deciding}
        return [cpu for cpu in self.numbered if cpu.node.path not in decide]


def cpus_of(tree: Devicetree, boot_hart: int | None) -> Cpus:
    """The CPUs of a blob: the one that boots is CPU 0, the others follow in their nodes' order.

    `boot_hart` is its hart id, None for the one in the header of the blob, or the first.
    InputError if there is no such CPU, or none at all.
    """
    taken, left_out = list[Cpu](), list[tuple[Node, str]]()
    for node in tree.nodes:
        if _is_cpu_node(node):
            number = hart_id(node)
            wrong = _refusal(node, number)
            if number is None or wrong:
                left_out.append((node, wrong))
            else:
                taken.append(Cpu(node, number, _listed(node), _spelt(node)))
    if not taken:
        allowed = "must have a cpu node that Linux takes: riscv, rv64ima, available"
        raise tree.error("", "", allowed + _each_reason(left_out))
    ids = [cpu.hart_id for cpu in taken]
    for cpu in taken:
        if ids.count(cpu.hart_id) > 1:
            raise tree.error(f"{cpu.node.path} reg", cpu.hart_id, "must be of one CPU only")
    first = tree.boot_hart if tree.boot_hart in ids else ids[0]
    if boot_hart is not None and boot_hart not in ids:
        allowed = f"must be the hart id of a CPU: {', '.join(map(str, ids))}"
        raise tree.error("boot hart", boot_hart, allowed)
    boot = first if boot_hart is None else boot_hart
    warnings = [f"{node.path}: {wrong}" for node, wrong in left_out if node.available]
    return Cpus(sorted(taken, key=lambda cpu: cpu.hart_id != boot), warnings)


def hart_id(node: Node) -> int | None:
    """The hart id in `reg` of a cpu node; None if it does not have the cells for one."""
    cells = node.parent.inherited("#address-cells") if node.parent else 1
    words = node.words.get("reg", ())[:cells]
    return joined(words) if words and len(words) == cells else None


def _is_cpu_node(node: Node) -> bool:
    """Whether it stands in /cpus, and is of type cpu or called so."""
    named = node.path.rpartition("/")[2].partition("@")[0] == "cpu"
    typed = node.strings.get("device_type") == ("cpu",)
    return node.parent is not None and node.parent.path == "/cpus" and (named or typed)


def _each_reason(left_out: Iterable[tuple[Node, str]]) -> str:
    """The reasons why nodes are left out, equal ones together."""
    reasons = dict[str, list[str]]()
    for node, wrong in left_out:
        reasons.setdefault(wrong, []).append(node.path)
    each = (
        f"{paths[0]}{f' and {len(paths) - 1} more' if paths[1:] else ''}: {wrong}"
        for wrong, paths in reasons.items()
    )
    return f" (riscv_early_of_processor_hartid); {'; '.join(each)}" if reasons else ""


def _refusal(node: Node, number: int | None) -> str:
    """Why riscv_early_of_processor_hartid leaves a node out; empty if it does not."""
    if not node.is_compatible("riscv"):
        return 'is not compatible with "riscv"'
    if number is None:
        cells = node.parent.inherited("#address-cells") if node.parent else 1
        return f"has no hart id of {cells} cell{'s' * (cells != 1)} in `reg`"
    if not node.available:
        return "is not available"
    names = ("isa-base", "isa-extensions", "isa")
    base, listed, isa = (node.strings.get(f"riscv,{name}") for name in names)
    if base is None:
        if isa is None:
            return 'has neither "riscv,isa-base" nor "riscv,isa"'
        right = isa[0].lower().startswith("rv64ima")
        return "" if right else f'has "riscv,isa" of "{isa[0]}", which does not begin with rv64ima'
    if not base[0].lower().startswith("rv64i"):
        return f'has "riscv,isa-base" of "{base[0]}", which does not begin with rv64i'
    if listed is None:
        return 'has "riscv,isa-base", but no "riscv,isa-extensions"'
    if not set(NEEDED) <= set(listed):
        return 'has not all of i, m and a, in small letters, in "riscv,isa-extensions"'
    return ""


def _listed(node: Node) -> frozenset[str] | None:
    listed = node.strings.get("riscv,isa-extensions")
    return None if listed is None else frozenset(listed)


def _spelt(node: Node) -> frozenset[str] | None:
    isa = node.strings.get("riscv,isa")
    return None if isa is None else frozenset(_extensions(isa[0].lower()))


def _known(listed: frozenset[str]) -> frozenset[str]:
    """The names that Linux knows: of_property_match_string compares them as they are written, and
    its own are in small letters."""
    return frozenset(name for name in listed if name.islower())


def _extensions(isa: str) -> Iterator[str]:
    """The extensions in riscv,isa, without their versions."""
    rest = isa.removeprefix("rv64")
    while single := _SINGLE.match(rest):
        yield single[1]
        rest = rest[single.end() :]
    yield from (_VERSION.sub("", each) for each in rest.split("_") if each)
