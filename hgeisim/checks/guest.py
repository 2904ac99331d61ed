"""A guest runs only on a line that its vCPU owns and its HART has."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.ownership import LineExists, name_of
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.machine.ops import Spend


class GuestLine:
    """Looked at when a guest is entered."""

    def step(self, k: Cpuhp, moment: Moment) -> Iterator[Finding]:
        """Report a guest on somebody else's line, or on none that exists."""
        vcpu = k.vcpu_of.get(moment.who)
        if vcpu is None or not (isinstance(moment.op, Spend) and moment.op.guest):
            return
        yield from LineExists().vcpu_state(k, vcpu)
        cpu, hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        if cpu >= 0 and k.hgei[cpu].owners[hgei] != vcpu.id:
            text = f"{vcpu.name} runs on HART {cpu} line {hgei} of "
            owner = name_of(k, k.hgei[cpu].owners[hgei])
            yield Finding("double-owner", "hgei", text + owner)
