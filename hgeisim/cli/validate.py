"""`hgeisim validate`: the simulator against theory, a subcommand for each case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from hgeisim.cli.options import json_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.study_options import INTERRUPTED, Percent, executor_option

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(name="validate", short_help="Compare simulated results with exact ones.")
def command() -> None:
    """Simulate a case of queueing theory, and compare it with its exact result.

    Each case is a scenario of ordinary tables, run by the kernel paths and the driver of every
    other run; --json prints it.  The exact result is computed for any parameters.

    \b
    Example:
      hgeisim validate erlang --lines 5 --offered 3
      hgeisim validate md1 --hold 300 --interarrival 600 --precision 3%
    """


def how(made: Command) -> Command:
    """The options of every case."""
    options = (
        click.option("-n", "--replications", type=int, help="So many runs, however precise."),
        click.option(
            "--precision", type=Percent(), metavar="PERCENT",
            help="Run until each interval is +- this share of the exact value. Default: 1%.",
        ),
        click.option("--at-most", type=int, help="Most runs for it. Default: 5000."),
        click.option(
            "--level", type=float, metavar="PERCENT", help="Confidence of intervals. Default: 99."
        ),
        click.option("--seed", type=int, default=1, help="Seed of the first run. Default: 1."),
        executor_option,
        json_option,
    )  # fmt: skip
    for option in reversed(options):
        made = option(made)
    return made


def number(name: str, what: str, kind: Any = float) -> Callable[[Command], Command]:
    """A parameter of a case."""
    return click.option(name, type=kind, required=True, metavar="NUMBER", help=what)


def time(name: str, what: str) -> Callable[[Command], Command]:
    """A parameter that is a time with a unit."""
    return click.option(name, required=True, metavar="TIME", help=what)


@command.command("erlang", short_help="Lines for VMs that arrive at random (Erlang B).")
@number("--lines", "HGEI lines of the one HART.", int)
@number("--offered", "Mean life of a VM over the mean time between arrivals.")
@how
def erlang(**said: Any) -> int:
    """One HART; VMs of one HWACCEL vCPU arrive as a Poisson process and live for exponential times.

    A VM that finds no free line gives up.  It holds its line from arrival to destruction: the
    timing table is 0, but for context switches of 1 ns, beside lives of 1 s on average.

    \b
    Example:
      hgeisim validate erlang --lines 5 --offered 3 --precision 5%

    Exit status: 0, or 1 if an exact value lies outside of its interval.
    """
    return _validate("erlang", **said)


@command.command("engset", short_help="Lines for VMs that come back (Engset).")
@number("--vcpus", "Sources of VMs with one HWACCEL vCPU each.", int)
@number("--lines", "HGEI lines of the one HART.", int)
@number("--alpha", "Mean life of a VM over the mean time until its source sends the next.")
@how
def engset(**said: Any) -> int:
    """One HART and a fixed number of sources; each sends a VM when it has none.

    Lives and the times between are exponential, also after a VM that found no free line and gave
    up.  A VM holds its line from arrival to destruction, as in `erlang`.

    \b
    Example:
      hgeisim validate engset --vcpus 8 --lines 5 --alpha 0.8 --precision 5%

    Exit status: 0, or 1 if an exact value lies outside of its interval.
    """
    return _validate("engset", **said)


@command.command("md1", short_help="Waits for a lock, equal holds (M/D/1).")
@number("--hold", "How long the lock is held, in ns.")
@number("--interarrival", "Mean time from one taker to the next, in ns.")
@how
def md1(**said: Any) -> int:
    """Takers of one HGEI lock arrive from other HARTs as a Poisson process.

    The service time is the hold alone: taking and releasing the lock takes no time.  A simulated ns
    stands for a ps, so that rounding to whole numbers is not seen.

    \b
    Example:
      hgeisim validate md1 --hold 300 --interarrival 600 --precision 3%

    Exit status: 0, or 1 if an exact value lies outside of its interval.
    """
    return _validate("md1", **said)


@command.command("mg1", short_help="Waits for a lock, several holds (M/G/1).")
@click.option(
    "--hold", required=True, metavar="NS:SHARE,...", help="Holds in ns, each with its share."
)
@number("--interarrival", "Mean time from one taker to the next, in ns.")
@how
def mg1(**said: Any) -> int:
    """As md1, with several holds: a Poisson process of takers for each.

    \b
    Example:
      hgeisim validate mg1 --hold 250:0.425,200:0.15,150:0.425 \\
          --interarrival 400 --precision 3%

    Exit status: 0, or 1 if an exact value lies outside of its interval.
    """
    return _validate("mg1", **said)


@command.command("repairman", short_help="HARTs that share a lock (machine repair).")
@number("--harts", "HARTs with a thread each.", int)
@number("--think", "Mean time from giving the lock back to asking for it, in ns.")
@number("--hold", "Mean hold, in ns.")
@how
def repairman(**said: Any) -> int:
    """A thread on each HART thinks, waits for one HGEI lock, and holds it.

    Both times are exponential.  The response is wait and hold; taking and releasing the lock takes
    no time.  A simulated ns stands for a ps.

    \b
    Example:
      hgeisim validate repairman --harts 8 --think 2000 --hold 300 --precision 3%

    Exit status: 0, or 1 if an exact value lies outside of its interval.
    """
    return _validate("repairman", **said)


@command.command("ticket", short_help="HARTs that always want a lock (round robin).")
@number("--harts", "HARTs with a thread each.", int)
@number("--hold", "How long the lock is held, in ns.")
@number("--hand-over", "Cost of taking the lock, which comes before each hold, in ns.")
@how
def ticket(**said: Any) -> int:
    """A thread on each HART asks for one HGEI lock again as soon as it has given it back.

    The ticket lock serves them in turn.  A wait is from giving the lock back to holding it again,
    so it includes the hand-over.  Nothing is random: all numbers must be equal.

    \b
    Example:
      hgeisim validate ticket --harts 16 --hold 250 --hand-over 40

    Exit status: 0, or 1 if an exact value is not the simulated one.
    """
    return _validate("ticket", **said)


@command.command("hotplug", short_help="A HART that goes offline now and then.")
@time("--online", "Mean time until it goes offline, such as 4ms.")
@time("--offline", "Time until it comes online again, such as 200us.")
@how
def hotplug(**said: Any) -> int:
    """A HART is online for exponential times and offline for a fixed one, by [random_hotplug].

    cpu_down and cpu_up themselves take no time.

    \b
    Example:
      hgeisim validate hotplug --online 4ms --offline 200us --precision 3%

    Exit status: 0, or 1 if an exact value lies outside of its interval.
    """
    return _validate("hotplug", **said)


@command.command("stretch", short_help="Guests that interrupts make slower.")
@time("--run", "Mean work of a guest between two waits, such as 20us.")
@time("--every", "Mean time between interrupts of its HART, such as 120us.")
@time("--steals", "Time that each interrupt takes, such as 500ns.")
@how
def stretch(**said: Any) -> int:
    """A guest works while a device of another VM interrupts its HART as a Poisson process.

    A stretch is from entering the guest to its WFI.  Each interrupt adds the time of entering and
    leaving its handler; the exits and entries of the guest around it take no time.

    \b
    Example:
      hgeisim validate stretch --run 20us --every 120us --steals 500ns \\
          --precision 5%

    Exit status: 0, or 1 if an exact value lies outside of its interval.
    """
    return _validate("stretch", **said)


def _validate(case: str, *, as_json: bool, **said: Any) -> int:
    from hgeisim.cli.console import print_json, print_parts, progress  # noqa: PLC0415
    from hgeisim.report.validation import parts  # noqa: PLC0415
    from hgeisim.study.validation import validate  # noqa: PLC0415

    found = validate(case, progress=progress(), **said)
    if as_json:
        print_json(found.document)
    else:
        print_parts(parts(found.document))
    if found.document["interrupted"]:
        return INTERRUPTED
    return EXIT_NOTHING_NEW if found.inside else EXIT_FINDING
