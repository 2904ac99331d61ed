"""hgeisim trace record: how to leave such a trace."""

from __future__ import annotations

import click

from hgeisim.cli.exits import EXIT_NOTHING_NEW
from hgeisim.cli.trace_options import json_option


@click.command("record", short_help="A script that records a trace on your machine.")
@click.option(
    "--with", "tool", required=True, type=click.Choice(["tracefs", "bpftrace"]),
    help="What records: kprobes by way of tracefs, or bpftrace.",
)  # fmt: skip
@json_option
def command(tool: str, as_json: bool) -> int:
    """Print a shell script that records HGEI events on a RISC-V host with KVM.

    It is only printed: read it, copy it to that machine, and run it there as root. It says what it
    needs, leaves out and tells what the kernel does not have, and removes its probes at the end.

    tracefs reads members of structures by offsets out of debug information; bpftrace by BTF.

    \b
    Example:
      hgeisim trace record --with tracefs > record.sh
      KVM_DEBUG=kvm.ko sh record.sh my-vm-monitor ...
    """
    if tool == "tracefs":
        from hgeisim.trace.record_tracefs import script  # noqa: PLC0415 - late: --help is quick
    else:
        from hgeisim.trace.record_bpftrace import script  # noqa: PLC0415
    if as_json:
        from hgeisim.cli.console import print_json  # noqa: PLC0415

        print_json({"with": tool, "script": script()})
    else:
        click.echo(script(), nl=False)
    return EXIT_NOTHING_NEW
