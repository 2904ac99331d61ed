"""A state that the kernel may be in: its memory, the calls under way, and late reads.

A `Hypothesis` is such a state, reached by one of the orders that the trace allows.

A `LateRead` is an argument that was read later than the time stamp of its event.  A probe takes its
time stamp first and reads its arguments afterwards, milliseconds later on a slow machine.  So an
event may name a VS-file that its vCPU gets only by later events.  But the vCPU has the file before
the next event of the same thread, which stays in the probe until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced.booted_kernel import BootedKernel
from hgeisim.drivers.traced.lost_wakeup import Sleepers
from hgeisim.drivers.traced.probed_call import Call
from hgeisim.kernel.structs import AUTO, Vcpu


@dataclass(frozen=True)
class LateRead:
    """A claim of the event in `line`: a vCPU has line `hgei` of a CPU, -1 for none."""

    vcpu: Vcpu
    cpu: int
    hgei: int
    line: int

    @property
    def is_true(self) -> bool:
        """Whether the vCPU has that now; without a VS-file, the line does not matter."""
        same_line = self.cpu < 0 or self.hgei == self.vcpu.vsfile_hgei
        return same_line and self.cpu == self.vcpu.vsfile_cpu

    @property
    def why(self) -> str:
        """The contradiction, if nothing made the claim true in time."""
        has = vsfile(self.vcpu.vsfile_cpu, self.vcpu.vsfile_hgei)
        named = vsfile(self.cpu, self.hgei)
        return f"line {self.line} names {named} of {self.vcpu.name}, which has {has} up to here"


def vsfile(cpu: int, line: int) -> str:
    """A VS-file as text."""
    return f"CPU {cpu} line {line}" if cpu >= 0 else "no VS-file"


STATE, ENTERED = asked(At.STATE), asked(At.ENTERED)
"""The checks at the two moments that a trace has."""


class Inferred(NamedTuple):
    """Something that the trace does not show, but that must have happened before its `line`."""

    line: int
    text: str


class Loading(NamedTuple):
    """The load of a vCPU, and whether it must write all registers; None: the trace does not say."""

    vcpu: str
    must_write: bool | None


class Found(NamedTuple):
    """An invariant that broke at the event in `line`."""

    line: int
    finding: Finding


@dataclass
class Hypothesis:
    """A possible state of the kernel.

    `calls` are the calls under way, by actor: a thread, or the `sgei_actor` of a CPU.  `modes` are
    the AIA modes of vCPUs, by id, as far as the trace has shown them; `asked` are the vCPUs that
    have asked for a line.  `unswept` are the lines, by CPU and number, whose VS-files were not left
    clear.  `seen_vcpus` and `seen_threads` have had their first event, which matters if the trace
    begins in the middle.  `armed_before` are, by CPU, the bits of HGEIE that may be set since
    before the trace.  `sleepers` are the vCPUs in kvm_vcpu_block; `injects` is, by thread, the id
    of the vCPU that it has just injected an MSI for.  `late` is, by thread, the late read of its
    last event, until that is true; `entries` is, by vCPU, what is wrong if its guest was entered.
    `loading` is, by thread, the load of its vCPU that goes on.
    `moved`: a path has gone on since the state was checked.
    """

    booted: BootedKernel
    cells: list[int]
    calls: dict[int, Call] = field(default_factory=dict)
    modes: dict[int, int] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    unswept: set[tuple[int, int]] = field(default_factory=set)
    seen_vcpus: set[int] = field(default_factory=set)
    seen_threads: set[int] = field(default_factory=set)
    armed_before: dict[int, int] = field(default_factory=dict)
    sleepers: Sleepers = field(default_factory=Sleepers)
    injects: dict[int, int] = field(default_factory=dict)
    late: dict[int, LateRead] = field(default_factory=dict)
    entries: dict[int, list[Found]] = field(default_factory=dict)
    loading: dict[int, Loading] = field(default_factory=dict)
    inferred: list[Inferred] = field(default_factory=list)
    findings: dict[tuple[str, int], Found] = field(default_factory=dict)
    moved: bool = False

    def fork(self) -> Hypothesis:
        """A second hypothesis in the same state."""
        calls = {actor: call.copy() for actor, call in self.calls.items()}
        return Hypothesis(
            self.booted,
            list(self.cells),
            calls,
            dict(self.modes),
            set(self.asked),
            set(self.unswept),
            set(self.seen_vcpus),
            set(self.seen_threads),
            dict(self.armed_before),
            Sleepers(self.sleepers),
            dict(self.injects),
            dict(self.late),
            dict(self.entries),
            dict(self.loading),
            list(self.inferred),
            dict(self.findings),
            self.moved,
        )

    def key(self) -> tuple[object, ...]:
        """Hypotheses with equal keys have the same future."""
        calls = tuple((actor, self.calls[actor].key()) for actor in sorted(self.calls))
        shown = tuple(sorted(self.modes.items())), tuple(sorted(self.armed_before.items()))
        seen = frozenset(self.asked), frozenset(self.seen_vcpus), frozenset(self.seen_threads)
        late = tuple(sorted((actor, read.line) for actor, read in self.late.items()))
        wrong = frozenset(vcpu for vcpu, found in self.entries.items() if found)
        loading = tuple(sorted(self.loading.items()))
        others = frozenset(self.unswept), tuple(sorted(self.sleepers.items())), late, wrong, loading
        return tuple(self.cells), calls, shown, seen, others

    def install(self) -> None:
        """Put the kernel into this state."""
        self.booted.memory.begin_step(self.cells)

    def advance(self, actor: int) -> None:
        """Let the call of a thread run to its next probe; see `Call.advance`."""
        self.install()
        self.moved = True
        call = self.calls[actor]
        self.note_double_free(call)
        if call.vcpu:
            vm = self.booted.k.vcpu(call.vcpu).vm
            vm.aia_mode = self.modes.get(call.vcpu, AUTO)
        call.advance(self.booted.memory, self.booted.is_silent)
        self.late = {actor: read for actor, read in self.late.items() if not read.is_true}

    def note_double_free(self, call: Call) -> None:
        """Note it if a call that frees a line goes on and will find it free already."""
        probe = call.probe
        if probe is None or probe.name != "free" or call.done:
            return
        if probe.cpu >= 0 and self.booted.k.hgei[probe.cpu].free_bitmap >> probe.line & 1:
            text = f"{call.function} frees line {probe.line} of HART {probe.cpu}, which is free"
            self.note(call.line, Finding("double-free", "hgei", text))

    def note(self, line: int, *findings: Finding) -> None:
        """Note findings of the event in a line, every time that they happen."""
        for finding in findings:
            self.findings.setdefault((finding.id, line), Found(line, finding))

    def note_state(self, line: int, *findings: Finding) -> None:
        """Note findings that hold from the event in a line on; they last, so note an id once."""
        known = {finding_id for finding_id, _ in self.findings}
        self.note(line, *(finding for finding in findings if finding.id not in known))

    def check(self, line: int) -> None:
        """Note the invariants that are broken now, each once."""
        if not self.moved:
            return
        self.moved = False
        self.install()
        for check in STATE:
            self.note_state(line, *check.state(self.booted.k))

    def note_entry(self, vcpu: Vcpu, cpu: int, line: int) -> None:
        """Keep the findings on the line that a guest is entered with, if it is entered at all."""
        self.install()
        hart = self.booted.k.hart[cpu]
        hart.guest = vcpu.id
        found = [finding for check in ENTERED for finding in check.of(self.booted.k, hart)]
        hart.guest = 0
        self.entries[vcpu.id] = [Found(line, finding) for finding in found]

    def prove_entry(self, vcpu: Vcpu) -> None:
        """Note the findings of an entry, now that the guest waits: so it was entered."""
        for line, finding in self.entries.pop(vcpu.id, ()):
            self.note_state(line, finding)

    def owners(self, cpu: int) -> list[str]:
        """The names of the owners of a CPU's lines, from line 1 on; "" for a free line."""
        self.install()
        k = self.booted.k
        lines = range(1, k.nr_hgei(k.hgei[cpu]) + 1)
        owners = [k.hgei[cpu].owners[line] for line in lines]
        return [k.vcpu(owner).name if owner else "" for owner in owners]

    def owner(self, cpu: int, line: int) -> Vcpu | None:
        """The owner of a line; None if it is free or does not exist."""
        self.install()
        k = self.booted.k
        if not (0 <= cpu < len(k.hgei) and 0 < line < len(k.hgei[cpu].owners)):
            return None
        owner = k.hgei[cpu].owners[line]
        return k.vcpu(owner) if owner else None


def sgei_actor(cpu: int) -> int:
    """The key of a CPU's SGEI handler among the calls; no thread has it."""
    return -(1 << 30) - cpu


def distinct(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Leave out hypotheses with the same future as an earlier one."""
    found = list(hypotheses)
    if len(found) < 2:
        return found
    return list({each.key(): each for each in reversed(found)}.values())[::-1]
