"""The S-level IMSIC of a devicetree, as the driver of Linux sets it up or refuses it.

Source: imsic_setup_state, imsic_parse_fwnode, imsic_get_parent_hartid and imsic_early_dt_init
(drivers/irqchip/irq-riscv-imsic-state.c, irq-riscv-imsic-early.c), of_irq_init
(drivers/of/irq.c); the number of guest files is that of 376e2f8cca28 (v7.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hgeisim.scenario.cpu_nodes import Cpu, hart_id
from hgeisim.scenario.devicetree import Devicetree, Node, joined

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
"""The size of one interrupt file in the address space."""
SUPERVISOR_EXTERNAL, MACHINE_EXTERNAL = 9, 11
"""The interrupt numbers that an S-level and an M-level IMSIC raise."""
GUEST_FILES_MAX = 127
"""The most guest files of a HART that count, as many as the devicetree binding has room for: HGEIE
has bits for 63."""
ADDRESS_BITS = 64
IDS_MIN, IDS_MAX = 63, 2047
"""The fewest and the most interrupt identities."""
IDS = f"{IDS_MIN}..{IDS_MAX}, with its low 6 bits set (63, 127, 255, ...)"


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
    """Try the nodes of a blob in Linux's order; the first that the driver takes is the only one."""
    made, known = Imsic(), _by_phandle(tree)
    numbered = {cpu.hart_id for cpu in cpus}
    waiting = [
        node for node in tree.nodes if node.is_compatible("riscv,imsics") and _controls(node)
    ]
    for node in _initialised(tree, known):
        if node in waiting:
            waiting.remove(node)
            try:
                _set_up(node, known, numbered, made)
            except Refused as reason:
                made.warnings.append(f"{node.path}: {reason}")
    made.warnings += [
        f"{node.path}: children remain, but no parents (of_irq_init); the first phandle in "
        "interrupts-extended must be of an interrupt controller that is set up"
        for node in waiting
    ]
    if not made.node and not made.warnings:
        made.warnings.append(
            "there is no riscv,imsics node that raises supervisor external "
            "interrupts (9), is available and has `interrupt-controller`"
        )
    return made


def _controls(node: Node) -> bool:
    """Whether of_irq_init looks at a node."""
    return node.available and "interrupt-controller" in node.flags


def _initialised(tree: Devicetree, known: Mapping[int | None, Node]) -> Iterator[Node]:
    """The interrupt controllers in the order of of_irq_init: those without a parent, then the
    children of each in turn.  The parent is the first in interrupts-extended."""
    children = dict[str, list[Node]]()
    for node in filter(_controls, tree.nodes):
        parent = known.get(node.number("interrupts-extended"))
        above = parent.path if parent is not None and parent is not node else ""
        children.setdefault(above, []).append(node)
    ready = children.pop("", [])
    for node in ready:  # which grows
        yield node
        ready += children.pop(node.path, [])


def _set_up(node: Node, known: Mapping[int | None, Node], numbered: set[int], made: Imsic) -> None:
    """imsic_setup_state: take a node, or raise `Refused`."""
    words = node.words.get("interrupts-extended", ())
    if words[1::2] and set(words[1::2]) == {MACHINE_EXTERNAL}:
        return  # the M-level IMSIC is of no use to a supervisor, as everybody knows
    if made.node:
        raise Refused(
            f"already initialized hence ignoring (imsic_setup_state): {made.node} is the one IMSIC"
        )
    parents = _counted(words, known)
    if not parents:
        raise Refused(
            "no parent irqs available (imsic_parse_fwnode); the first pair in "
            "interrupts-extended must be a CPU's interrupt controller and 9"
        )
    found, warnings = _pages(parents, _layout(node, len(parents)), numbered)
    if len(parents) < len(words) // 2:
        warnings.append(
            f"of {len(words) // 2} parent irqs the first {len(parents)} count "
            "(imsic_parse_fwnode); the next is not a supervisor external interrupt (9) of a CPU"
        )
    if not found:
        raise Refused(
            "no CPU handlers found (imsic_setup_state); a pair must name a CPU, and a "
            "region must have its page"
        )
    made.node, made.guest_files = node.path, found
    made.guest_index_bits = node.number("riscv,guest-index-bits") or 0
    made.warnings += [f"{node.path}: {each}" for each in warnings]


def _by_phandle(tree: Devicetree) -> dict[int | None, Node]:
    """The node of each phandle: the first that has it."""
    return {node.phandle: node for node in reversed(tree.nodes) if node.phandle}


