"""The S-level IMSIC of a devicetree, as the driver of Linux sets it up or refuses it.

Source: imsic_setup_state, imsic_parse_fwnode and imsic_early_dt_init
(drivers/irqchip/irq-riscv-imsic-state.c, irq-riscv-imsic-early.c); the number of guest files is
that of 376e2f8cca28 (v7.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hgeisim.scenario.cpu_nodes import Cpu
from hgeisim.scenario.devicetree import Devicetree, Node, joined

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
"""The size of one interrupt file in the address space."""
SUPERVISOR_EXTERNAL = 9
"""The interrupt number that an S-level IMSIC raises; the M-level one raises 11."""
GUEST_INDEX_BITS_MAX = 7
"""The largest `riscv,guest-index-bits` that the devicetree binding allows."""
IDS_MIN, IDS_MAX = 63, 2047
"""The fewest and the most interrupt identities."""


class Refused(Exception):
    """The driver does not take a node; the text says why, in which function, and what it wants."""


@dataclass
class Imsic:
    """The state of the driver once it has tried all nodes.

    `guest_files` has an entry for each CPU with a page, by hart id; `node` is the path of the node
    that was taken, "" for none, and `guest_index_bits` its stride: 2**bits pages.  `warnings` are
    what it says about it and about the others.
    """

    node: str = ""
    guest_index_bits: int = 0
    guest_files: dict[int, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """The addresses of a node: regions as (start, bytes), and the bits of the indices."""

    regions: list[tuple[int, int]]
    guest_index_bits: int
    hart_index_bits: int
    group_index_bits: int
    group_index_shift: int

    def base(self, address: int) -> int:
        """An address without the indices of guest, HART and group."""
        low = self.guest_index_bits + self.hart_index_bits + PAGE_SHIFT
        group = ((1 << self.group_index_bits) - 1) << self.group_index_shift
        return address & ~((1 << low) - 1) & ~group

    def guest_files(self, index: int) -> int | None:
        """The number of guest files at the place of pair `index`; None if no region has its
        page."""
        stride = PAGE_BYTES << self.guest_index_bits
        offset = index * stride
        for _, size in self.regions:
            if offset < size:
                pages = (size - offset) // PAGE_BYTES
                return min(pages - 1, (1 << self.guest_index_bits) - 1) if pages else None
            offset -= -(-size // stride) * stride  # regions start anew at whole strides
        return None


def imsic_of(tree: Devicetree, cpus: Sequence[Cpu]) -> Imsic:
    """Try the nodes of a blob in its order; the first that the driver takes is the only one."""
    made, nodes = Imsic(), [node for node in tree.nodes if node.is_compatible("riscv,imsics")]
    for node in nodes:
        if not node.available or "interrupt-controller" not in node.flags:
            continue
        try:
            _set_up(tree, node, cpus, made)
        except Refused as reason:
            made.warnings.append(f"{node.path}: {reason}")
    if not made.node and not made.warnings:
        made.warnings.append(
            "there is no riscv,imsics node that raises supervisor external "
            "interrupts (9), is available and has `interrupt-controller`"
        )
    return made


def _set_up(tree: Devicetree, node: Node, cpus: Sequence[Cpu], made: Imsic) -> None:
    """imsic_setup_state: take a node, or raise `Refused`."""
    pairs = _pairs(node)
    if all(interrupt != SUPERVISOR_EXTERNAL for _, interrupt in pairs):
        if any(interrupt == 11 for _, interrupt in pairs):
            return  # the M-level IMSIC is of no use to a supervisor, as everybody knows
        raise Refused(
            "no parent irqs available (imsic_parse_fwnode); interrupts-extended must be "
            "pairs of a CPU's interrupt controller and 9"
        )
    if made.node:
        raise Refused(
            f"already initialized hence ignoring (imsic_setup_state): {made.node} is the one IMSIC"
        )
    layout = _layout(tree, node, len(pairs))
    found, warnings = _pages(pairs, layout, _by_phandle(tree, cpus))
    if not found:
        raise Refused(
            "no CPU handlers found (imsic_setup_state); a pair must name a CPU, and a "
            "region must have its page"
        )
    made.node, made.guest_index_bits, made.guest_files = node.path, layout.guest_index_bits, found
    made.warnings += [f"{node.path}: {each}" for each in warnings]


def _pairs(node: Node) -> list[tuple[int, int]]:
    words = node.words.get("interrupts-extended", ())
    return list(zip(words[::2], words[1::2], strict=False))


def _by_phandle(tree: Devicetree, cpus: Sequence[Cpu]) -> dict[int, int]:
    """The hart ids of CPUs by the phandle of the interrupt controller inside each."""
    ids = {cpu.node.path: cpu.hart_id for cpu in cpus}
    return {
        node.phandle: ids[node.parent.path]
        for node in tree.nodes
        if node.phandle is not None and node.parent is not None and node.parent.path in ids
    }


def _pages(
    pairs: list[tuple[int, int]], layout: Layout, harts: dict[int, int]
) -> tuple[dict[int, int], list[str]]:
    """The guest files of each hart id, and what the driver says about the other pairs."""
    found, warnings = dict[int, int](), list[str]()
    for index, (phandle, interrupt) in enumerate(pairs):
        files = layout.guest_files(index)
        if interrupt != SUPERVISOR_EXTERNAL:
            warnings.append(f"hart ID for parent irq{index} not found")
        elif phandle not in harts:
            warnings.append(f"invalid cpuid for parent irq{index}")
        elif files is None:
            warnings.append(f"MMIO not found for parent irq{index}")
        else:
            found[harts[phandle]] = files
    return found, warnings


def _layout(tree: Devicetree, node: Node, pairs: int) -> Layout:
    """imsic_parse_fwnode: the properties of a node, or `Refused`."""
    _check_identities(node)
    bits = node.number("riscv,guest-index-bits") or 0
    if bits > GUEST_INDEX_BITS_MAX:
        allowed = f"must be 0..{GUEST_INDEX_BITS_MAX}"
        raise tree.error(f"{node.path} riscv,guest-index-bits", bits, allowed)
    hart_bits = node.number("riscv,hart-index-bits")
    group_bits = node.number("riscv,group-index-bits") or 0
    shift = node.number("riscv,group-index-shift")
    shift = 2 * PAGE_SHIFT if shift is None else shift
    hart_bits = (pairs - 1).bit_length() if hart_bits is None else hart_bits
    low = PAGE_SHIFT + bits
    for name, value, most in (
        ("HART index bits", hart_bits, 64 - low),
        ("group index bits", group_bits, 64 - low - hart_bits),
        ("group index shift", group_bits + shift - 1, 63),
    ):
        if value > most:
            raise Refused(f"{name} too big (imsic_parse_fwnode): {value}, at most {most}")
    layout = Layout(list(_regions(node)), bits, hart_bits, group_bits, shift)
    if not layout.regions:
        raise Refused(
            "first MMIO resource not found (imsic_parse_fwnode); `reg` must be addresses "
            "and sizes, in the cells that the bus says"
        )
    base = layout.base(layout.regions[0][0])
    for index, (start, _) in enumerate(layout.regions):
        if layout.base(start) != base:
            raise Refused(
                f"address mismatch for regset {index} (imsic_setup_state); regions may "
                "differ in the bits of riscv,group-index-bits and -shift, and below"
            )
    return layout


def _check_identities(node: Node) -> None:
    """Check riscv,num-ids and riscv,num-guest-ids."""
    allowed = f"{IDS_MIN}..{IDS_MAX}, with its low 6 bits set (63, 127, 255, ...)"
    ids = node.number("riscv,num-ids")
    if ids is None:
        raise Refused(
            "number of interrupt identities not found (imsic_parse_fwnode); "
            f"riscv,num-ids must be {allowed}"
        )
    guest_ids = node.number("riscv,num-guest-ids")
    for name, value, kind in (
        ("riscv,num-ids", ids, ""),
        ("riscv,num-guest-ids", ids if guest_ids is None else guest_ids, "guest "),
    ):
        if not IDS_MIN <= value <= IDS_MAX or value & IDS_MIN != IDS_MIN:
            raise Refused(
                f"invalid number of {kind}interrupt identities (imsic_parse_fwnode); "
                f"{name} = {value} must be {allowed}"
            )


def _regions(node: Node) -> Iterator[tuple[int, int]]:
    """The regions in `reg`, split by the cell counts of the bus above; none where it is wrong."""
    bus = node.parent or node
    address, size = bus.inherited("#address-cells"), bus.inherited("#size-cells")
    words, entry = node.words.get("reg", ()), address + size
    if size in (1, 2):
        for at in range(0, len(words) - entry + 1, entry):
            yield joined(words[at : at + address]), joined(words[at + address : at + entry])
