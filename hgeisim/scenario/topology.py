"""The topology of a machine, from the [machine] table or a devicetree blob.

Of a blob, Linux decides: which CPUs there are, in which order, and which of them the IMSIC has
pages for.  A blob does not say how many bits HGEIE has on a HART.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.cpu_nodes import Cpu, Cpus, cpus_of
from hgeisim.scenario.devicetree import Devicetree, read_devicetree
from hgeisim.scenario.imsic import Imsic, imsic_of
from hgeisim.scenario.messages import show
from hgeisim.scenario.schema import HARTS_MAX, Machine
from hgeisim.user_file import read_bytes


def read_topology(path: Path, source: str | None = None, boot_hart: int | None = None) -> Topology:
    """The topology of the blob at `path`, in the order of Linux's CPU numbers.

    `source` is the name of the blob in messages and in the result (default: the path).
    `boot_hart` is the hart id of the CPU that boots (default: as the blob's header says, or the
    first).  Every `geilen` stays None.  InputError if the file is unreadable or broken, or if it
    has no CPU.
    """
    file = source or str(path)
    return _topology(read_devicetree(read_bytes(path, file), file), boot_hart)


def _topology(tree: Devicetree, boot_hart: int | None) -> Topology:
    cpus = cpus_of(tree, boot_hart)
    if len(cpus.numbered) > HARTS_MAX:
        allowed = f"must have at most {HARTS_MAX} HARTs, the largest NR_CPUS"
        raise tree.error("/cpus", f"{len(cpus.numbered)} HARTs", allowed)
    imsic, aia = Imsic(), _named(cpus, cpus.lacking("ssaia"))
    if aia:
        lacks = f"{aia} no ssaia{_other_case(cpus, 'ssaia')}"
        imsic.warnings.append(f"AIA support not available (imsic_setup_state): {lacks}")
    else:
        imsic = imsic_of(tree, cpus.numbered)
    harts = tuple(_hart(imsic.guest_files.get(cpu.hart_id)) for cpu in cpus.numbered)
    warnings = (*_of_cpus(cpus), *imsic.warnings, *_without_page(imsic, cpus))
    without_h = _named(cpus, cpus.lacking("h"))
    return Topology(
        harts,
        imsic.guest_index_bits,
        tree.file,
        tuple(cpu.hart_id for cpu in cpus.numbered),
        warnings,
        f"{without_h} no H, which KVM needs on every CPU{_other_case(cpus, 'h')}"
        if without_h
        else "",
    )


def _hart(guest_files: int | None) -> HartSpec:
    return HartSpec(0, None, imsic=False) if guest_files is None else HartSpec(guest_files)


def _of_cpus(cpus: Cpus) -> Iterator[str]:
    """Lines about the CPUs that are left out, and about those whose extensions do not count."""
    yield from cpus.warnings
    if unread := _named(cpus, cpus.unread()):
        yield (
            f"{unread} no riscv,isa-extensions; since other CPUs have it, riscv,isa is not read "
            "(riscv_fill_hwcap)"
        )


def _other_case(cpus: Cpus, extension: str) -> str:
    """How else a CPU writes the name of an extension, if it does."""
    for cpu in cpus.numbered:
        for name in sorted(cpu.listed or ()):
            if name.lower() == extension != name:
                return f"; {cpu.node.path} has {name!r}, which Linux does not take for it"
    return ""


def _without_page(imsic: Imsic, cpus: Cpus) -> Iterator[str]:
    """A line about the CPUs for which the IMSIC that was taken has no page."""
    missing = [cpu for cpu in cpus.numbered if cpu.hart_id not in imsic.guest_files]
    if imsic.node and missing:
        yield f"{imsic.node}: {_named(cpus, missing)} no page, and so no guest file"


def _named(cpus: Cpus, some: Sequence[Cpu]) -> str:
    """The beginning of a sentence about some CPUs: their numbers, and the node of the first."""
    if not some:
        return ""
    first, number = some[0], cpus.numbered.index(some[0])
    one = f"CPU {number} (HART {first.hart_id}, {first.node.path})"
    return f"{one} has" if len(some) == 1 else f"{len(some)} CPUs, the first of them {one}, have"


def topology_of(machine: Machine, folder: Path, file: str) -> Topology:
    """The topology of a [machine] table; `folder` is that of the scenario file.

    InputError: the table or the devicetree blob describes no usable machine.
    """
    if machine.devicetree is None:
        return _written_out(machine, file)
    topology = _from_blob(machine.devicetree, folder, file, machine.boot_hart)
    if machine.geilen is None:
        return topology
    if len(machine.geilen) != len(topology.harts):
        allowed = f"must have one number for each of the {len(topology.harts)} HARTs"
        value = f"{len(machine.geilen)} numbers"
        raise InputError([Problem(file, "machine.geilen", value, allowed)])
    pairs = zip(topology.harts, machine.geilen, strict=True)
    return replace(topology, harts=tuple(replace(hart, geilen=g) for hart, g in pairs))


def _from_blob(devicetree: str, folder: Path, file: str, boot_hart: int | None) -> Topology:
    value = show(devicetree)
    try:
        topology = read_topology(folder / devicetree, devicetree, boot_hart)
    except InputError as error:
        # The user edits the scenario, so that is the file and key to name first.
        texts = [str(replace(problem, file="")).removeprefix(": ") for problem in error.problems]
        problems = [Problem(file, "machine.devicetree", value, text) for text in texts]
        raise InputError(problems) from error
    if topology.no_kvm:
        allowed = f"has no KVM: {topology.no_kvm}"
        remedy = "take a blob whose CPUs all have H, or write the HARTs into machine.harts"
        raise InputError([Problem(file, "machine.devicetree", value, allowed, remedy)])
    return topology


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
    harts = (HartSpec(g.guest_files, g.geilen, g.imsic) for g in groups for _ in range(g.count))
    return Topology(tuple(harts), bits, "scenario")
