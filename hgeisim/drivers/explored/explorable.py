"""What an exploration uses of a scenario, and what it refuses to pass over."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.explored.counterexample.token import DIGEST_DIGITS, Token
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.errors import Problem
from hgeisim.kernel.variants import own_digest
from hgeisim.scenario import draft
from hgeisim.scenario.effective import digest
from hgeisim.scenario.schema import Scenario

USED = ("machine", "kernel", "vcpu", "task")
"""The tables of which every key counts, but for the time in `kernel.halt_poll_max`."""
IGNORED = ("title", "look_at", "no_lines", "survey", "run", "timing")
"""What tells of time, which an exploration has none of, or is said to the reader only."""


def unexplorable(scenario: Scenario) -> Iterator[Problem]:
    """What keeps a scenario from being explored: no task, or a table that a search would miss."""
    if not scenario.task:
        allowed = "an explored scenario needs [[task]] tables: a finite list of actions"
        yield Problem(scenario.file, "task", "", allowed, "try patch-race")
        return
    for key in draft.KEYS:
        if key not in USED + IGNORED and getattr(scenario, key):
            allowed = f"is not explored; a search understands {', '.join(USED)}"
            yield Problem(scenario.file, key, "", allowed, "leave it out, or use `hgeisim run`")


def explored_digest(scenario: Scenario) -> str:
    """Digest of what a search depends on: a token stays good when a time or the seed changes."""
    return digest(scenario, USED)


def is_of(token: Token, scenario: Scenario) -> bool:
    """Whether a token was made of a scenario as it is now, by whatever name and with its kernel."""
    kernel = scenario.kernel
    same = (token.variant, token.preemption) == (kernel.variant, kernel.preemption)
    fits = explored_digest(scenario)[:DIGEST_DIGITS] == token.digest
    return same and fits and token.patch == own_digest(kernel.variant)


def token_of(name: str, scenario: Scenario, schedule: Schedule) -> Token:
    """The token of a schedule; `name` is how the command line calls the scenario."""
    kernel = scenario.kernel
    digest, patch = explored_digest(scenario), own_digest(kernel.variant)
    return Token(name, kernel.variant, kernel.preemption, digest, schedule, patch)
