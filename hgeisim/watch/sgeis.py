"""Which MSIs took an SGEI: such as those that arrive where their vCPU sleeps on a VS-file.

An MSI took one if an SGEI was handled for the line of its vCPU while it was pending, from where it
is sent to where its guest takes it.  One SGEI serves all MSIs that are pending then, and one MSI
may see several SGEIs; it counts once.
"""

from __future__ import annotations

from hgeisim.checks.ownership import vcpus
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import entered


class Sgeis:
    """`vcpus` are the ids of those with an MSI that took an SGEI; a search makes a step as often as
    it likes, so no more can be said there."""

    def __init__(self, k: Module) -> None:
        self.k = k
        self.vcpus: set[int] = set()

    @property
    def msis(self) -> int:
        """How many MSIs of a run took an SGEI."""
        tallies = (vcpu.ledger.tally for vcpu in vcpus(self.k))
        return sum(tally.by_sgei for tally in tallies if tally)

    @entered("hgei_interrupt")
    def took(self, current: Runner) -> None:
        """An interrupt was taken; what is looked at is no access of the path."""
        look = self._owed
        owed = self.k.memory.aside(look, current) if self.k.memory else look(current)
        for vcpu, identities in owed:
            self.vcpus.add(vcpu.id)
            if vcpu.ledger.tally:
                vcpu.ledger.tally.sgei(identities)

    def _owed(self, current: Runner) -> list[tuple[Vcpu, int]]:
        """The vCPUs whose lines are armed and pending, with what they are owed, if anything."""
        lines, owners = current.hart.hgeip & current.hart.hgeie, self.k.hgei[current.cpu].owners
        ids = [owners[i] for i in range(1, len(owners)) if lines & bit(i) and owners[i]]
        owed = [(vcpu, vcpu.ledger.owed) for vcpu in map(self.k.vcpu, ids)]
        return [each for each in owed if each[1]]
