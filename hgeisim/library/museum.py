"""The museum: historical bugs that a search has to find, and that are gone with their fixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hgeisim.drivers import museum as exhibits
from hgeisim.drivers.explored.strategies.portfolio import NAMES
from hgeisim.drivers.museum import Bug
from hgeisim.errors import ArgumentProblem, InputError, did_you_mean
from hgeisim.library.answer import Answer
from hgeisim.library.arguments import wrong
from hgeisim.report.grid import Grid
from hgeisim.report.museum import add_strategies, document, text

STRATEGY_S = 10.0
"""CPU seconds that each strategy has for a bug."""


@dataclass(frozen=True, repr=False)
class Museum(Answer):
    """The bugs that were looked for; `as_it_should` says that each was found, and gone with its
    fix."""

    document: dict[str, Any]
    as_it_should: bool

    def __str__(self) -> str:
        """The text of `hgeisim museum`."""
        return "\n".join(text(self.document))

    def _grid(self) -> Grid:
        rows = [(each["id"], each["title"], each["scenario"]) for each in self.document["bugs"]]
        return Grid(("bug", "", "scenario"), rows)

    @property
    def _headline(self) -> str:
        found = "found, and gone with the fix" if self.as_it_should else "not all as they should be"
        return f"museum, {len(self.document['bugs'])} bugs: {found}"


def museum(
    bugs: Sequence[str] = (),
    *,
    states: int = 1_000_000,
    together: bool = False,
    strategies: bool = False,
) -> Museum:
    """Find historical bugs, all without names, and see that each is gone in the kernel with its
    fix.

    Each search is given up after `states` states.  `together` looks for those that show in one
    scenario there; `strategies` tries which strategies find each in 10 s of CPU.
    """
    wanted, ways = _wanted(bugs), [exhibits.How(states=states)]
    if together:
        wanted = _in_one(wanted, exhibits.together(), named=bool(bugs))
        ways = [*exhibits.TOGETHER]
    shown = [exhibits.exhibit(bug, *ways) for bug in wanted]
    result = document(shown)
    for bug, facts in zip(wanted, result["bugs"], strict=True):
        if strategies and exhibits.is_searched(bug):
            tried = {name: exhibits.tried(bug, name, STRATEGY_S) for name in NAMES}
            add_strategies(facts, tried)
    return Museum(result, all(each.is_as_it_should for each in shown))


def _wanted(names: Sequence[str]) -> list[Bug]:
    """The bugs with these names, all without any.  Raises `InputError`."""
    known = {bug.id: bug for bug in exhibits.bugs()}
    for name in names:
        if name not in known:
            remedy = did_you_mean(name, list(known)) or f"there are {', '.join(known)}"
            raise wrong(("museum", "bugs"), name, "is not a bug of the museum", remedy)
    return [known[name] for name in dict.fromkeys(names or known)]


def _in_one(wanted: list[Bug], scenario: str, *, named: bool) -> list[Bug]:
    """Those of some bugs that show in the scenario of many; where they were named, all have to.

    Raises `InputError`.
    """
    missing = [bug.id for bug in wanted if not bug.together] if named else []
    if missing:
        allowed, remedy = f"does not show in {scenario}", "leave --together out"
        raise InputError([ArgumentProblem("museum", "bugs", i, allowed, remedy) for i in missing])
    return [bug.in_scenario(scenario) for bug in wanted if bug.together]
