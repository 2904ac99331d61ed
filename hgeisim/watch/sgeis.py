"""For which vCPUs SGEIs were taken: an MSI that arrives where its vCPU sleeps on a VS-file."""

from __future__ import annotations

from collections import Counter

from hgeisim.kernel.module import Module
from hgeisim.machine.hart import bit
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import entered


class Sgeis:
    """Counts, for each owner of a line, the SGEIs that were taken because of it; in a search, which
    makes a step as often as it likes, only whether there are any means something."""

    def __init__(self, k: Module) -> None:
        self.k = k
        self.taken: Counter[int] = Counter()

    @entered("hgei_interrupt")
    def took(self, current: Runner) -> None:
        """An interrupt was taken; what is looked at is no access of the path."""
        look = self._owners
        self.taken.update(self.k.memory.aside(look, current) if self.k.memory else look(current))

    def _owners(self, current: Runner) -> list[int]:
        """The ids of the vCPUs whose lines are armed and pending."""
        lines, owners = current.hart.hgeip & current.hart.hgeie, self.k.hgei[current.cpu].owners
        return [owners[i] for i in range(1, len(owners)) if lines & bit(i) and owners[i]]
