"""hgeisim capacity: the least of something that keeps a target, or the most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.cli.options import complete_scenarios, json_option, variant_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.study_options import (
    INTERRUPTED,
    as_arguments,
    check_places,
    executor_option,
    level_option,
    picture_option,
    scenario_options,
    warm_up_option,
)


@click.command()
@click.argument("scenario", shell_complete=complete_scenarios)
@click.option("--target", required=True, metavar="TARGET", help='Such as "sw_file_time < 1%".')
@click.option("--smallest", metavar="KEY=VALUES", help="Look for the smallest value.")
@click.option("--largest", metavar="KEY=VALUES", help="Look for the largest value.")
@click.option("--at-most", type=int, help="Most runs at each value. Default: 40.")
@variant_option("Kernel to simulate, such as v6.12+percpu-v5.")
@scenario_options
@warm_up_option("mser-5")
@level_option
@executor_option
@picture_option("Draw it")
@json_option
def command(
    scenario: str, *, target: str, pictures: tuple[Path, ...], as_json: bool, **said: Any
) -> int:
    """Look for the smallest or largest value with which SCENARIO keeps a target.

    KEY is one of -s, or lines (of every HART), vcpus (of the one [[vm]]), oversubscription (vCPUs
    for each HART).  VALUES are whole numbers: 1..15 or 8,16,32.

    \b
    Example:
      hgeisim capacity homogeneous --target "sw_file_time < 1%" \\
          --smallest lines=1..15
      hgeisim capacity virt-2socket --target "no_line < 1e-3" \\
          --largest vm.big.vcpus=4..64..4

    The values are halved until one is left; a value gets runs until its interval is on one side of
    the target.  An answer has the confidence of --level as a whole.  A devicetree will do as well:
    its HARTs are changed for the search, not in the file.

    Exit status: 0, or 1 without an answer: no value keeps the target, or the metric does not go
    one way with the values.
    """
    from hgeisim.cli.console import print_json, print_parts, progress  # noqa: PLC0415
    from hgeisim.report.capacity import parts  # noqa: PLC0415
    from hgeisim.study.capacity import capacity  # noqa: PLC0415

    check_places(pictures)
    as_arguments(said)
    found = capacity(scenario, target, progress=progress(), **said)
    for path in pictures:
        found.plot().save(path)
    if as_json:
        print_json(found.document)
    else:
        print_parts(parts(found.document))
        for path in pictures:
            click.echo(str(path))
    if found.document["interrupted"]:
        return INTERRUPTED
    return EXIT_FINDING if found.value is None else EXIT_NOTHING_NEW
