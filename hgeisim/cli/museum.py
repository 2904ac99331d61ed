"""hgeisim museum: the bugs of this code that a search has to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hgeisim.drivers.museum import Bug


STRATEGY_S = 10.0
"""CPU seconds that each strategy has for a bug."""


@click.command()
@click.argument("bugs", metavar="[BUG]...", nargs=-1)
@click.option(
    "--states", default=1_000_000, show_default=True, type=click.IntRange(1),
    help="Give each search up after this many states.",
)  # fmt: skip
@click.option("--together", is_flag=True, help="Those that show in one scenario, there.")
@click.option("--strategies", is_flag=True, help="Tell which strategies find each in 10 s of CPU.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    bugs: tuple[str, ...], *, states: int, together: bool, strategies: bool, as_json: bool
) -> int:
    """Find historical bugs of this code, and see that each is gone in the kernel with its fix.

    Both kernels are searched in the same scenario and in the same way; where a scenario has no
    tasks, it runs in five seeds.  Without names, all bugs.  With --together, 3,000 schedules are
    drawn in a scenario of which a search does not come to the end.

    \b
    Example:
      hgeisim museum
      hgeisim museum B-03 V2-2 --strategies
      hgeisim museum --together

    Exit status: 0 each is found, and gone with its fix, 1 one is not, 2 there is no such bug.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW  # noqa: PLC0415
    from hgeisim.drivers import museum  # noqa: PLC0415
    from hgeisim.drivers.explored.strategies.portfolio import NAMES  # noqa: PLC0415
    from hgeisim.report.museum import add_strategies, document, text  # noqa: PLC0415

    wanted = _wanted(bugs)
    how = museum.How(states=states)
    if together:
        wanted = _in_one(wanted, museum.together(), named=bool(bugs))
        how = museum.TOGETHER
    exhibits = [museum.exhibit(bug, how) for bug in wanted]
    result = document(exhibits, how.strategy)
    for bug, told in zip(wanted, result["bugs"], strict=True):
        if strategies and museum.is_searched(bug):
            shown = {name: museum.tried(bug, name, STRATEGY_S) for name in NAMES}
            add_strategies(told, shown)
    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(text(result)))
    return EXIT_NOTHING_NEW if all(e.is_as_it_should for e in exhibits) else EXIT_FINDING


def _wanted(names: tuple[str, ...]) -> list[Bug]:
    """The bugs with these names, all without any.  Raises `InputError`."""
    from hgeisim.drivers.museum import bugs  # noqa: PLC0415
    from hgeisim.errors import InputError, Problem, did_you_mean  # noqa: PLC0415

    known = {bug.id: bug for bug in bugs()}
    for name in names:
        if name not in known:
            remedy = did_you_mean(name, list(known)) or f"there are {', '.join(known)}"
            raise InputError([Problem("command line", "BUG", name, "is no bug here", remedy)])
    return [known[name] for name in dict.fromkeys(names or known)]


def _in_one(wanted: list[Bug], scenario: str, *, named: bool) -> list[Bug]:
    """Those of some bugs that show in the scenario of many; where they were named, all have to.

    Raises `InputError`.
    """
    from hgeisim.errors import InputError, Problem  # noqa: PLC0415

    missing = [bug.id for bug in wanted if not bug.together] if named else []
    if missing:
        remedy = "leave --together out"
        raise InputError(
            [
                Problem("command line", "BUG", i, f"does not show in {scenario}", remedy)
                for i in missing
            ]
        )
    return [bug.in_scenario(scenario) for bug in wanted if bug.together]
