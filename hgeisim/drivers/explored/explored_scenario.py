"""A scenario as it is explored: what a search uses of it, and its state space with all checks on.

A table that a search would miss is refused, not passed over.  The digest of what a search depends
on goes into tokens and recorded baselines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from hgeisim.checks.catalogue import At, asked, called
from hgeisim.drivers.boot_scenario import booted, kernel_of
from hgeisim.drivers.explored.counterexample.token import DIGEST_DIGITS, Token
from hgeisim.drivers.explored.model.budget import UNLIMITED, Budget
from hgeisim.drivers.explored.model.frames import PYTHONS
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.explored.reach import paths_of
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import find_variant, own_digest, patched_functions
from hgeisim.kernel.variants.entered import noting
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.machine.shared import Memory
from hgeisim.machine.watch import functions_of, watched
from hgeisim.scenario import parse as draft
from hgeisim.scenario.canonical import digest
from hgeisim.scenario.schema import Scenario
from hgeisim.watch.msis import Books, Sgeis

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


def untested_python() -> Iterator[Problem]:
    """The running Python, where nobody has tested that a search tells suspended paths apart."""
    running, tested = (".".join(map(str, v)) for v in (sys.version_info[:2], PYTHONS[-1]))
    if sys.version_info[:2] not in PYTHONS:
        allowed = f"is not tested; a search reads the bytecode of Python 3.11 to {tested}"
        yield Problem("python", "version", running, allowed, "use one of these for explore")


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


def space_of(
    scenario: Scenario, validator: Validator | None = None, budget: Budget = UNLIMITED
) -> Space:
    """The state space of a scenario's [[task]]s, see `system_of`, and what searches may spend."""
    system = system_of(scenario, validator)
    system.budget = budget
    return Space(system, asked(At.STATE), merging=True)


def system_of(scenario: Scenario, validator: Validator | None = None) -> System:
    """The contexts of a scenario's [[task]]s and interrupts; a `validator` sees the start.

    Raises `InputError` when the scenario has none, or a table that a search does not understand.
    """
    if problems := [*untested_python(), *unexplorable(scenario)]:
        raise InputError(problems)
    variant = scenario.kernel.variant
    kernel = watched(find_variant(variant), functions_of(Books, Sgeis) | called())
    patched = patched_functions(variant, variant.partition("+")[0])
    functions = tuple(sorted({*patched, *paths_of(find_variant(variant))}))
    k = kernel_of(scenario, noting(kernel, functions), Memory())
    sgeis = Sgeis(k)
    k.watch.add(Books(), sgeis)
    stage = booted(scenario, k, validator)
    system = System(stage.k, scenario.kernel.preemption)
    system.lock_order = stage.lock_order or system.lock_order
    system.lock_order.mark_start()
    stage.k.entered.clear()  # what the boot has called is not explored
    sgeis.vcpus.clear()
    for script in stage.scripts:
        system.add_task(script.thread, script.path)
    system.seal([vcpu.thread for vcpu in stage.moved])
    system.sgeis = sgeis.vcpus
    return system
