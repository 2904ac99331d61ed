"""Why HARTs had no line left in a run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from hgeisim.library.answer import Answer
from hgeisim.library.run import Result, read
from hgeisim.report import exhaustions as text
from hgeisim.report.grid import Grid, plain
from hgeisim.runs.exhaustions import exhaustions, offenders

TOP = 5
"""Most spans of time that the text shows, unless asked."""


class Explanation(Answer):
    """The spans of time in which HARTs had no line left, those with most refusals first.

    `exhaustions` are `hgeisim.runs.exhaustions.Exhaustion`s; `offenders` are the vCPUs that held
    lines meanwhile, those without a use for them longest first.
    """

    def __init__(self, run: Result, hart: int | None, top: int) -> None:
        self.run, self.top = run, top
        self.exhaustions = exhaustions(run, hart)
        self.offenders = offenders(self.exhaustions)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim explain`."""
        return text.document(self.run, self.exhaustions)

    def __str__(self) -> str:
        return plain(text.parts(self.run, self.exhaustions, self.top))

    @property
    def _headline(self) -> str:
        return f"Explanation: {len(self.exhaustions)} times out of lines"

    def _grid(self) -> Grid:
        rows = [(each.name, each.held_ns, each.idle_ns) for each in self.offenders]
        return Grid(("vCPU", "held_ns", "idle_ns"), rows)


def explain(run: Result | str | Path, hart: int | None = None, *, top: int = TOP) -> Explanation:
    """Say why HARTs, or one HART, had no line left in a run, fresh or in a folder.

    InputError: the folder is damaged, its owners were not recorded, or there is no such HART.
    """
    return Explanation(run if isinstance(run, Result) else read(run), hart, top)
