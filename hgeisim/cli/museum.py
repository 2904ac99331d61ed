"""hgeisim museum: the bugs of this code that a search has to find."""

from __future__ import annotations

import click

from hgeisim.cli.options import json_option


@click.command()
@click.argument("bugs", metavar="[BUG]...", nargs=-1)
@click.option(
    "--states", default=1_000_000, show_default=True, type=click.IntRange(1),
    help="Give each search up after this many states.",
)  # fmt: skip
@click.option("--together", is_flag=True, help="Those that show in one scenario, there.")
@click.option("--strategies", is_flag=True, help="Try which strategies find each in 10 s of CPU.")
@json_option
def command(
    bugs: tuple[str, ...], *, states: int, together: bool, strategies: bool, as_json: bool
) -> int:
    """Find historical bugs of this code, and see that each is gone in the kernel with its fix.

    Both kernels are searched in the same scenario and in the same way; where a scenario has no
    tasks, it runs in five seeds.  Without names, all bugs.  With --together, 1,500 schedules are
    drawn in a scenario that a search cannot exhaust, and 1,500 more in another way.

    \b
    Example:
      hgeisim museum
      hgeisim museum B-03 V2-2 --strategies
      hgeisim museum --together

    Exit status: 0 each is found, and gone with its fix, 1 one is not, 2 the bug does not exist.
    """
    from hgeisim.cli.console import print_result  # noqa: PLC0415
    from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW  # noqa: PLC0415
    from hgeisim.library.museum import museum  # noqa: PLC0415

    made = museum(bugs, states=states, together=together, strategies=strategies)
    print_result(made, as_json)
    return EXIT_NOTHING_NEW if made.as_it_should else EXIT_FINDING
