"""The catalogue: every check once, with the kinds it reports, how bad they are, and its moments.

A driver says which moments it offers (`Offer`); a check is asked at each of its moments that is
offered, and `not_checked` names the kinds of checks that are asked at none.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any, NamedTuple

from hgeisim.checks.conservation import (
    NothingStranded,
    NothingStray,
    ResetEmpties,
    SentKept,
    SetUpKept,
    StoreInjected,
)
from hgeisim.checks.delivery import (
    ArmedForAReason,
    FenceExecuted,
    LevelFollows,
    NobodyForgotten,
    PageMapped,
    RegistersFollow,
    SgeiEnds,
    SgeiRequested,
    SleeperHears,
)
from hgeisim.checks.guest import (
    EntryGranted,
    GuestFile,
    GuestLine,
    GuestReachable,
    HostAlive,
    LineGranted,
    ModeGranted,
    ModeUsable,
    OwnVsFile,
)
from hgeisim.checks.lifetime import (
    RunGone,
    SgeiGone,
    UseAfterFree,
    VcpuGone,
    VirtualizationGone,
    VmGone,
)
from hgeisim.checks.locking import (
    IpiWaits,
    LockHeld,
    LockInitHeld,
    NoWarning,
    OneInside,
    SleepingLock,
    UnderItsLock,
)
from hgeisim.checks.own import OwnInvariant
from hgeisim.checks.ownership import (
    BitmapAgrees,
    GivenBackOnce,
    LineExists,
    LinesCounted,
    NoLeak,
    NoneOffline,
    OneOwner,
    OnlyItsOwn,
    VsFileOwned,
)


class At(Enum):
    """A moment at which a check can be asked."""

    OPERATION = "after an operation, before its path goes on"
    ACCESS = "after a step, with the cells that it touched"
    CALL = "when a function of the kernel begins"
    RETURN = "when a function of the kernel returns"
    STATE = "in every state"
    AT_REST = "when the lock of a HART's lines is dropped"
    ONLINE = "when a HART was enabled"
    OFFLINE = "when a HART has gone offline"
    SWITCHED = "when a task has turned virtualization on or off on its HART"
    MOVED = "when the interrupt file of a vCPU is no longer being moved"
    CALM = "when no interrupt file is being moved, for the HARTs that some have left or come to"
    REFUSED = "when a vCPU has got no line on a HART that had a free one all the time"
    ENTERED = "when a guest has been entered"
    STILL = "when a guest has been entered and no one else is changing its interrupt file"
    SWEEP = "when the host has accessed a VS-file"
    CREATED = "when a VM was created"
    TWICE = "at two times, long apart"
    END = "when a run is cut, wherever its contexts are"
    QUIET = "when nothing can happen any more"


class Severity(IntEnum):
    """How bad a finding is, the worst first: reports are in this order."""

    ISOLATION = 0
    """A guest, the host, or freed memory is touched by somebody else."""
    OWNERSHIP = 1
    """A line has no owner, two, or the wrong one."""
    INTERRUPT = 2
    """An interrupt is lost, or nothing handles it."""
    DEADLOCK = 3
    """The kernel hangs, or a lock no longer keeps others out."""
    LOCK_ORDER = 4
    """Two paths lock in a way that may hang."""
    DATA_RACE = 5
    """Two contexts access a variable simultaneously, but no law was seen to break by it."""
    POLICY = 6
    """It works, but not as requested."""
    NOTE = 7
    """Nothing is wrong, but a reader should know."""


class Row(NamedTuple):
    """A check, the kinds of its findings, how bad they are, and its moments."""

    check: Any
    kinds: tuple[str, ...]
    severity: Severity
    moments: tuple[At, ...]


ISOLATION, OWNERSHIP, INTERRUPT, DEADLOCK, LOCK_ORDER, DATA_RACE, POLICY, NOTE = Severity
CATALOGUE = (
    Row(HostAlive(), ("illegal-instruction",), ISOLATION, (At.STATE, At.SWEEP)),
    Row(UseAfterFree(), ("use-after-free",), ISOLATION, (At.ACCESS,)),
    Row(
        GuestLine(),
        ("guest-line", "no-such-line", "no-such-file"),
        ISOLATION,
        (At.STATE, At.ENTERED),
    ),
    Row(GuestFile(), ("guest-file",), INTERRUPT, (At.STATE, At.ENTERED)),
    Row(OwnVsFile(), ("foreign-vsfile",), ISOLATION, (At.STATE,)),
    Row(OnlyItsOwn(), ("foreign-release",), OWNERSHIP, (At.ACCESS, At.MOVED)),
    Row(GivenBackOnce(), ("double-free",), OWNERSHIP, (At.CALL,)),
    Row(NoneOffline(), ("now-on-offline",), OWNERSHIP, (At.STATE, At.OFFLINE, At.END)),
    Row(OneOwner(), ("double-owner",), OWNERSHIP, (At.STATE,)),
    Row(VsFileOwned(), ("not-owner",), OWNERSHIP, (At.STATE,)),
    Row(
        BitmapAgrees(),
        ("bitmap-owner", "dead-owner"),
        OWNERSHIP,
        (At.STATE, At.AT_REST, At.ONLINE, At.END),
    ),
    Row(LineExists(), ("no-such-line", "no-such-file"), ISOLATION, (At.STATE, At.END)),
    Row(NoLeak(), ("leak",), OWNERSHIP, (At.QUIET,)),
    Row(VcpuGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(RunGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(VmGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(SgeiGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(VirtualizationGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(SetUpKept(), ("set-up-lost",), INTERRUPT, (At.MOVED, At.QUIET)),
    Row(SentKept(), ("sent-lost",), INTERRUPT, (At.MOVED, At.QUIET)),
    Row(StoreInjected(), ("sent-lost",), INTERRUPT, (At.RETURN,)),
    Row(NothingStray(), ("stray",), INTERRUPT, (At.END, At.QUIET)),
    Row(ResetEmpties(), ("reset-kept",), INTERRUPT, (At.RETURN,)),
    Row(GuestReachable(), ("unreachable",), INTERRUPT, (At.OPERATION,)),
    Row(EntryGranted(), ("entry-refused",), INTERRUPT, (At.RETURN,)),
    Row(PageMapped(), ("stale-pte",), INTERRUPT, (At.MOVED, At.QUIET)),
    Row(FenceExecuted(), ("fence-lost",), INTERRUPT, (At.QUIET,)),
    Row(LevelFollows(), ("level",), INTERRUPT, (At.STILL, At.QUIET)),
    Row(RegistersFollow(), ("register",), INTERRUPT, (At.SWITCHED, At.QUIET)),
    Row(ArmedForAReason(), ("armed",), INTERRUPT, (At.CALM, At.QUIET)),
    Row(SleeperHears(), ("deaf",), INTERRUPT, (At.TWICE, At.QUIET)),
    Row(NobodyForgotten(), ("lost-wakeup",), INTERRUPT, (At.TWICE,)),
    Row(NothingStranded(), ("lost-interrupt",), INTERRUPT, (At.QUIET,)),
    Row(SgeiEnds(), ("storm",), INTERRUPT, (At.RETURN,)),
    Row(SgeiRequested(), ("irq-freed-enabled",), INTERRUPT, (At.STATE, At.END)),
    Row(LockInitHeld(), ("lock-init-held",), DEADLOCK, (At.OPERATION,)),
    Row(OneInside(), ("broken-lock",), DEADLOCK, (At.STATE,)),
    Row(UnderItsLock(), ("unlocked",), DEADLOCK, (At.ACCESS,)),
    Row(IpiWaits(), ("ipi-wait-atomic",), DEADLOCK, (At.OPERATION,)),
    Row(LockHeld(), ("lock-not-held",), DEADLOCK, (At.OPERATION,)),
    Row(NoWarning(), ("warn-on",), OWNERSHIP, (At.OPERATION,)),
    Row(SleepingLock(), ("sleep-in-atomic",), DEADLOCK, (At.OPERATION,)),
    Row(OwnInvariant(), ("check",), OWNERSHIP, (At.STATE, At.AT_REST, At.ONLINE, At.END)),
    Row(ModeGranted(), ("mode-refused",), POLICY, (At.CREATED,)),
    Row(ModeUsable(), ("mode-unusable",), POLICY, (At.CREATED,)),
    Row(LinesCounted(), ("line-refused",), POLICY, (At.ONLINE, At.END)),
    Row(LineGranted(), ("line-refused",), POLICY, (At.REFUSED,)),
)
OF_OWN_PATCHES = ("endless", "unbalanced", "scheduling-while-atomic", "exception")
"""Faults of a user's patch while it runs."""
SAID_BY_OWN_PATCHES = ("lock-not-held", "warn-on", "check")
"""Laws that a user's patch states itself; shipped kernels state none."""
OTHERS = {
    "deadlock": DEADLOCK,
    "livelock": DEADLOCK,
    "stale-armed": INTERRUPT,
    "stale-translation": INTERRUPT,
    **dict.fromkeys(OF_OWN_PATCHES, DEADLOCK),
    "unserved": INTERRUPT,
    "data-race": DATA_RACE,
    "waits-for-guest": NOTE,
    "starves": NOTE,
}
"""Kinds that a driver reports, and no check; all others come from lock order."""


