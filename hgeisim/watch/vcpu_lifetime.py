"""What each vCPU spent its time on."""

from __future__ import annotations

from dataclasses import dataclass, field

from hgeisim.kernel.structs import Vcpu
from hgeisim.runs.tables import HOST, STATE_NAMES


@dataclass
class VcpuTime:
    """A vCPU's life from `born_ns` to `gone_ns` (None: it lives), split into `ns` by state.

    `now` is its state since `since_ns`, which `ns` does not hold yet.
    """

    vcpu: Vcpu
    born_ns: int
    since_ns: int
    gone_ns: int | None = None
    now: int = HOST
    ns: list[int] = field(default_factory=lambda: [0] * len(STATE_NAMES))

    def become(self, state: int, now_ns: int) -> None:
        """Be in a state from now on."""
        self.ns[self.now] += now_ns - self.since_ns
        self.now, self.since_ns = state, now_ns

    def end(self, now_ns: int) -> None:
        """Its memory was given back."""
        self.become(HOST, now_ns)
        self.gone_ns = now_ns

    def until(self, end_ns: int) -> list[int]:
        """The split of its whole life, up to the end of the run."""
        made = list(self.ns)
        if self.gone_ns is None:
            made[self.now] += end_ns - self.since_ns
        return made
