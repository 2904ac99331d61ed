"""The CPUs of a devicetree as Linux numbers them, and the extensions that all of them have.

Source: of_parse_and_init_cpus (arch/riscv/kernel/smpboot.c), riscv_early_of_processor_hartid
(cpu.c), riscv_fill_hwcap (cpufeature.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hgeisim.scenario.devicetree import Devicetree, Node, joined

NEEDED = ("i", "m", "a")
"""The extensions without which Linux does not take a CPU."""
_SINGLE = re.compile(r"([a-rt-wy]|s(?=u))u?(?:[0-9]+(?:p[0-9]+)?)?_*")
"""A one-letter extension with its version; "su" is what old blobs say of privilege modes."""
_VERSION = re.compile(r"(?<=[a-z])[0-9]+(?:p[0-9]+)?$|[0-9]+p[0-9]+$")


@dataclass(frozen=True, eq=False)
class Cpu:
    """A CPU that Linux takes: its node, its hart id, and its extensions by their small names."""

    node: Node
    hart_id: int
    extensions: frozenset[str]


@dataclass(frozen=True)
class Cpus:
    """All of them in the order of their numbers, and what Linux says about those it leaves out."""

    numbered: list[Cpu]
    warnings: list[str]

    def lacking(self, extension: str) -> list[Cpu]:
        """Those that take an extension away from all: it is used where every CPU has it."""
        return [cpu for cpu in self.numbered if extension not in cpu.extensions]


def cpus_of(tree: Devicetree, boot_hart: int | None) -> Cpus:
    """The CPUs of a blob: the one that boots is CPU 0, the others follow in their nodes' order.

    `boot_hart` is its hart id, None for the one in the header of the blob, or the first.
    InputError if there is no such CPU, or none at all.
    """
    taken, warnings = list[Cpu](), list[str]()
    for node in tree.nodes:
        if _is_cpu_node(node):
            cpu = _cpu(node)
            if isinstance(cpu, Cpu):
                taken.append(cpu)
            elif node.available:
                warnings.append(f"{node.path}: {cpu}")
    if not taken:
        raise tree.error("", "", "must have a cpu node that Linux takes: riscv, rv64ima, available")
    ids = [cpu.hart_id for cpu in taken]
    for cpu in taken:
        if ids.count(cpu.hart_id) > 1:
            raise tree.error(f"{cpu.node.path} reg", cpu.hart_id, "must be of one CPU only")
    first = tree.boot_hart if tree.boot_hart in ids else ids[0]
    if boot_hart is not None and boot_hart not in ids:
        allowed = f"must be the hart id of a CPU: {', '.join(map(str, ids))}"
        raise tree.error("boot hart", boot_hart, allowed)
    boot = first if boot_hart is None else boot_hart
    return Cpus(sorted(taken, key=lambda cpu: cpu.hart_id != boot), warnings)


def _is_cpu_node(node: Node) -> bool:
    """Whether it stands in /cpus, and is of type cpu or called so."""
    named = node.path.rpartition("/")[2].partition("@")[0] == "cpu"
    typed = node.strings.get("device_type") == ("cpu",)
    return node.parent is not None and node.parent.path == "/cpus" and (named or typed)


def _cpu(node: Node) -> Cpu | str:
    """A node as a CPU, or why Linux leaves it out."""
    cells = node.parent.inherited("#address-cells") if node.parent else 1
    words = node.words.get("reg", ())[:cells]
    extensions = frozenset(_extensions(node))
    if not node.available:
        return "is not available"
    if not node.is_compatible("riscv"):
        return 'is not compatible with "riscv"'
    if len(words) < cells or not words:
        return f"has no hart id of {cells} cell{'s' * (cells != 1)} in `reg`"
    if not extensions:
        return 'has neither "riscv,isa-base" with "riscv,isa-extensions" nor "riscv,isa" of rv64'
    if not extensions.issuperset(NEEDED):
        return "has not all of the extensions i, m and a"
    return Cpu(node, joined(words), extensions)


def _extensions(node: Node) -> Iterator[str]:
    """The extensions of a CPU, without their versions; none where it is not one of RV64."""
    base, listed = (node.strings.get(f"riscv,{name}") for name in ("isa-base", "isa-extensions"))
    if base is not None:
        if base[0].lower().startswith("rv64i"):
            yield from map(str.lower, listed or ())
        return
    isa = node.strings.get("riscv,isa", ("",))[0].lower()
    if not isa.startswith("rv64ima"):
        return
    rest = isa.removeprefix("rv64")
    while single := _SINGLE.match(rest):
        yield single[1]
        rest = rest[single.end() :]
    yield from (_VERSION.sub("", each) for each in rest.split("_") if each)