class Offer(NamedTuple):
    """The offer of a driver: moments at which checks are asked, kinds that it reports itself, and
    kinds that never show there, since it does nothing that causes them."""

    moments: tuple[At, ...]
    kinds: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


def asked(moment: At) -> tuple[Any, ...]:
    """The checks that are asked at a moment."""
    return tuple(row.check for row in CATALOGUE if moment in row.moments)


def called() -> frozenset[str]:
    """The functions whose calls or returns a check looks at."""
    moments = {At.CALL, At.RETURN}
    return frozenset(row.check.about for row in CATALOGUE if moments & set(row.moments))


def not_checked(offer: Offer) -> list[str]:
    """The kinds of findings that a driver cannot report, the worst first."""
    rows = [row for row in CATALOGUE if not set(row.moments).isdisjoint(offer.moments)]
    known = {kind for row in rows for kind in row.kinds}.union(offer.kinds) - set(offer.never)
    kinds = [*(kind for row in CATALOGUE for kind in row.kinds), *OTHERS]
    known |= {*OF_OWN_PATCHES, *SAID_BY_OWN_PATCHES}
    missing = (kind for kind in dict.fromkeys(kinds) if kind not in known and not is_note(kind))
    return sorted(missing, key=severity_of)


def severity_of(finding_id: str) -> Severity:
    """How bad a finding is, by its id."""
    kind = finding_id.partition(":")[0]
    rows = (row.severity for row in CATALOGUE if kind in row.kinds)
    return next(rows, OTHERS.get(kind, LOCK_ORDER))


def is_note(finding_id: str) -> bool:
    """Whether a finding is not a fault, only something to know."""
    return severity_of(finding_id) is NOTE


def is_data_race(finding_id: str) -> bool:
    """Whether a finding is a data race."""
    return severity_of(finding_id) is DATA_RACE


def is_lock_order(finding_id: str) -> bool:
    """Whether a finding comes from the lock-order validator."""
    return severity_of(finding_id) is LOCK_ORDER
