"""`hgeisim topology`: the HARTs of a devicetree blob or of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.console import print_json, print_parts
from hgeisim.cli.options import complete_scenarios
from hgeisim.report.grid import Grid

if TYPE_CHECKING:
    from hgeisim.machine.topology import HartSpec, Topology

HEADS = ("HARTs", "count", "guest files", "HGEIE bits")
UNKNOWN_BITS = """\
?  Unknown.  A devicetree (QEMU's blobs too) gives the stride of the pages, not
   GEILEN: a run takes one bit for each guest file, or what the scenario's
   machine.geilen says."""


@click.command("topology")
@click.argument("source", metavar="FILE|SCENARIO", shell_complete=complete_scenarios)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(source: str, as_json: bool) -> None:
    """Show the guest interrupt files of each HART, by the rule of the kernel's IMSIC driver.

    FILE is a devicetree blob (.dtb) or a scenario (.toml); SCENARIO the name of a built-in one.
    HARTs are numbered in the order of their hart ids; equal neighbours share a line.

    \b
    Example:
      hgeisim topology virt.dtb
      dtc -I fs -O dtb /proc/device-tree > mine.dtb && hgeisim topology mine.dtb
      hgeisim topology big-little --json
    """
    from hgeisim.library.scenarios import topology as topology_of  # noqa: PLC0415 - late

    topology = topology_of(source)
    if as_json:
        print_json(document(topology))
        return
    click.echo(f"Topology of {topology.source}\n")
    print_parts([Grid(HEADS, rows(topology))])
    click.echo(f"\n{summary(topology)}")
    if any(hart.geilen is None for hart in topology.harts):
        click.echo(f"\n{UNKNOWN_BITS}")


def document(topology: Topology) -> dict[str, Any]:
    """Make the JSON document; `hgeie_bits` is null unless a scenario gives it."""
    return {
        "source": topology.source,
        "guest_index_bits": topology.guest_index_bits,
        "nr_guest_files": topology.nr_guest_files,
        "harts": [
            {
                "first": first,
                "count": count,
                "guest_files": hart.guest_files,
                "hgeie_bits": hart.geilen,
            }
            for first, count, hart in _groups(topology)
        ],
    }


def rows(topology: Topology) -> list[tuple[object, ...]]:
    """Make the rows of the table, one for each run of equal HARTs."""
    return [
        (
            _numbers(first, count),
            count,
            hart.guest_files,
            "?" if hart.geilen is None else hart.geilen,
        )
        for first, count, hart in _groups(topology)
    ]


def summary(topology: Topology) -> str:
    """Say what the kernel makes of the machine as a whole."""
    total = sum(hart.guest_files for hart in topology.harts)
    pages = 1 << topology.guest_index_bits
    return (
        f"{len(topology.harts)} HARTs, {total} guest files in all.\n"
        f"Fewest on a HART, the kernel's global count: {topology.nr_guest_files}\n"
        f"Guest index bits: {topology.guest_index_bits} (a HART every {pages} pages)"
    )


def _groups(topology: Topology) -> list[tuple[int, int, HartSpec]]:
    from hgeisim.scenario.canonical import hart_groups  # noqa: PLC0415 - loads pydantic

    return list(hart_groups(topology))


def _numbers(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"
