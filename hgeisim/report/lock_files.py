"""The files of a run folder that are about locks."""

from __future__ import annotations

from hgeisim.drivers.timed.simulation import Simulation
from hgeisim.lockorder.baseline import learned
from hgeisim.lockorder.proc import proc_lockdep, proc_lockdep_stats
from hgeisim.record.lock_stat import lock_stat
from hgeisim.report.lock_check import in_columns
from hgeisim.scenario.schema import Scenario
from hgeisim.watch.lock_report import finding_of


def lock_files(scenario: Scenario, simulation: Simulation) -> dict[str, str]:
    """Texts by file name: what was learned of lock order, what is wrong with it, who waited; none
    for a run of which only the occupancy was recorded."""
    uses = simulation.recorded.get("locks")
    if simulation.lock_order is None or uses is None:
        return {}
    validator = simulation.lock_order.validator
    order = learned([validator.known], scenario.kernel.variant, (), {})
    told = [
        "\n".join([f"finding {finding.id}", *in_columns(report), ""])
        for report in validator.reports
        if (finding := finding_of(report)).id in simulation.findings
    ]
    return {
        "lock-order.txt": "\n".join(told) or "no finding in this run (one schedule)\n",
        "lockdep.txt": proc_lockdep(order),
        "lockdep_stats.txt": proc_lockdep_stats(order, validator.sizes),
        "lock_stat.txt": lock_stat(uses.locks),
    }