def _counted(words: Sequence[int], known: Mapping[int | None, Node]) -> list[int | None]:
    """The hart ids of the parent interrupts that count, with None in the place of one that is not
    a supervisor's.

    imsic_parse_fwnode stops at the first that it cannot read or that is not a supervisor's.  Here
    one behind the first is a hole, as on the machines with such blobs (docs/model-limits.md).
    """
    counted = list[int | None]()
    for target, interrupt in _targets(words, known):
        number = _hart_above(target)
        is_supervisors = interrupt == SUPERVISOR_EXTERNAL
        if number is None or not (is_supervisors or counted):
            break
        counted.append(number if is_supervisors else None)
    while counted and counted[-1] is None:
        counted.pop()
    return counted


def _targets(words: Sequence[int], known: Mapping[int | None, Node]) -> Iterator[tuple[Node, int]]:
    """The interrupt controllers in interrupts-extended with the interrupt of each, as far as
    of_irq_parse_one finds them."""
    at = 0
    while target := known.get(words[at] if at < len(words) else None):
        cells = target.number("#interrupt-cells")
        if not cells or at + cells >= len(words) or "interrupt-controller" not in target.flags:
            return
        yield target, words[at + 1]
        at += 1 + cells


def _hart_above(node: Node) -> int | None:
    """riscv_of_parent_hartid: the hart id of the CPU that a node is in."""
    above: Node | None = node
    while above is not None and not above.is_compatible("riscv"):
        above = above.parent
    return None if above is None else hart_id(above)


def _pages(
    parents: Sequence[int | None], layout: Layout, numbered: set[int]
) -> tuple[dict[int, int], list[str]]:
    """The guest files of each hart id, and what the driver says about the other parents."""
    found, warnings = dict[int, int](), list[str]()
    for index, number in enumerate(parents):
        files = layout.guest_files(index)
        if number is None:
            warnings.append(f"hart ID for parent irq{index} not found")
        elif number not in numbered:
            warnings.append(f"invalid cpuid for parent irq{index}")
        elif files is None:
            warnings.append(f"MMIO not found for parent irq{index}")
        else:
            found[number] = files
    if (most := max(found.values(), default=0)) > GUEST_FILES_MAX:
        warnings.append(
            f"has pages for {most} guest files of a HART; {GUEST_FILES_MAX} count here, "
            "and HGEIE has bits for 63"
        )
    return {number: min(files, GUEST_FILES_MAX) for number, files in found.items()}, warnings


def _layout(node: Node, parents: int) -> Layout:
    """imsic_parse_fwnode: the properties of a node, or `Refused`."""
    if "riscv,num-ids" not in node.words:
        raise Refused(
            "number of interrupt identities not found (imsic_parse_fwnode); "
            f"riscv,num-ids must be {IDS}"
        )
    layout = Layout(list(_regions(node)), *_bits(node, parents))
    _check_identities(node)
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


def _bits(node: Node, parents: int) -> tuple[int, int, int, int]:
    """The bits of the indices of guest, HART and group in an address, and the shift of the last."""
    guest = node.number("riscv,guest-index-bits") or 0
    hart = node.number("riscv,hart-index-bits")
    hart = (parents - 1).bit_length() if hart is None else hart
    group = node.number("riscv,group-index-bits") or 0
    shift = node.number("riscv,group-index-shift")
    shift = 2 * PAGE_SHIFT if shift is None else shift
    room = ADDRESS_BITS - PAGE_SHIFT
    last_bit = (group + shift - 1) % 2**32  # a u32, which wraps where both are 0
    for name, value, most in (
        ("guest index bits", guest, room),
        ("HART index bits", hart, room - guest),
        ("group index bits", group, room - guest - hart),
        ("group index shift", last_bit, ADDRESS_BITS - 1),
    ):
        if value > most:
            raise Refused(f"{name} too big (imsic_parse_fwnode): {value}, at most {most}")
    return guest, hart, group, shift


def _check_identities(node: Node) -> None:
    """Check riscv,num-ids and riscv,num-guest-ids."""
    ids, guest_ids = node.number("riscv,num-ids"), node.number("riscv,num-guest-ids")
    for name, value, kind in (
        ("riscv,num-ids", ids, ""),
        ("riscv,num-guest-ids", ids if guest_ids is None else guest_ids, "guest "),
    ):
        if value is None or not IDS_MIN <= value <= IDS_MAX or value & IDS_MIN != IDS_MIN:
            raise Refused(
                f"invalid number of {kind}interrupt identities (imsic_parse_fwnode); "
                f"{name} = {value} must be {IDS}"
            )


def _regions(node: Node) -> Iterator[tuple[int, int]]:
    """The regions in `reg`, split by the cell counts of the bus above; none where it is wrong."""
    bus = node.parent or node
    address, size = bus.inherited("#address-cells"), bus.inherited("#size-cells")
    words, entry = node.words.get("reg", ()), address + size
    if size in (1, 2):
        for at in range(0, len(words) - entry + 1, entry):
            yield joined(words[at : at + address]), joined(words[at + address : at + entry])
