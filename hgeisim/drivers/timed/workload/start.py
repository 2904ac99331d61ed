"""The workload of a scenario, set going."""

from __future__ import annotations

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.workload.balancing import balance
from hgeisim.drivers.timed.workload.host import Host
from hgeisim.drivers.timed.workload.hotplug import random_windows, window
from hgeisim.drivers.timed.workload.vms import arrivals
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams


def start_workload(driver: TimedDriver, streams: Streams, scenario: Scenario) -> Host:
    """Start everything that the [[vm]], [balance], [[hotplug]] and [random_hotplug] tables say."""
    host = Host(driver, streams, scenario.run)
    for vm in scenario.vm:
        host.env.process(arrivals(host, vm))
    for plan in scenario.hotplug:
        host.env.process(window(host, plan))
    if scenario.balance is not None:
        host.env.process(balance(host, scenario.balance))
    if scenario.random_hotplug is not None:
        planned = {plan.hart for plan in scenario.hotplug}
        rest = [hart.id for hart in host.k.hart if hart.id not in planned]
        harts = scenario.random_hotplug.harts or rest
        host.env.process(random_windows(host, scenario.random_hotplug, harts))
    return host
