"""hgeisim explore: search the interleavings of a scenario's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.completion import scenarios
from hgeisim.cli.exits import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.mail import chosen, full_option, mail_of, mail_options
from hgeisim.cli.own_patch import variant_option

if TYPE_CHECKING:
    from hgeisim.drivers.explored.model.space import Space
    from hgeisim.drivers.explored.strategies.exhaustive import Progress
    from hgeisim.drivers.explored.strategies.lock_walks import LockWalks
    from hgeisim.drivers.explored.strategies.verdict import Verdict
    from hgeisim.scenario.schema import Scenario


@click.command()
@click.argument("scenario", shell_complete=scenarios)
@variant_option("Kernel to explore, such as v6.12+percpu-v2.")
@click.option("--preemption", help="Kernel preemption: none, voluntary, full, rt.")
@click.option(
    "--states", default=3_000_000, show_default=True, type=click.IntRange(1),
    help="Give up after this many states.",
)  # fmt: skip
@click.option("--walk", type=click.IntRange(1), help="Run this many random schedules instead.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the random schedules.")
@click.option("--first", is_flag=True, help="Stop at the first new finding.")
@mail_options
@full_option
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(scenario: str, **options: Any) -> int:
    """Search the interleavings of the tasks of SCENARIO (a name or a file).

    Every interleaving is visited, up to the order of independent operations.  Each finding comes
    with a short schedule, one that shows few other findings on the way.  With --walk, random
    schedules only.  Lock order is looked at along a sample of schedules in any case.  Ctrl-C ends
    the search and prints what it has found.

    \b
    Example:
      hgeisim explore patch-race --variant v6.12+percpu-v2

    Exit status: 0 nothing new, 1 a new finding, 4 the states ran out first, 130 interrupted.
    """
    from hgeisim.drivers.explored.explorer import space_of  # noqa: PLC0415
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    overrides = {name: options[name] for name in ("variant", "preemption", "seed")}
    loaded = load_scenario(scenario, overrides, variant_problem)
    space = space_of(loaded)
    verdict = _search(space, loaded, options)
    walks = _follow_up(space, loaded, verdict, options)
    status = _report(scenario, loaded, (verdict, walks), options, space)
    if verdict.stopped is not None:
        raise verdict.stopped
    return status


def _search(space: Space, scenario: Scenario, options: dict[str, Any]) -> Verdict:
    from hgeisim.checks.known import new_findings  # noqa: PLC0415
    from hgeisim.drivers.explored.strategies.exhaustive import exhaustive  # noqa: PLC0415
    from hgeisim.drivers.explored.strategies.walk import random_walk  # noqa: PLC0415

    kernel = scenario.kernel

    def enough(finding_id: str) -> bool:
        found = new_findings([finding_id], kernel.variant, options["strict"], kernel.realtime)
        return options["first"] and bool(found)

    if options["walk"]:
        from hgeisim.scenario.streams import Streams  # noqa: PLC0415

        below = Streams(scenario.run.seed).stream("walk").below
        return random_walk(space, options["walk"], below, enough)
    with _progress() as progress:
        return exhaustive(space, options["states"], progress=progress, enough=enough)


def _follow_up(
    space: Space, scenario: Scenario, verdict: Verdict, options: dict[str, Any]
) -> LockWalks | None:
    """Tell hazards apart, look at lock order, shorten schedules: each unless it was stopped before.

    The search is over: whatever stops this takes away nothing that was found.
    """
    from hgeisim.drivers.explored.counterexample.isolate import isolate  # noqa: PLC0415
    from hgeisim.drivers.explored.counterexample.shrink import shrink_all  # noqa: PLC0415

    walks = None
    with verdict.unharmed():
        if verdict.stopped is None and not (options["walk"] or options["first"]):
            isolate(space, verdict, options["states"])
        if verdict.stopped is None:
            walks = _lock_walks(space, scenario, verdict)
            verdict.stopped = walks.stopped
        if walks is not None and verdict.stopped is None:
            walks.try_alone(space)
            shrink_all(space, verdict)
    return walks


def _lock_walks(space: Space, scenario: Scenario, verdict: Verdict) -> LockWalks:
    """Lock order along the counterexamples and some random schedules."""
    from hgeisim.drivers.explored.strategies.lock_walks import WALKS, lock_walks  # noqa: PLC0415
    from hgeisim.scenario.streams import Streams  # noqa: PLC0415

    known = [counterexample.schedule for counterexample in verdict.counterexamples.values()]
    below = Streams(scenario.run.seed).stream("lock-order").below
    return lock_walks(space, known, WALKS, below)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show on a terminal how far the search has come; how far there is to go is not known."""
    import sys  # noqa: PLC0415

    from hgeisim.cli.console import console  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield None
        return
    with console(sys.stderr).status("exploring") as status:
        yield lambda seen, queue: status.update(f"{seen:,} states, {queue:,} to expand")


def _report(
    name: str,
    scenario: Scenario,
    seen: tuple[Verdict, LockWalks | None],
    options: dict[str, Any],
    space: Space,
) -> int:
    from hgeisim.checks.known import new_findings  # noqa: PLC0415
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.report.exploration import document, text  # noqa: PLC0415
    from hgeisim.report.findings import in_order  # noqa: PLC0415
    from hgeisim.report.lock_walks import add_lock_order  # noqa: PLC0415

    verdict, walks = seen
    found = [*verdict.counterexamples, *(walks.findings if walks else ())]
    kernel = scenario.kernel
    new = new_findings(found, kernel.variant, options["strict"], kernel.realtime)
    result = document(name, scenario, verdict, new)
    if walks is not None:
        add_lock_order(result, scenario, walks, new)
    result["findings"] = in_order(result["findings"])
    if options["as_json"]:
        print_json(result)
    elif options["mail"] and result["findings"]:
        click.echo("\n".join(_mail(space, scenario, result["findings"], options)))
    else:
        click.echo("\n".join(text(result)))
    if new:
        return EXIT_FINDING
    return EXIT_BUDGET if verdict.coverage == "bounded" else EXIT_NOTHING_NEW


def _mail(
    space: Space, scenario: Scenario, findings: list[dict[str, Any]], options: dict[str, Any]
) -> list[str]:
    from hgeisim.drivers.explored.counterexample.token import decode  # noqa: PLC0415

    one = chosen(findings, options["finding"])
    return mail_of(space, scenario, decode(one["token"]), one["id"], options["full"])
