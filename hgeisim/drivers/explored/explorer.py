"""From a scenario to its state space, with every check switched on."""

from __future__ import annotations

from hgeisim.checks.guest import GuestLine, HostAlive, OwnVsFile
from hgeisim.checks.interrupts import SgeiRequested
from hgeisim.checks.lifetime import UseAfterFree
from hgeisim.checks.locking import IpiWaits, LockInitHeld, OneInside, SleepingLock
from hgeisim.checks.ownership import BitmapAgrees, LineExists, OneOwner, VsFileOwned
from hgeisim.drivers.explored.explorable import unexplorable
from hgeisim.drivers.explored.space import Space
from hgeisim.drivers.explored.system import System
from hgeisim.drivers.stage import set_stage
from hgeisim.errors import InputError
from hgeisim.lockorder.validator import Validator
from hgeisim.machine.shared import Memory
from hgeisim.scenario.schema import Scenario

STATE_CHECKS = (
    OneOwner(),
    VsFileOwned(),
    GuestLine(),
    OwnVsFile(),
    HostAlive(),
    BitmapAgrees(),
    LineExists(),
    OneInside(),
    SgeiRequested(),
)


STEP_CHECKS = (LockInitHeld(), UseAfterFree(), IpiWaits(), SleepingLock())


def space_of(scenario: Scenario, validator: Validator | None = None) -> Space:
    """The state space of a scenario's [[task]]s, see `system_of`."""
    return Space(system_of(scenario, validator), STATE_CHECKS, merging=True)


def system_of(scenario: Scenario, validator: Validator | None = None) -> System:
    """The contexts of a scenario's [[task]]s and interrupts; a `validator` sees the start.

    Raises `InputError` when the scenario has none, or a table that a search does not understand.
    """
    if problems := list(unexplorable(scenario)):
        raise InputError(problems)
    stage = set_stage(scenario, Memory(), validator=validator)
    system = System(stage.k, scenario.kernel.preemption, STEP_CHECKS)
    system.lock_order = stage.lock_order or system.lock_order
    system.lock_order.mark_start()
    for script in stage.scripts:
        system.add_task(script.thread, script.path)
    system.seal([vcpu.thread for vcpu in stage.moved])
    return system
