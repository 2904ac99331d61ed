"""The tables of a scenario file, and the scenario that they make together.

Attributes have the names of the file's keys; every time is in integer nanoseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from hgeisim.machine.topology import HGEIE_BITS_MAX, Topology
from hgeisim.scenario.action import VERBS, ActionText, allowed_actions, verbs_of
from hgeisim.scenario.table import Duration, HartNumber, Name, Table, TaskName
from hgeisim.scenario.timing import (
    EXAMPLE,
    NO_PAUSE,
    Interval,
    Pause,
    Timing,
    never_takes_time,
)

SEED_MAX = 2**63 - 1
HARTS_MAX = 512
"""Most HARTs of a machine: the largest NR_CPUS of a RISC-V kernel."""
VCPUS_MAX = 1024
"""Most vCPUs of a VM: KVM_MAX_VCPUS on RISC-V."""
VMS_MAX = 1024
"""Most VMs that one table can ask for by number."""
BURST_MAX = 256
"""Most MSIs that a device sends in one interrupt."""
QUIET_MIN_NS = 100_000
"""The shortest time in which a vCPU can be expected to take an interrupt."""

Mode = Literal["emul", "auto", "hwaccel"]
IDENTITY = "7..63 (its guest enables 1..6 besides)"
Geilen = Annotated[int, Field(ge=0, le=HGEIE_BITS_MAX)]
Harts = Annotated[tuple[HartNumber, ...], Field(strict=False)]


class HartGroup(Table):
    """A run of equal HARTs in `machine.harts`."""

    count: int = Field(default=1, ge=1, le=HARTS_MAX, description=f"1..{HARTS_MAX}")
    guest_files: int = Field(
        ge=0, le=127, description="0..127 (guest interrupt files in the HART's IMSIC region)"
    )
    geilen: int | None = Field(
        default=None,
        ge=0,
        le=HGEIE_BITS_MAX,
        description=f"0..{HGEIE_BITS_MAX} (HGEIE has 64 bits, and bit 0 is read-only zero)",
    )
    imsic: bool = Field(default=True, description="false where the IMSIC has no page for a HART")

    @model_validator(mode="after")
    def _no_files(self) -> HartGroup:
        if not self.imsic and self.guest_files:
            raise ValueError("must have guest_files = 0 where imsic = false")
        return self


class Machine(Table):
    """The machine: a devicetree blob, or a list of HARTs."""

    devicetree: str | None = Field(
        default=None, min_length=1, description="the path of a blob, relative to the scenario file"
    )
    harts: Annotated[tuple[HartGroup, ...], Field(strict=False)] | None = Field(
        default=None,
        min_length=1,
        description="a list of tables such as { count = 4, guest_files = 7 }",
    )
    geilen: Annotated[tuple[Geilen, ...], Field(strict=False)] | None = Field(
        default=None, description=f"a list with one number in 0..{HGEIE_BITS_MAX} for each HART"
    )
    guest_index_bits: int | None = Field(
        default=None, ge=0, le=52, description="0..52 (each HART gets 2**bits pages of IMSIC)"
    )

    boot_hart: int | None = Field(
        default=None, ge=0, description="the hart id of the CPU of a devicetree that boots"
    )
    offline: Harts | None = Field(
        default=None, description="a list of HARTs that are offline when the kernel boots"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Machine:
        if (self.devicetree is None) == (self.harts is None):
            raise ValueError("must have either `devicetree` or `harts`")
        if self.harts is not None and self.geilen is not None:
            raise ValueError("must have `geilen` inside `harts`; a list goes with `devicetree`")
        if self.devicetree is not None and self.guest_index_bits is not None:
            raise ValueError("must not have `guest_index_bits`: the devicetree says it")
        if self.devicetree is None and self.boot_hart is not None:
            raise ValueError("must have `boot_hart` only with `devicetree`; HART 0 boots")
        return self


class Kernel(Table):
    """The kernel that runs on the machine."""

    variant: str = Field(
        default="v7.3", min_length=1, description="a base and patches, such as v6.12+percpu-v5"
    )
    preemption: Literal["none", "voluntary", "full", "rt"] = Field(
        default="none", description='"none", "voluntary", "full" or "rt"'
    )
    init_hart: HartNumber = 0
    halt_poll_max: Duration = 500_000
    enable_virt_at_load: bool = Field(default=True, description="true or false")

    @property
    def realtime(self) -> bool:
        """Whether it is a PREEMPT_RT kernel."""
        return self.preemption == "rt"


def _above_zero(value_ns: int) -> int:
    if value_ns == 0:
        raise ValueError("must be above 0ns")
    return value_ns


def _long_enough(value_ns: int) -> int:
    if value_ns < QUIET_MIN_NS:
        raise ValueError("must be 100us or more")
    return value_ns


class Run(Table):
    """The simulated time, the quiet time at its end, and the seed of all random streams."""

    until: Annotated[Duration, AfterValidator(_above_zero)] = 10_000_000
    quiet: Annotated[Duration, AfterValidator(_long_enough)] | None = None
    seed: int = Field(default=1, ge=0, le=SEED_MAX, description="a whole number, 0..2**63 - 1")

    @model_validator(mode="after")
    def _quiet_within(self) -> Run:
        if self.quiet is not None and self.quiet >= self.until:
            raise ValueError("must have `quiet` shorter than `until`")
        return self


class Vm(Table):
    """A VM whose vCPUs run, block and receive MSIs at random times, or many such VMs."""

    name: Name
    vcpus: int = Field(ge=1, le=VCPUS_MAX, description=f"1..{VCPUS_MAX}")
    mode: Mode = Field(default="auto", description='"emul", "auto" or "hwaccel"')
    fail_entry: Literal["retry", "move", "give_up"] = Field(
        default="retry", description='"retry", "move" or "give_up"'
    )
    fail_wait: Pause = Field(default=NO_PAUSE, description='a time such as "2us" or a distribution')
    harts: Harts | None = Field(
        default=None, min_length=1, description="a list of HARTs on which its vCPUs may run"
    )
    arrives: Duration = 0
    stagger: Duration = 0
    run: Interval
    msi: Interval | None = Field(default=None, description=EXAMPLE)
    replies: Interval | None = Field(default=None, description=EXAMPLE)
    identity: int | None = Field(default=None, ge=7, le=63, description=IDENTITY)
    ipi: Interval | None = Field(default=None, description=EXAMPLE)
    tick: Interval | None = Field(default=None, description=EXAMPLE)
    destroyed: Duration | None = None
    count: int | None = Field(default=None, ge=1, le=VMS_MAX, description=f"1..{VMS_MAX}")
    every: Interval | None = Field(default=None, description=EXAMPLE)
    lives: Interval | None = Field(default=None, description=EXAMPLE)
    returns: Interval | None = Field(default=None, description=EXAMPLE)

    @model_validator(mode="after")
    def _one_end(self) -> Vm:
        if self.destroyed is not None and (self.every or self.lives or self.returns):
            raise ValueError("must not have `destroyed` with `lives`, `every` or `returns`")
        if self.returns and self.every:
            raise ValueError("must not have `every` with `returns`: its VMs come back instead")
        if self.returns and not self.lives and self.fail_entry != "give_up":
            raise ValueError('must have `lives` or fail_entry = "give_up" for `returns`')
        if self.msi is None and self.replies is None:
            raise ValueError("must have `msi`, `replies` or both")
        for key, given in (
            ("fail_entry", self.fail_entry != "retry"),
            ("fail_wait", not never_takes_time(self.fail_wait)),
        ):
            if given and self.mode != "hwaccel":
                raise ValueError(f'must have mode = "hwaccel" for `{key}`: no other entry fails')
        return self


class Balance(Table):
    """The load balancer, which moves vCPU threads between HARTs."""

    every: Interval


class Hotplug(Table):
    """A HART that goes offline, comes online, or first the one and then the other.

    Without `offline` it is one of `machine.offline`.
    """

    hart: HartNumber
    offline: Duration | None = None
    online: Duration | None = None

    @model_validator(mode="after")
    def _something(self) -> Hotplug:
        if self.offline is None and self.online is None:
            raise ValueError("must have `offline`, `online` or both")
        return self


class RandomHotplug(Table):
    """HARTs that go offline and come online again at random times, one at a time."""

    every: Interval
    offline_for: Interval
    harts: Harts | None = Field(
        default=None, min_length=1, description="a list of HARTs that may go offline"
    )


class Device(Table):
    """A device of a VM that interrupts a HART now and then, each time with a burst of MSIs."""

    name: Name
    vm: Name
    every: Interval
    burst: int = Field(default=1, ge=1, le=BURST_MAX, description=f"1..{BURST_MAX}")
    hart: HartNumber | None = None


class LockLoad(Table):
    """A thread that takes the lock of a HART's HGEI lines now and then, and holds it for a time;
    or, with `harts`, one of some threads after the other, whether or not the lock is free."""

    name: Name
    hart: HartNumber | None = None
    harts: Harts | None = Field(
        default=None, min_length=1, description="a list of HARTs from which the lock is taken"
    )
    lines_of: HartNumber
    every: Interval
    holds: Interval

    @model_validator(mode="after")
    def _one_place(self) -> LockLoad:
        if (self.hart is None) == (self.harts is None):
            raise ValueError("must have either `hart` or `harts`")
        return self

    @property
    def places(self) -> tuple[int, ...]:
        """The HARTs on which its threads run."""
        return self.harts or () if self.hart is None else (self.hart,)


class Vcpu(Table):
    """A single vCPU that starts on a HART, owning a line there if one is free.

    vCPUs with the same `vm` belong to one VM; one without `vm` has a VM of its own.
    """

    name: Name
    hart: HartNumber
    vm: Name | None = None
    mode: Mode = Field(default="auto", description='"emul", "auto" or "hwaccel"')
    identity: int | None = Field(default=None, ge=7, le=63, description=IDENTITY)

    @property
    def vm_name(self) -> str:
        """The VM that it belongs to: one of its own name if it has none."""
        return self.vm or self.name


class Task(Table):
    """A thread with a fixed list of actions: a task on a HART, or a vCPU's own thread."""

    name: TaskName
    hart: HartNumber | None = None
    vcpu: Name | None = None
    does: Annotated[tuple[ActionText, ...], Field(strict=False)] = Field(
        min_length=1, description='a list of actions such as ["migrate 0", "run"]'
    )

    @model_validator(mode="after")
    def _verbs(self) -> Task:
        if (self.hart is None) == (self.vcpu is None):
            raise ValueError("must have either `hart` or `vcpu`")
        own = self.vcpu is not None
        kind, verbs = "vcpu" if own else "hart", verbs_of(own)
        strange = [str(action) for action in self.does if action.verb not in verbs]
        if strange:
            allowed = f"must use only {allowed_actions(verbs)} in a task with `{kind}`"
            raise ValueError(f"{allowed}; not {', '.join(strange)}")
        early = [str(action) for action in self.does[:-1] if VERBS[action.verb].last]
        if early:
            raise ValueError(f"must have {early[0]!r} as its last action")
        if self.is_idle and not all(VERBS[action.verb].idle for action in self.does):
            raise ValueError("must not do anything else where it powers its HART down")
        return self

    @property
    def is_idle(self) -> bool:
        """Whether it is the idle task of its HART."""
        return any(VERBS[action.verb].idle for action in self.does)


