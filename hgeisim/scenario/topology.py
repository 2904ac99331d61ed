"""The topology of a machine, from the [machine] table or a devicetree blob.

A blob is read as a flat list of typed nodes; a broken one raises InputError.  The HARTs and their
guest interrupt files are found as the kernel's IMSIC driver finds them: in the `riscv,imsics` node
whose interrupts-extended names supervisor external interrupts, the i-th pair is the HART whose
pages start at i strides.  A blob does not say how many bits HGEIE has on a HART.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fdt

from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.messages import show
from hgeisim.scenario.schema import HARTS_MAX, Machine
from hgeisim.user_file import read_bytes

MAGIC = 0xD00DFEED
"""The first word of every devicetree blob (big endian)."""
NESTING_MAX = 64
"""The deepest nesting of nodes, which is also the limit of the kernel's own reader."""


@dataclass(frozen=True, eq=False)
class Node:
    """One node: `words` holds the properties made of 32-bit cells, `strings` those made of text."""

    path: str
    parent: Node | None
    words: Mapping[str, tuple[int, ...]]
    strings: Mapping[str, tuple[str, ...]]

    @property
    def available(self) -> bool:
        """Whether an operating system may use the node: it has no `status`, or "okay"."""
        return self.strings.get("status", ("okay",))[0] in ("okay", "ok")

    def inherited(self, name: str) -> int:
        """The first cell of a property of this node or the nearest ancestor with it, else 1."""
        node: Node | None = self
        while node is not None:
            if name in node.words:
                return node.words[name][0]
            node = node.parent
        return 1


def read_nodes(data: bytes, file: str) -> list[Node]:
    """All nodes of a blob in the order of the blob, parents first; InputError if it is broken."""
    _check_header(data, file)
    try:
        root = fdt.parse_dtb(data).root
    except MemoryError:
        raise
    except Exception as error:  # the parser raises bare Exception, IndexError, struct.error, ...
        allowed = f"must be a whole devicetree blob ({type(error).__name__}: {error})"
        raise InputError([Problem(file, "", "", allowed)]) from error
    return list(_walk(root, file)) if root is not None else []


def _check_header(data: bytes, file: str) -> None:
    magic, size = struct.unpack(">II", data[:8]) if len(data) >= 8 else (0, 0)
    if magic != MAGIC:
        allowed = "must be a devicetree blob, which starts with the bytes d0 0d fe ed"
        raise InputError([Problem(file, "", "", allowed)])
    if size > len(data):
        allowed = f"is truncated: its header says {size} bytes, the file has {len(data)}"
        raise InputError([Problem(file, "", "", allowed)])


def _walk(root: Any, file: str) -> Iterator[Node]:
    """The nodes in the order of the blob, parents first; with a stack, as garbage may nest deep."""
    stack: list[tuple[Any, Node | None]] = [(root, None)]
    while stack:
        raw, parent = stack.pop()
        node = _node(raw, parent)
        if node.path.count("/") > NESTING_MAX:
            allowed = f"must not be nested deeper than {NESTING_MAX} nodes"
            raise InputError([Problem(file, node.path, "", allowed)])
        yield node
        stack.extend((child, node) for child in reversed(raw.nodes))


def _node(raw: Any, parent: Node | None) -> Node:
    path = "/" if parent is None else f"{parent.path.rstrip('/')}/{raw.name}"
    values = {item.name: tuple(getattr(item, "data", ())) for item in raw.props}
    words = {name: value for name, value in values.items() if value and _all(int, value)}
    strings = {name: value for name, value in values.items() if value and _all(str, value)}
    return Node(path, parent, words, strings)


def _all(kind: type, values: tuple[object, ...]) -> bool:
    return all(isinstance(value, kind) for value in values)


PAGE_BYTES = 4096
"""The size of one interrupt file in the address space."""
SUPERVISOR_EXTERNAL = 9
"""The interrupt number that an S-level IMSIC raises; the M-level one raises 11."""
GUEST_INDEX_BITS_MAX = 7
"""The largest `riscv,guest-index-bits` that the devicetree binding allows."""


def read_topology(path: Path, source: str | None = None) -> Topology:
    """The topology of the blob at `path`, HARTs in the order of their hart ids (the cpu's `reg`).

    `source` is the name of the blob in messages and in the result (default: the path).  Every
    `geilen` stays None.  InputError if the file is unreadable, broken or without a usable IMSIC.
    """
    file = source or str(path)
    return _topology(_Blob(file, read_nodes(read_bytes(path, file), file)))


