"""Options that the commands of studies share."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.types import FloatParamType

from hgeisim.cli.options import PATH, settings_option
from hgeisim.errors import InputError, Problem

Command = TypeVar("Command", bound=Callable[..., Any])


INTERRUPTED = 130
"""The exit status of a study that Ctrl-C has ended, and that has something to show."""


class Percent(FloatParamType):
    """A share: `2%`, or `0.02`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it as a number."""
        text = str(value).strip()
        number: Any = text.removesuffix("%")
        number = super().convert(number, param, ctx)
        return number / 100 if text.endswith("%") else number


def scenario_options(command: Command) -> Command:
    """The options that change what runs, besides the kernel."""
    for option in (
        settings_option,
        click.option("--seed", help="Seed of the first replication; each has the next one."),
        click.option("--until", help="How long to simulate, such as 20ms."),
        click.option("--preemption", help="Kernel preemption: none, voluntary, full, rt."),
    ):
        command = option(command)
    return command


def executor_option(command: Command) -> Command:
    """Where replications run."""
    return click.option(
        "--executor",
        metavar="WHERE",
        default="processes",
        help="processes (default), serial, or the Dask scheduler tcp://HOST:PORT.",
    )(command)


def level_option(command: Command) -> Command:
    """The confidence of intervals."""
    return click.option(
        "--level", type=float, metavar="PERCENT", help="Confidence of intervals. Default: 95."
    )(command)


def warm_up_option(default: str) -> Callable[[Command], Command]:
    """The part of each run that is left out."""
    return click.option(
        "--warm-up",
        metavar="TIME",
        default=default,
        help=f"What each run leaves out: mser-5, none or a time. Default: {default}.",
    )


def picture_option(what: str) -> Callable[[Command], Command]:
    """Where pictures go; `what` begins the help."""
    return click.option(
        "--picture", "pictures", type=PATH, multiple=True, metavar="FILE",
        help=f"{what}: .png or .svg.",
    )  # fmt: skip


def metric_option(command: Command) -> Command:
    """Which metrics."""
    return click.option(
        "-m", "--metric", "metrics", metavar="METRIC", multiple=True,
        help="What to show; repeatable, see `hgeisim compare --metrics`. Default: the main ones.",
    )(command)  # fmt: skip


def list_metrics(as_json: bool) -> int:
    """Print every metric with its unit, meaning and denominator."""
    from hgeisim.cli.console import print_json, print_parts  # noqa: PLC0415
    from hgeisim.report.grid import Grid  # noqa: PLC0415
    from hgeisim.study.comparison import facts_of  # noqa: PLC0415
    from hgeisim.study.metrics import METRICS  # noqa: PLC0415

    facts = [facts_of(name) for name in METRICS]
    if as_json:
        print_json({"metrics": facts})
        return 0
    rows = [
        tuple(each[key] for key in ("name", "unit", "meaning", "denominator")) for each in facts
    ]
    print_parts([Grid(("metric", "unit", "what", "divided by"), rows)])
    return 0


def as_arguments(said: dict[str, Any]) -> None:
    """Give settings and seed of the command line the names and types that functions have for
    them."""
    from hgeisim.scenario.load import parse_value  # noqa: PLC0415

    said["set"] = said.pop("settings")
    if said["seed"] is not None:
        said["seed"] = parse_value(said["seed"])


def loaded(name: str, said: dict[str, Any]) -> Any:
    """The scenario, with what the command line says about it."""
    from hgeisim.library.scenarios import load  # noqa: PLC0415

    as_arguments(said)
    keys = ("set", "seed", "variant", "preemption", "until")
    return load(name, **{key: said.pop(key) for key in keys if key in said})


def run_again(name: str, said: dict[str, Any]) -> str:
    """The command that runs the scenario as the command line changes it, but for kernel and
    seed."""
    words = ["hgeisim", "run", name]
    for option in ("preemption", "until"):
        if said[option] is not None:
            words += [f"--{option}", said[option]]
    for setting in said["settings"]:
        words += ["-s", setting]
    return shlex.join(words)


def check_places(pictures: Iterable[Path], exports: Iterable[Path] = ()) -> None:
    """Refuse, before anything runs, files that could not be written; pictures by their suffix."""
    from hgeisim.runs.atomic_folder import why_not_writable  # noqa: PLC0415
    from hgeisim.runs.picture_kinds import SUFFIXES  # noqa: PLC0415

    drawn = list(pictures)
    problems = [
        Problem(str(path), "", "", f"must end in {' or '.join(SUFFIXES)}")
        for path in drawn
        if path.suffix.lower() not in SUFFIXES
    ]
    problems += [
        Problem(str(path), "", "", f"cannot be written: {why}")
        for path in [*drawn, *exports]
        if (why := why_not_writable(path))
    ]
    if problems:
        raise InputError(problems)