class Kind(NamedTuple):
    """The content of a key: a table or a list of tables (`many`).

    The file must have a `required` table; without an `optional` one the feature is off; any other
    table that is missing has its defaults.
    """

    model: type[Table]
    required: bool = False
    optional: bool = False
    many: bool = False


TABLES: dict[str, Kind] = {
    "machine": Kind(Machine, required=True),
    "kernel": Kind(Kernel),
    "run": Kind(Run),
    "vm": Kind(Vm, many=True),
    "balance": Kind(Balance, optional=True),
    "hotplug": Kind(Hotplug, many=True),
    "random_hotplug": Kind(RandomHotplug, optional=True),
    "device": Kind(Device, many=True),
    "lock_load": Kind(LockLoad, many=True),
    "timing": Kind(Timing),
    "vcpu": Kind(Vcpu, many=True),
    "task": Kind(Task, many=True),
}
"""The tables of a file, in the order in which they are printed; each is an attribute of `Scenario`
as well."""


class Scenario(Table):
    """A whole checked scenario: the tables of the file, with defaults filled in.

    `no_lines` is the reason why the scenario hands out no line, if that is intended.
    `survey`: lock orders are learned from it, unless other scenarios are named.
    `topology` is the resulting machine, `file` the name of the file in messages, and `digest`
    identifies everything that a result depends on (see `hgeisim.scenario.canonical`).
    """

    title: str = ""
    look_at: str = ""
    no_lines: str = ""
    survey: bool = False
    machine: Machine
    kernel: Kernel
    run: Run
    vm: tuple[Vm, ...]
    balance: Balance | None
    hotplug: tuple[Hotplug, ...]
    random_hotplug: RandomHotplug | None
    device: tuple[Device, ...]
    lock_load: tuple[LockLoad, ...]
    timing: Timing
    vcpu: tuple[Vcpu, ...]
    task: tuple[Task, ...]
    topology: Topology
    file: str
    digest: str
