"""`hgeisim variants`: the kernels that there are, and the patches that go on top."""

from __future__ import annotations

import click

from hgeisim.cli.console import print_json
from hgeisim.cli.options import json_option
from hgeisim.cli.process import EXIT_NOTHING_NEW


@click.command("variants")
@json_option
def command(as_json: bool) -> int:
    """List the kernels and the patches that --variant can name.

    A variant is a base and any patches on it, applied in the order in which they are named.  Your
    own patch is named by its file and class, see docs/own-patch.md.  Bugs are patches as well, each
    a historical one on a kernel without it, or a fix; `hgeisim museum` finds them.

    \b
    Example:
      hgeisim variants
      hgeisim run big-little --variant v6.12+percpu-v2+review-clamp
    """
    from hgeisim.library.scenarios import variants  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.report.layout import indented  # noqa: PLC0415

    kinds = variants()
    if as_json:
        print_json(
            {
                kind: [{"name": name, "summary": sentence} for name, sentence in each.items()]
                for kind, each in kinds.items()
            }
        )
        return EXIT_NOTHING_NEW
    for kind, sentences in kinds.items():
        click.echo(f"{kind.capitalize()}:")
        for name, sentence in sentences.items():
            click.echo("\n".join(indented(f"{name:<24}{sentence}", 2, 24)))
        click.echo("")
    return EXIT_NOTHING_NEW
