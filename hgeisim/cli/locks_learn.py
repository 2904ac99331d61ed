"""`hgeisim locks learn`: write down the lock order of a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli import completion
from hgeisim.cli.exits import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.own_patch import variant_option
from hgeisim.cli.paths import PATH

if TYPE_CHECKING:
    from hgeisim.lockorder.baseline import Baseline


@click.command("learn", short_help="Write down the lock order of a kernel.")
@click.argument("scenarios", metavar="[SCENARIO]...", nargs=-1, shell_complete=completion.scenarios)
@variant_option("Kernel to learn.", default="v7.1", show_default=True)
@click.option("--rt", is_flag=True, help="With PREEMPT_RT, where spinlock_t sleeps.")
@click.option("--out", type=PATH, help="Write here, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    scenarios: tuple[str, ...], variant: str, rt: bool, out: Path | None, as_json: bool
) -> int:
    """Run each SCENARIO and write a baseline; default: twelve that come with hgeisim.

    A baseline is sorted text, made to be read in the diff of a patch.  It accepts the findings that
    have a name and a reason already; reasons in an older baseline at --out are kept.  Other
    findings are told, and not accepted: fix them, or add a line `accept ID :: REASON`.

    \b
    Example:
      hgeisim locks learn --variant v7.1 --out v7.1.txt

    Exit status: 0 every finding has a reason, 1 some have none.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.cli.lock_source import baseline_of, surveyed  # noqa: PLC0415
    from hgeisim.lockorder.baseline_text import read_baseline, text_of_baseline  # noqa: PLC0415
    from hgeisim.record.place import put_file  # noqa: PLC0415

    kept = read_baseline(out).accepted if out is not None and out.exists() else {}
    found = surveyed(scenarios, variant, rt)
    made = baseline_of(found, variant)
    findings = found.findings()
    made.accepted |= {finding: kept[finding] for finding in findings if finding in kept}
    new = [finding for finding in findings if finding not in made.accepted]
    if out is not None:
        put_file(out, text_of_baseline(made))
    if as_json:
        print_json({**document(made), "new": new})
    elif out is None:
        click.echo(text_of_baseline(made), nl=False)
    for finding in new:
        click.echo(f"not accepted: {finding}\n  {findings[finding].text}", err=True)
    return EXIT_FINDING if new else EXIT_NOTHING_NEW


def document(made: Baseline) -> dict[str, Any]:
    """A baseline for programs."""
    return {
        "kernel": made.kernel,
        "scenarios": list(made.scenarios),
        "classes": {
            name: {"type": cls.kind, "wait": cls.wait, "usage": cls.usage}
            for name, cls in made.classes.items()
        },
        "edges": [
            {"held": source, "wanted": target, "kinds": sorted(edge.kinds), "site": edge.site}
            for (source, target), edge in made.edges.items()
        ],
        "accepted": made.accepted,
    }