@dataclass(frozen=True)
class _Blob:
    file: str
    nodes: list[Node]

    def error(self, where: str, value: object, allowed: str) -> InputError:
        return InputError([self.problem(where, value, allowed)])

    def problem(self, where: str, value: object, allowed: str) -> Problem:
        return Problem(self.file, where, str(value), allowed)


@dataclass(frozen=True)
class _Imsic:
    """The S-level IMSIC: its (phandle, interrupt) pairs, its regions in bytes, and the bits that
    make its stride."""

    node: Node
    pairs: list[tuple[int, int]]
    region_bytes: list[int]
    guest_index_bits: int

    def guest_files(self, index: int) -> int | None:
        """The number of guest files of the HART of pair `index`; None if no region holds its
        S-file."""
        stride = PAGE_BYTES << self.guest_index_bits
        offset = index * stride
        for size in self.region_bytes:
            if offset < size:
                pages = (size - offset) // PAGE_BYTES
                return min(pages - 1, (1 << self.guest_index_bits) - 1) if pages else None
            offset -= -(-size // stride) * stride  # regions start anew at whole strides
        return None


def _topology(blob: _Blob) -> Topology:
    imsic = _imsic(blob)
    harts: dict[int, HartSpec] = {}
    problems: list[Problem] = []
    cpus = _cpus_by_phandle(blob)
    for index, (phandle, interrupt) in enumerate(imsic.pairs):
        if interrupt == SUPERVISOR_EXTERNAL:
            problems += _add_hart(blob, imsic, (index, cpus.get(phandle)), harts)
    problems += _forgotten(blob, imsic, cpus)
    if problems:
        raise InputError(problems)
    if not harts:
        raise blob.error(imsic.node.path, "", "must name at least one cpu that is available")
    ordered = tuple(harts[hart_id] for hart_id in sorted(harts))
    return Topology(ordered, imsic.guest_index_bits, blob.file)


def _add_hart(
    blob: _Blob, imsic: _Imsic, pair: tuple[int, Node | None], harts: dict[int, HartSpec]
) -> list[Problem]:
    """Enter the HART of one pair into `harts` by hart id; returns the problems of the pair."""
    index, cpu = pair
    where = f"{imsic.node.path} interrupts-extended[{index}]"
    if cpu is None:
        phandle = imsic.pairs[index][0]
        return [blob.problem(where, phandle, "must be the phandle of a cpu's interrupt controller")]
    if not cpu.available:
        return []
    files, hart_id = imsic.guest_files(index), _hart_id(blob, cpu)
    if files is None:
        return [blob.problem(where, cpu.path, "must have its pages inside a region of `reg`")]
    if hart_id in harts:
        return [blob.problem(where, cpu.path, "must be listed only once")]
    harts[hart_id] = HartSpec(guest_files=files)
    return []


def _forgotten(blob: _Blob, imsic: _Imsic, cpus: dict[int, Node]) -> list[Problem]:
    """The problems of available CPUs without a page in the IMSIC: without them the numbers of the
    other CPUs would be wrong."""
    listed = [cpus.get(phandle) for phandle, i in imsic.pairs if i == SUPERVISOR_EXTERNAL]
    allowed = f"must be named by {imsic.node.path} interrupts-extended"
    return [
        blob.problem(node.path, "", allowed)
        for node in blob.nodes
        if _is_cpu(node) and node.available and node not in listed
    ]


def _imsic(blob: _Blob) -> _Imsic:
    """The first S-level IMSIC; the kernel allows only one instance."""
    found = [n for n in blob.nodes if "riscv,imsics" in n.strings.get("compatible", ())]
    for node in found:
        pairs = _pairs(blob, node)
        if node.available and any(interrupt == SUPERVISOR_EXTERNAL for _, interrupt in pairs):
            return _Imsic(node, pairs, _region_bytes(blob, node), _guest_index_bits(blob, node))
    seen = ", ".join(node.path for node in found)
    allowed = "must have a riscv,imsics node that raises supervisor external interrupts (9)"
    raise blob.error("", "", f"{allowed}; it has {f'only {seen}' if seen else 'none'}")


def _pairs(blob: _Blob, node: Node) -> list[tuple[int, int]]:
    words = node.words.get("interrupts-extended", ())
    if len(words) % 2:
        where = f"{node.path} interrupts-extended"
        raise blob.error(where, f"{len(words)} cells", "must be pairs (phandle, interrupt)")
    return list(zip(words[::2], words[1::2], strict=True))


def _guest_index_bits(blob: _Blob, node: Node) -> int:
    bits = node.words.get("riscv,guest-index-bits", (0,))[0]
    if bits > GUEST_INDEX_BITS_MAX:
        allowed = f"must be 0..{GUEST_INDEX_BITS_MAX}"
        raise blob.error(f"{node.path} riscv,guest-index-bits", bits, allowed)
    return bits


def _region_bytes(blob: _Blob, node: Node) -> list[int]:
    """The sizes of the regions in `reg`, split by the cell counts of the bus above."""
    bus = node.parent or node
    address, size = bus.inherited("#address-cells"), bus.inherited("#size-cells")
    words, entry = node.words.get("reg", ()), address + size
    if not words or size not in (1, 2) or len(words) % entry:
        allowed = f"must be entries of {address} address and {size} size cells (size: 1 or 2)"
        raise blob.error(f"{node.path} reg", f"{len(words)} cells", allowed)
    starts = range(address, len(words), entry)
    return [_number(words[start : start + size]) for start in starts]


def _cpus_by_phandle(blob: _Blob) -> dict[int, Node]:
    """The CPU nodes by the phandle of the interrupt controller inside each."""
    return {
        node.words["phandle"][0]: node.parent
        for node in blob.nodes
        if "phandle" in node.words and node.parent is not None and _is_cpu(node.parent)
    }


def _is_cpu(node: Node) -> bool:
    return node.strings.get("device_type") == ("cpu",)


def _hart_id(blob: _Blob, cpu: Node) -> int:
    words = cpu.words.get("reg", ())
    if len(words) not in (1, 2):
        allowed = "must be a hart id of 1 or 2 cells"
        raise blob.error(f"{cpu.path} reg", f"{len(words)} cells", allowed)
    return _number(words)


def _number(words: tuple[int, ...]) -> int:
    value = 0
    for word in words:
        value = value << 32 | word
    return value


def topology_of(machine: Machine, folder: Path, file: str) -> Topology:
    """The topology of a [machine] table; `folder` is that of the scenario file.

    InputError: the table or the devicetree blob describes no usable machine.
    """
    if machine.devicetree is None:
        return _written_out(machine, file)
    topology = _from_blob(machine.devicetree, folder, file)
    if machine.geilen is None:
        return topology
    if len(machine.geilen) != len(topology.harts):
        allowed = f"must have one number for each of the {len(topology.harts)} HARTs"
        value = f"{len(machine.geilen)} numbers"
        raise InputError([Problem(file, "machine.geilen", value, allowed)])
    pairs = zip(topology.harts, machine.geilen, strict=True)
    return replace(topology, harts=tuple(replace(hart, geilen=g) for hart, g in pairs))


def _from_blob(devicetree: str, folder: Path, file: str) -> Topology:
    try:
        return read_topology(folder / devicetree, source=devicetree)
    except InputError as error:
        # The user edits the scenario, so that is the file and key to name first.
        texts = [str(replace(problem, file="")).removeprefix(": ") for problem in error.problems]
        value = show(devicetree)
        problems = [Problem(file, "machine.devicetree", value, text) for text in texts]
        raise InputError(problems) from error


def _written_out(machine: Machine, file: str) -> Topology:
    groups = machine.harts or ()
    count = sum(group.count for group in groups)
    if count > HARTS_MAX:
        allowed = f"must have at most {HARTS_MAX} HARTs"
        raise InputError([Problem(file, "machine.harts", f"{count} HARTs", allowed)])
    guest_files = max(group.guest_files for group in groups)
    bits_min = guest_files.bit_length()
    bits = bits_min if machine.guest_index_bits is None else machine.guest_index_bits
    if bits < bits_min:
        allowed = f"must be at least {bits_min} for {guest_files} guest files"
        raise InputError([Problem(file, "machine.guest_index_bits", str(bits), allowed)])
    harts = (HartSpec(g.guest_files, g.geilen) for g in groups for _ in range(g.count))
    return Topology(tuple(harts), bits, "scenario")
