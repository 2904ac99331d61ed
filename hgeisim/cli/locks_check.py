"""`hgeisim locks check`: fail when a kernel locks in a way that its baseline does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from hgeisim.cli.mail import mail_options
from hgeisim.cli.options import (
    PATH,
    complete_kernels,
    complete_scenarios,
    json_option,
    variant_option,
)
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW


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
@json_option
def command(scenarios: tuple[str, ...], baseline: str, **options: Any) -> int:
    """Run each SCENARIO (default: those of the baseline) and report what the baseline lacks.

    New are: a class, a dependency or a kind of one, a usage bit, a changed type or wait level, a
    finding without a reason, and whatever breaks the declared order.  Entries of the baseline that
    no run exercised, though all of its scenarios ran, are listed: as lost if the kernel is that of
    the baseline, as stale if it is another one.  Runs and random schedules are a sample, and say
    nothing about what they did not do.

    \b
    A declared order is text, a rule to a line:
      kvm_usage_lock < cpu_hotplug_lock < cpuhp_state_mutex
      leaf hgctrl->lock
      never-with hgctrl->lock imsic->vsfile_lock

    \b
    Example:
      hgeisim locks check --baseline v7.3 --variant v7.3+my-patch.py:MyPatch

    Exit status: 0 nothing new, 1 something new or lost, 2 a file is malformed.
    """
    from hgeisim.cli.console import print_json, progress  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.locks import check  # noqa: PLC0415

    how = {"order": options["order"], "realtime": options["rt"], "strict": options["strict"]}
    made = check(baseline, options["variant"], scenarios, progress=progress(), **how)
    if options["as_json"]:
        print_json(made.document)
    elif options["mail"] and made.reports:
        again = [*_again(baseline, made.kernel, options), *scenarios]
        click.echo(made.mail(options["finding"], again))
    else:
        click.echo(str(made))
    return EXIT_FINDING if made.new or made.lost else EXIT_NOTHING_NEW


def _again(baseline: str, variant: str, options: dict[str, Any]) -> Iterator[str]:
    """The command, with what changes its answer."""
    yield from ("hgeisim", "locks", "check", "--baseline", baseline, "--variant", variant)
    if options["order"]:
        yield from ("--order", str(options["order"]))
    if options["rt"]:
        yield "--rt"
