"""The command run in this process: its status, and what it prints."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from typing import Any, NamedTuple

from hgeisim.cli.main import main


class Told(NamedTuple):
    """The answer of a command."""

    status: int
    out: str
    err: str

    @property
    def complaints(self) -> str:
        """Its stderr, without the time that the base took."""
        return re.sub(r"^.* was (run|searched) as well.*\n", "", self.err, flags=re.MULTILINE)

    def document(self) -> Any:
        """The JSON document on stdout, which must be all there is."""
        assert self.err == ""
        assert self.out.endswith("}\n")
        return json.loads(self.out)


def hgeisim(*args: str) -> Told:
    """Run the command."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = main(args)
    return Told(status, out.getvalue(), err.getvalue())


@cache
def explored(variant: str, *more: str) -> Told:
    """The report of `hgeisim explore patch-race` on a variant; explored once."""
    return hgeisim("explore", "patch-race", "--variant", variant, *more)


@cache
def token_of(variant: str, finding: str) -> str:
    """The token that reproduces a finding, as `explore` prints it."""
    lines = explored(variant).out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(finding))
    replay = next(line for line in lines[at:] if line.startswith("  hgeisim replay "))
    return replay.split()[-1]
