"""Nothing freed is touched."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.ownership import vcpus
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import Vcpu
from hgeisim.machine.shared import address_of, addresses


class UseAfterFree:
    """No step reads or writes a vCPU that an earlier step freed.  Needs tracked memory."""

    def step(self, k: Cpuhp, moment: Moment) -> Iterator[Finding]:
        """Look at what the step touched."""
        touched = set(moment.reads) | set(moment.writes)
        for vcpu in vcpus(k):
            own = {*addresses(vcpu), *addresses(vcpu.wait)}
            if not touched.isdisjoint(own) and freed_before(vcpu, moment):
                text = f"{moment.who.name} touches {vcpu.name} after it was freed"
                yield Finding("use-after-free", moment.function, text)


def freed_before(vcpu: Vcpu, moment: Moment) -> bool:
    """Tell whether the vCPU was gone before this step."""
    return address_of(vcpu, "freed") not in moment.writes and vcpu.freed == 1
