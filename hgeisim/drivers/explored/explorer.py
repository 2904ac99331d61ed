"""From a scenario to its state space, with every check switched on."""

from __future__ import annotations

from hgeisim.checks.catalogue import At, asked, called
from hgeisim.drivers.explored.call_graph import paths_of
from hgeisim.drivers.explored.explorable import unexplorable
from hgeisim.drivers.explored.model.budget import UNLIMITED, Budget
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.stage import kernel_of, set_stage
from hgeisim.errors import InputError
from hgeisim.kernel.variants import find_variant, patched_functions
from hgeisim.kernel.variants.entered import noting
from hgeisim.lockorder.validator import Validator
from hgeisim.machine.shared import Memory
from hgeisim.machine.watch import functions_of, watched
from hgeisim.scenario.schema import Scenario
from hgeisim.watch.books import Books
from hgeisim.watch.sgeis import Sgeis


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
    if problems := list(unexplorable(scenario)):
        raise InputError(problems)
    variant = scenario.kernel.variant
    kernel = watched(find_variant(variant), functions_of(Books, Sgeis) | called())
    patched = patched_functions(variant, variant.partition("+")[0])
    functions = tuple(sorted({*patched, *paths_of(find_variant(variant))}))
    k = kernel_of(scenario, noting(kernel, functions), Memory())
    sgeis = Sgeis(k)
    k.watch.add(Books(), sgeis)
    stage = set_stage(scenario, k, validator)
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
