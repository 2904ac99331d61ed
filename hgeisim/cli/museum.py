"""hgeisim museum: the bugs of this code that a search has to find."""

from __future__ import annotations

import click


@click.command()
@click.argument("bugs", metavar="[BUG]...", nargs=-1)
@click.option(
    "--states", default=1_000_000, show_default=True, type=click.IntRange(1),
    help="Give each search up after this many states.",
)  # fmt: skip
@click.option("--together", is_flag=True, help="All in one scenario that shows many of them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(bugs: tuple[str, ...], states: int, together: bool, as_json: bool) -> int:
    """Find historical bugs of this code, and see that each is gone in the kernel with its fix.

    Both kernels are searched in the same scenario and in the same way; where a scenario has no tasks,
    it runs in five seeds.  Without names, all bugs.

    \b
    Example:
      hgeisim museum
      hgeisim museum B-03 V2-2
      hgeisim museum --together

    Exit status: 0 each is found, and gone with its fix, 1 one is not, 2 there is no such bug.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.cli.exits import EXIT_FINDING, EXIT_NOTHING_NEW  # noqa: PLC0415
    from hgeisim.drivers import museum  # noqa: PLC0415
    from hgeisim.errors import InputError, Problem  # noqa: PLC0415
    from hgeisim.report.museum import document, text  # noqa: PLC0415
    from hgeisim.scenario.mistakes import did_you_mean  # noqa: PLC0415

    known = {bug.id: bug for bug in museum.bugs()}
    for name in bugs:
        if name not in known:
            remedy = did_you_mean(name, list(known)) or f"there are {', '.join(known)}"
            raise InputError([Problem("command line", "BUG", name, "is no bug here", remedy)])
    wanted = [known[name] for name in bugs or known]
    if together:
        wanted = [bug.in_scenario(museum.together()) for bug in wanted if bug.together]
    exhibits = [museum.exhibit(bug, states) for bug in wanted]
    result = document(exhibits)
    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(text(result)))
    return EXIT_NOTHING_NEW if all(e.is_as_it_should for e in exhibits) else EXIT_FINDING
