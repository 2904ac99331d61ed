"""hgeisim compare: kernels side by side, with common random numbers and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.cli.options import complete_scenarios, json_option, variant_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.study_options import (
    INTERRUPTED,
    Percent,
    check_places,
    executor_option,
    level_option,
    list_metrics,
    loaded,
    metric_option,
    picture_option,
    run_again,
    scenario_options,
    warm_up_option,
)


@click.command()
@click.argument("scenario", shell_complete=complete_scenarios, required=False)
@variant_option("A kernel; give it for each, the first one is A.", multiple=True)
@click.option("-n", "--replications", type=int, help="Runs of each kernel. Default: 10.")
@click.option(
    "--precision", type=Percent(), metavar="PERCENT",
    help="Run until each difference is certain to +- this share of A.",
)  # fmt: skip
@click.option("--at-most", type=int, help="Most runs of each kernel for it. Default: 200.")
@click.option(
    "--quantile", type=float, metavar="PERCENT", help="Compare quantiles over the runs, not means."
)
@metric_option
@click.option("--metrics", "list_them", is_flag=True, help="List all metrics and their meaning.")
@click.option("--fail-if", metavar="CONDITION", help="Exit with 1 if this holds.")
@scenario_options
@warm_up_option("mser-5")
@level_option
@executor_option
@picture_option("Draw it")
@json_option
def command(
    scenario: str | None,
    *,
    variant: tuple[str, ...],
    metrics: tuple[str, ...],
    list_them: bool,
    fail_if: str | None,
    pictures: tuple[Path, ...],
    as_json: bool,
    **said: Any,
) -> int:
    """Run SCENARIO many times on each of some kernels, and compare them.

    Replication n has the same arrivals on each kernel, so differences are paired and have less
    noise.  Intervals of means are Student's t, those of quantiles a bootstrap, those of rare events
    Clopper-Pearson.  "may be 0": the runs do not show that there is a difference.

    \b
    Example:
      hgeisim compare big-little --variant v7.1 --variant v7.3
      hgeisim compare big-little --variant v7.1 --variant v7.3 --precision 2% \\
          --fail-if "B.sw_file_time > 1.05 * A.sw_file_time"

    A condition may have numbers, 1%, 20us, + - * /, comparisons, and, or, not, and metrics of the
    kernels A, B, ...; A.sw_file_time.low and .high are the bounds of its interval.

    Ctrl-C shows what the runs made so far say.

    Exit status: 0, or 1 if the condition of --fail-if holds.
    """
    from hgeisim.cli.console import print_json, print_parts, progress  # noqa: PLC0415
    from hgeisim.report.comparison import parts  # noqa: PLC0415
    from hgeisim.study.comparison import compare  # noqa: PLC0415

    if list_them:
        return list_metrics(as_json)
    if scenario is None:
        raise click.UsageError("Missing argument 'SCENARIO'.")
    check_places(pictures)
    again = run_again(scenario, said)
    made = loaded(scenario, said)
    found = compare(made, variant, metrics=metrics, fail_if=fail_if, progress=progress(), **said)
    found.document["replay"] = again
    for path in pictures:
        found.plot().save(path)
    if as_json:
        print_json(found.document)
    else:
        print_parts(parts(found.document))
        for path in pictures:
            click.echo(str(path))
    if found.document["stopped"] == "interrupted":
        return INTERRUPTED
    failed = found.document["fail_if"] and found.document["fail_if"]["holds"]
    return EXIT_FINDING if failed else EXIT_NOTHING_NEW
