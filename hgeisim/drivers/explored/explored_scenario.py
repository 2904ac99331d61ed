"""An explored scenario: the tables that a search uses, and the state space with all checks on.

`space_of` is the way in.  A table that a search would ignore is refused.  The digest of everything
that a search depends on goes into tokens and recorded baselines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from hgeisim.checks.catalogue import At, asked, called
from hgeisim.drivers.boot_scenario import beyond_kernel, booted, kernel_of
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
from hgeisim.scenario.canonical import digest
from hgeisim.scenario.parse import KEYS
from hgeisim.scenario.schema import Scenario
from hgeisim.watch.msis import Books, Sgeis

USED = ("machine", "kernel", "vcpu", "task")
"""The tables in which every key counts, except the time in `kernel.halt_poll_max`."""
IGNORED = ("title", "look_at", "no_lines", "survey", "run", "timing")
"""The keys that are about time, which an exploration does not have, or for the reader only."""


def unexplorable(scenario: Scenario) -> Iterator[Problem]:
    """The reasons why a scenario cannot be explored: no task, a table that a search ignores, or an
    action that its kernel does not have."""
    if not scenario.task:
        allowed = "an explored scenario needs [[task]] tables: a finite list of actions"
        yield Problem(scenario.file, "task", "", allowed, "try patch-race")
        return
    for key in KEYS:
        if key not in USED + IGNORED and getattr(scenario, key):
            allowed = f"is not explored; a search understands {', '.join(USED)}"
            yield Problem(scenario.file, key, "", allowed, "leave it out, or use `hgeisim run`")
    yield from beyond_kernel(scenario, find_variant(scenario.kernel.variant))


def untested_python() -> Iterator[Problem]:
    """A problem if the frames of suspended paths were never tested with the running Python."""
    running, tested = (".".join(map(str, v)) for v in (sys.version_info[:2], PYTHONS[-1]))
    if sys.version_info[:2] not in PYTHONS:
        allowed = f"is not tested; a search reads the bytecode of Python 3.11 to {tested}"
        yield Problem("python", "version", running, allowed, "use one of these for explore")


def explored_digest(scenario: Scenario) -> str:
    """The digest of what a search depends on; it does not change with times or the seed."""
    return digest(scenario, USED)


def is_of(token: Token, scenario: Scenario) -> bool:
    """Whether a token was made from a scenario as it is now, under any name, with its kernel."""
    kernel = scenario.kernel
    same = (token.variant, token.preemption) == (kernel.variant, kernel.preemption)
    fits = explored_digest(scenario)[:DIGEST_DIGITS] == token.digest
    return same and fits and token.patch == own_digest(kernel.variant)


def token_of(name: str, scenario: Scenario, schedule: Schedule) -> Token:
    """The token of a schedule; `name` is the scenario's name on the command line."""
    kernel = scenario.kernel
    digests = explored_digest(scenario), own_digest(kernel.variant)
    return Token(name, kernel.variant, kernel.preemption, digests[0], schedule, digests[1])


def space_of(
    scenario: Scenario, validator: Validator | None = None, budget: Budget = UNLIMITED
) -> Space:
    """The state space of a scenario's [[task]]s, see `system_of`; searches share the `budget`."""
    system = system_of(scenario, validator)
    system.budget = budget
    return Space(system, asked(At.STATE), merging=True)


def system_of(scenario: Scenario, validator: Validator | None = None) -> System:
    """The contexts of a scenario's [[task]]s and interrupts; a `validator` sees the start.

    Raises `InputError` if the scenario has no [[task]], or a table that a search would ignore.
    """
    if problems := [*untested_python(), *unexplorable(scenario)]:
        raise InputError(problems)
    variant = scenario.kernel.variant
    kernel = watched(find_variant(variant), functions_of(Books, Sgeis) | called())
    patched = patched_functions(variant, variant.partition("+")[0])
    functions = tuple(sorted({*patched, *paths_of(find_variant(variant))}))
    k = kernel_of(scenario, noting(kernel, functions), Memory())
    sgeis = Sgeis(k)
    k.watch.add(Books(k), sgeis)
    start = booted(scenario, k, validator)
    system = System(k, scenario.kernel.preemption)
    system.lock_order = start.lock_order or system.lock_order
    system.lock_order.mark_start()
    k.entered.clear()  # the boot is not explored: functions and SGEIs count from here
    sgeis.vcpus.clear()
    for script in start.scripts:
        system.add_task(script.thread, script.path, script.thread in start.idle)
    system.seal([vcpu.thread for vcpu in start.moved])
    system.sgeis = sgeis.vcpus
    return system
