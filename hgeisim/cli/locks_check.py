"""`hgeisim locks check`: fail when a kernel locks in a way that its baseline does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.mail import chosen, mail_options
from hgeisim.cli.options import PATH, complete_kernels, complete_scenarios
from hgeisim.cli.own_patch import variant_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgeisim.report.lock_order import Check


@click.command("check", short_help="Compare the lock order of a kernel with a baseline.")
@click.argument("scenarios", metavar="[SCENARIO]...", nargs=-1, shell_complete=complete_scenarios)
@click.option(
    "--baseline", required=True, shell_complete=complete_kernels,
    help="A file, or a kernel whose baseline comes along.",
)  # fmt: skip
@variant_option("Kernel to check; default: that of the baseline.")
@click.option("--order", type=PATH, help="A declared order to check, too.")
@click.option("--rt", is_flag=True, help="With PREEMPT_RT, where spinlock_t sleeps.")
@mail_options
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(scenarios: tuple[str, ...], baseline: str, **options: Any) -> int:
    """Run each SCENARIO (default: those of the baseline) and tell what the baseline does not know.

    New are: a class, a dependency or a kind of one, a usage bit, a changed type or wait level, a
    finding without a reason, and whatever breaks the declared order.  What the baseline knows and
    nobody showed, though all of its scenarios ran, is listed: as lost where the kernel is that of
    the baseline, as stale where it is another one.  Runs and random schedules are a sample: what
    they did not do, they cannot tell.

    \b
    A declared order is text, a rule to a line:
      kvm_usage_lock < cpu_hotplug_lock < cpuhp_state_mutex
      leaf hgctrl->lock
      never-with hgctrl->lock imsic->vsfile_lock

    \b
    Example:
      hgeisim locks check --baseline v7.1 --variant v7.1+my-patch.py:MyPatch

    Exit status: 0 nothing new, 1 something new or lost, 2 a file is malformed.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.cli.lock_source import (  # noqa: PLC0415
        baseline_of,
        known_kernel,
        lock_order_of,
        surveyed,
    )
    from hgeisim.lockorder.baseline.declared_order import Declared, read_declared  # noqa: PLC0415
    from hgeisim.report.lock_order import checked, document, text  # noqa: PLC0415

    before = lock_order_of(baseline)
    declared = read_declared(options["order"]) if options["order"] else Declared()
    variant = options["variant"] or known_kernel(before, baseline)
    found = surveyed(scenarios or before.scenarios, variant, options["rt"])
    result = checked(before, baseline_of(found, variant), found, declared)
    if options["strict"]:
        result = result.strict()
    if options["as_json"]:
        print_json(document(result))
    elif options["mail"] and (result.findings or result.accepted):
        again = [*_again(baseline, variant, options), *scenarios]
        click.echo("\n".join(_mail(result, options["finding"], again)))
    else:
        click.echo("\n".join(text(result)))
    return EXIT_FINDING if result.new or result.lost else EXIT_NOTHING_NEW


def _again(baseline: str, variant: str, options: dict[str, Any]) -> Iterator[str]:
    """The command, with what changes its answer."""
    yield from ("hgeisim", "locks", "check", "--baseline", baseline, "--variant", variant)
    if options["order"]:
        yield from ("--order", str(options["order"]))
    if options["rt"]:
        yield "--rt"


def _mail(result: Check, wanted: str | None, again: list[str]) -> list[str]:
    from hgeisim.report.layout import command_lines  # noqa: PLC0415
    from hgeisim.report.lock_mail import survey_mail  # noqa: PLC0415

    reports = {**result.findings, **result.accepted}
    one = chosen([{"id": i, "new": i in result.findings} for i in reports], wanted)["id"]
    return [*survey_mail(result, one, reports[one]), *command_lines(again)]
