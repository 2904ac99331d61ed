"""`hgeisim topology`: the HARTs of a devicetree blob or of a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.console import print_json, print_parts
from hgeisim.cli.options import complete_scenarios, json_option
from hgeisim.report.grid import Grid
from hgeisim.report.layout import count, indented

if TYPE_CHECKING:
    from hgeisim.machine.topology import HartSpec, Topology

HEADS = ("HARTs", "count", "hart ids", "guest files", "HGEIE bits")
UNKNOWN_BITS = """\
?  Unknown.  A devicetree (QEMU's blobs too) gives the stride of the pages, not
   GEILEN: a run takes one bit for each guest file, or what the scenario's
   machine.geilen says."""
NO_PAGE = "-  The IMSIC has no page for these HARTs."
NO_KVM = "This machine has no KVM: "


@click.command("topology")
@click.argument("source", metavar="FILE|SCENARIO", shell_complete=complete_scenarios)
@click.option(
    "--boot-hart",
    type=click.IntRange(min=0),
    metavar="ID",
    help="The hart id of the CPU that boots (default: as the blob says, or the first).",
)
@json_option
def command(source: str, boot_hart: int | None, as_json: bool) -> None:
    """Show the guest interrupt files of each HART, by the rules of Linux's drivers.

    FILE is a devicetree blob (.dtb) or a scenario (.toml); SCENARIO the name of a built-in one.
    The HART that boots is number 0, the others follow in the order of their nodes; equal
    neighbours share a line.  What Linux refuses or warns of is said below the table.

    \b
    Example:
      hgeisim topology virt.dtb
      dtc -I fs -O dtb /proc/device-tree > mine.dtb && hgeisim topology mine.dtb
      hgeisim topology big-little --json
    """
    from hgeisim.library.scenarios import topology as topology_of  # noqa: PLC0415 - late

    topology = topology_of(source, boot_hart)
    if as_json:
        print_json(document(topology))
        return
    click.echo(f"Topology of {topology.source}\n")
    heads = HEADS if topology.hart_ids else (*HEADS[:2], *HEADS[3:])
    print_parts([Grid(heads, rows(topology))])
    click.echo(f"\n{summary(topology)}")
    for line in said(topology):
        click.echo(f"\n{line}")


def document(topology: Topology) -> dict[str, Any]:
    """Make the JSON document; `hgeie_bits` is null unless a scenario gives it."""
    return {
        "source": topology.source,
        "guest_index_bits": topology.guest_index_bits,
        "nr_guest_files": topology.nr_guest_files,
        "no_kvm": topology.no_kvm,
        "warnings": list(topology.warnings),
        "harts": [
            {
                "first": first,
                "count": count,
                "hart_ids": list(topology.hart_ids[first : first + count]),
                "imsic": hart.imsic,
                "guest_files": hart.guest_files,
                "hgeie_bits": hart.geilen,
            }
            for first, count, hart in _groups(topology)
        ],
    }


def rows(topology: Topology) -> list[tuple[object, ...]]:
    """Make the rows of the table, one for each run of equal HARTs; without hart ids where there are
    none."""
    return [
        (
            _numbers(first, count),
            count,
            *_ids(topology.hart_ids[first : first + count]),
            hart.guest_files if hart.imsic else "-",
            "?" if hart.geilen is None else hart.geilen,
        )
        for first, count, hart in _groups(topology)
    ]


def said(topology: Topology) -> Iterator[str]:
    """Make the paragraphs below the table, wrapped."""
    if topology.no_kvm:
        yield "\n".join(indented(f"{NO_KVM}{topology.no_kvm}.", 0))
    if topology.warnings:
        yield "\n".join(line for each in topology.warnings for line in indented(each, 0))
    if not all(hart.imsic for hart in topology.harts):
        yield NO_PAGE
    if any(hart.geilen is None and hart.imsic for hart in topology.harts):
        yield UNKNOWN_BITS


def summary(topology: Topology) -> str:
    """Say what the kernel makes of the machine as a whole."""
    total = sum(hart.guest_files for hart in topology.harts)
    lines = f"{len(topology.harts)} HARTs, {total} guest files in all."
    if not any(hart.imsic for hart in topology.harts):
        return lines
    return (
        f"{lines}\n"
        f"Fewest on a HART, the kernel's global count: {topology.nr_guest_files}\n"
        f"Guest index bits: {topology.guest_index_bits} (a HART every "
        f"{count(1 << topology.guest_index_bits, 'page')})"
    )


def _groups(topology: Topology) -> list[tuple[int, int, HartSpec]]:
    from hgeisim.scenario.canonical import hart_groups  # noqa: PLC0415 - loads pydantic

    return list(hart_groups(topology))


def _ids(ids: Sequence[int]) -> Iterator[str]:
    """Make the cell of the hart ids of equal neighbours, if they have any."""
    if ids:
        in_row = list(ids) == list(range(ids[0], ids[0] + len(ids)))
        yield _numbers(ids[0], len(ids)) if in_row else ", ".join(map(str, ids))


def _numbers(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"
