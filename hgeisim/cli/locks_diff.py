"""`hgeisim locks diff`: two lock orders side by side."""

from __future__ import annotations

import click

from hgeisim.cli.options import complete_kernels, json_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW


@click.command("diff", short_help="Compare two kernels, baselines, or /proc/lockdep.")
@click.argument("a", shell_complete=complete_kernels)
@click.argument("b", shell_complete=complete_kernels)
@json_option
def command(a: str, b: str, as_json: bool) -> int:
    """Show how the lock order B differs from A.

    Each is a baseline file, a kernel (v7.3, v7.3+my-patch.py:MyPatch), or a copy of /proc/lockdep
    of a real kernel, plain or .gz.  `+` is in B only, `-` in A only, `~` has changed.  Against
    /proc/lockdep only classes that both have are compared, without their use in softirqs, which the
    model does not have.  A dependency of the model counts as there when it follows from others,
    since that file leaves out those at a distance.  A kernel without a baseline is run in the
    scenarios of the other one.

    \b
    Example:
      hgeisim locks diff v6.12 v7.3
      hgeisim locks diff /proc/lockdep v6.12

    Exit status: 0 they are the same, 1 they differ, 2 one of them is malformed.
    """
    from hgeisim.cli.console import print_result, progress  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.locks import diff  # noqa: PLC0415

    made = diff(a, b, progress=progress())
    print_result(made, as_json)
    return EXIT_FINDING if made.rows else EXIT_NOTHING_NEW
