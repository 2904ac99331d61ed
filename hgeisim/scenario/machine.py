"""From the [machine] table to a topology."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.scenario.devicetree import read_topology
from hgeisim.scenario.mistakes import show
from hgeisim.scenario.schema import HARTS_MAX, Machine


def topology_of(machine: Machine, folder: Path, file: str) -> Topology:
    """The topology; `folder` is where the scenario file is.  InputError when there is none."""
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
        told = [str(replace(problem, file="")).removeprefix(": ") for problem in error.problems]
        value = show(devicetree)
        problems = [Problem(file, "machine.devicetree", value, words) for words in told]
        raise InputError(problems) from error


def _written_out(machine: Machine, file: str) -> Topology:
    groups = machine.harts or ()
    count = sum(group.count for group in groups)
    if count > HARTS_MAX:
        allowed = f"must have at most {HARTS_MAX} HARTs"
        raise InputError([Problem(file, "machine.harts", f"{count} HARTs", allowed)])
    bits_min = max(group.guest_files for group in groups).bit_length()
    bits = bits_min if machine.guest_index_bits is None else machine.guest_index_bits
    if bits < bits_min:
        allowed = f"must be at least {bits_min} for {show(_most(machine))} guest files"
        raise InputError([Problem(file, "machine.guest_index_bits", str(bits), allowed)])
    harts = (HartSpec(g.guest_files, g.geilen) for g in groups for _ in range(g.count))
    return Topology(tuple(harts), bits, "scenario")


def _most(machine: Machine) -> int:
    return max(group.guest_files for group in machine.harts or ())
