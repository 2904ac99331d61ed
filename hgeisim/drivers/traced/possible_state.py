"""A state that the kernel may be in: its memory, the calls under way, and what they still owe.

A `Hypothesis` is one of the ways in which the kernel may have come here.

A `LateRead` is an argument that was read later than the time stamp of its event.  A probe takes its
time stamp first and reads its arguments then, milliseconds later on a slow machine.  So an event
may name a VS-file that its vCPU gets only by what stands below.  But the vCPU has it before the
next event of this thread, which is in the probe until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced.booted_kernel import World
from hgeisim.drivers.traced.lost_wakeup import Sleepers
from hgeisim.drivers.traced.probed_call import Context
from hgeisim.kernel.structs import AUTO, Vcpu


@dataclass(frozen=True)
class LateRead:
    """The event in `line` says that a vCPU has line `hgei` of a CPU, -1 for none."""

    vcpu: Vcpu
    cpu: int
    hgei: int
    line: int

    @property
    def is_true(self) -> bool:
        """Whether it has that now; without a VS-file its line does not matter."""
        same_line = self.cpu < 0 or self.hgei == self.vcpu.vsfile_hgei
        return same_line and self.cpu == self.vcpu.vsfile_cpu

    @property
    def why(self) -> str:
        """Why this cannot be, if nothing has made it true."""
        has = vsfile(self.vcpu.vsfile_cpu, self.vcpu.vsfile_hgei)
        named = vsfile(self.cpu, self.hgei)
        return f"line {self.line} tells {named} of {self.vcpu.name}, which has {has} up to here"


def vsfile(cpu: int, line: int) -> str:
    """A VS-file as text."""
    return f"CPU {cpu} line {line}" if cpu >= 0 else "no VS-file"


STATE, ENTERED = asked(At.STATE), asked(At.ENTERED)
"""The checks of both moments that a trace offers."""


class Inferred(NamedTuple):
    """What the trace does not tell, but must have happened before its line `line`."""

    line: int
    text: str


class Found(NamedTuple):
    """An invariant that broke at the event in line `line`."""

    line: int
    finding: Finding


@dataclass
class Hypothesis:
    """A possible state; `moved` tells that a path went on since it was checked.

    `contexts` are the calls, by thread, or `sgei_actor` for those of SGEI.  `modes` are the AIA
    modes of vCPUs, by id, as far as they have shown; `known` are the vCPUs that have asked for a
    line.  `armed_before` are, by CPU, the bits of HGEIE that may be set since before the trace;
    `unswept` are the lines, by CPU and number, whose VS-files were not left clear.  `met` are the
    vCPUs and `begun` the threads whose first event has come; that matters where the trace begins in
    the middle.  `sleepers` are the vCPUs that are in kvm_vcpu_block; `injects` is, by thread, the
    id of the vCPU for which it has just injected an MSI.  `late` is, by thread, what its last event
    told that has not come true yet; `entries` is, by vCPU, what is wrong if its guest was entered.
    """

    world: World
    cells: list[int]
    contexts: dict[int, Context] = field(default_factory=dict)
    modes: dict[int, str] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    unswept: set[tuple[int, int]] = field(default_factory=set)
    met: set[int] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    armed_before: dict[int, int] = field(default_factory=dict)
    sleepers: Sleepers = field(default_factory=Sleepers)
    injects: dict[int, int] = field(default_factory=dict)
    late: dict[int, LateRead] = field(default_factory=dict)
    entries: dict[int, list[Found]] = field(default_factory=dict)
    inferred: list[Inferred] = field(default_factory=list)
    findings: dict[tuple[str, int], Found] = field(default_factory=dict)
    moved: bool = False

    def fork(self) -> Hypothesis:
        """A second one in the same state."""
        contexts = {actor: context.copy() for actor, context in self.contexts.items()}
        return Hypothesis(
            self.world,
            list(self.cells),
            contexts,
            dict(self.modes),
            set(self.known),
            set(self.unswept),
            set(self.met),
            set(self.begun),
            dict(self.armed_before),
            Sleepers(self.sleepers),
            dict(self.injects),
            dict(self.late),
            dict(self.entries),
            list(self.inferred),
            dict(self.findings),
            self.moved,
        )

    def key(self) -> tuple[object, ...]:
        """Equal keys: the same future."""
        contexts = tuple((actor, self.contexts[actor].key()) for actor in sorted(self.contexts))
        shown = tuple(sorted(self.modes.items())), tuple(sorted(self.armed_before.items()))
        known, met, begun = frozenset(self.known), frozenset(self.met), frozenset(self.begun)
        late = tuple(sorted((actor, read.line) for actor, read in self.late.items()))
        wrong = frozenset(vcpu for vcpu, found in self.entries.items() if found)
        others = frozenset(self.unswept), tuple(sorted(self.sleepers.items())), late, wrong
        return tuple(self.cells), contexts, shown, known, met, begun, others

    def install(self) -> None:
        """Let the kernel be in this state."""
        self.world.memory.begin_step(self.cells)

    def advance(self, actor: int) -> None:
        """Let the call of a thread run to its next probe; see `Context.advance`."""
        self.install()
        self.moved = True
        context = self.contexts[actor]
        self.note_double_free(context)
        if context.vcpu:
            vm = self.world.k.vcpu(context.vcpu).vm
            vm.aia_mode = self.modes.get(context.vcpu, AUTO)
        context.advance(self.world.memory, self.world.is_silent)
        self.late = {actor: read for actor, read in self.late.items() if not read.is_true}

    def note_double_free(self, context: Context) -> None:
        """A call that frees a line goes on, into the section in which it may find it free."""
        probe = context.probe
        if probe is None or probe.name != "free" or context.done:
            return
        if probe.cpu >= 0 and self.world.k.hgei[probe.cpu].free_bitmap >> probe.line & 1:
            text = f"{context.function} frees line {probe.line} of HART {probe.cpu}, which is free"
            finding = Finding("double-free", "hgei", text)
            self.note(context.line, finding)

    def note(self, line: int, *findings: Finding) -> None:
        """Note what happens at the event in a line, each time."""
        for finding in findings:
            self.findings.setdefault((finding.id, line), Found(line, finding))

    def note_state(self, line: int, *findings: Finding) -> None:
        """Note what is wrong since the event in a line, each kind once: it stays so for a while."""
        known = {finding_id for finding_id, _ in self.findings}
        self.note(line, *(finding for finding in findings if finding.id not in known))

    def check(self, line: int) -> None:
        """Note the invariants that are broken now, each once."""
        if not self.moved:
            return
        self.moved = False
        self.install()
        for check in STATE:
            self.note_state(line, *check.state(self.world.k))

    def note_entry(self, vcpu: Vcpu, cpu: int, line: int) -> None:
        """Keep what is wrong with the line with which a guest may be about to be entered."""
        self.install()
        hart = self.world.k.hart[cpu]
        hart.guest = vcpu.id
        found = [finding for check in ENTERED for finding in check.of(self.world.k, hart)]
        hart.guest = 0
        self.entries[vcpu.id] = [Found(line, finding) for finding in found]

    def prove_entry(self, vcpu: Vcpu) -> None:
        """The guest has waited for an interrupt, so it was entered."""
        for line, finding in self.entries.pop(vcpu.id, ()):
            self.note_state(line, finding)

    def owners(self, cpu: int) -> list[str]:
        """Who owns the lines of a CPU, from line 1 on; "" for nobody."""
        self.install()
        k = self.world.k
        lines = range(1, k.nr_hgei(k.hgei[cpu]) + 1)
        owners = [k.hgei[cpu].owners[line] for line in lines]
        return [k.vcpu(owner).name if owner else "" for owner in owners]

    def owner(self, cpu: int, line: int) -> Vcpu | None:
        """The owner of a line; None for nobody, or if there is no such line."""
        self.install()
        k = self.world.k
        if not (0 <= cpu < len(k.hgei) and 0 < line < len(k.hgei[cpu].owners)):
            return None
        owner = k.hgei[cpu].owners[line]
        return k.vcpu(owner) if owner else None


def sgei_actor(cpu: int) -> int:
    """The key of a CPU's SGEI handler among the contexts; threads have others."""
    return -(1 << 30) - cpu


def distinct(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Leave out those whose future is that of one before."""
    found = list(hypotheses)
    if len(found) < 2:
        return found
    return list({each.key(): each for each in reversed(found)}.values())[::-1]
