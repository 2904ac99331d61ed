"""The catalogue: every check once, with the kinds it reports, how bad they are, and its moments.

A driver says which moments it offers (`Offer`); a check is asked at each of its moments that is
offered, and `not_checked` names the kinds of checks that are asked at none.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any, NamedTuple

from hgeisim.checks import conservation, delivery, guest, lifetime, locking, own, ownership


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
    Row(guest.HostAlive(), ("illegal-instruction",), ISOLATION, (At.STATE, At.SWEEP)),
    Row(lifetime.UseAfterFree(), ("use-after-free",), ISOLATION, (At.ACCESS,)),
    Row(
        guest.GuestLine(),
        ("guest-line", "no-such-line", "no-such-file"),
        ISOLATION,
        (At.STATE, At.ENTERED),
    ),
    Row(guest.GuestFile(), ("guest-file",), INTERRUPT, (At.STATE, At.ENTERED)),
    Row(guest.OwnVsFile(), ("foreign-vsfile",), ISOLATION, (At.STATE,)),
    Row(ownership.OnlyItsOwn(), ("foreign-release",), OWNERSHIP, (At.ACCESS, At.MOVED)),
    Row(ownership.GivenBackOnce(), ("double-free",), OWNERSHIP, (At.CALL,)),
    Row(ownership.NoneOffline(), ("now-on-offline",), OWNERSHIP, (At.STATE, At.OFFLINE, At.END)),
    Row(ownership.OneOwner(), ("double-owner",), OWNERSHIP, (At.STATE,)),
    Row(ownership.VsFileOwned(), ("not-owner",), OWNERSHIP, (At.STATE,)),
    Row(
        ownership.BitmapAgrees(),
        ("bitmap-owner", "dead-owner"),
        OWNERSHIP,
        (At.STATE, At.AT_REST, At.ONLINE, At.END),
    ),
    Row(ownership.LineExists(), ("no-such-line", "no-such-file"), ISOLATION, (At.STATE, At.END)),
    Row(ownership.NoLeak(), ("leak",), OWNERSHIP, (At.QUIET,)),
    Row(lifetime.VcpuGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(lifetime.RunGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(lifetime.VmGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(lifetime.TableGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(lifetime.SgeiGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(lifetime.VirtualizationGone(), ("left-behind",), OWNERSHIP, (At.RETURN,)),
    Row(conservation.SetUpKept(), ("set-up-lost",), INTERRUPT, (At.MOVED, At.QUIET)),
    Row(conservation.SentKept(), ("sent-lost",), INTERRUPT, (At.MOVED, At.QUIET)),
    Row(conservation.AttributeRead(), ("misread",), INTERRUPT, (At.RETURN,)),
    Row(conservation.TrapRead(), ("misread",), INTERRUPT, (At.RETURN,)),
    Row(conservation.StoreInjected(), ("sent-lost",), INTERRUPT, (At.RETURN,)),
    Row(conservation.NothingStray(), ("stray",), INTERRUPT, (At.END, At.QUIET)),
    Row(conservation.ResetEmpties(), ("reset-kept",), INTERRUPT, (At.RETURN,)),
    Row(conservation.ResetHvip(), ("reset-kept",), INTERRUPT, (At.RETURN,)),
    Row(guest.GuestReachable(), ("unreachable",), INTERRUPT, (At.OPERATION,)),
    Row(guest.OwnRegisters(), ("foreign-registers",), INTERRUPT, (At.OPERATION,)),
    Row(guest.RedirectedHere(), ("foreign-registers",), INTERRUPT, (At.RETURN,)),
    Row(guest.OwnVmid(), ("foreign-vmid",), ISOLATION, (At.OPERATION,)),
    Row(guest.EntryGranted(), ("entry-refused",), INTERRUPT, (At.RETURN,)),
    Row(delivery.PageMapped(), ("stale-pte",), INTERRUPT, (At.MOVED, At.QUIET)),
    Row(delivery.FenceExecuted(), ("fence-lost",), INTERRUPT, (At.QUIET,)),
    Row(delivery.FileUnreachable(), ("stale-translation",), INTERRUPT, (At.RETURN,)),
    Row(delivery.LevelFollows(), ("level",), INTERRUPT, (At.STILL, At.QUIET)),
    Row(delivery.SoftwareFollows(), ("level",), INTERRUPT, (At.QUIET,)),
    Row(delivery.RegistersFollow(), ("register",), INTERRUPT, (At.SWITCHED, At.QUIET)),
    Row(delivery.ArmedForAReason(), ("armed",), INTERRUPT, (At.CALM, At.QUIET)),
    Row(delivery.SleeperHears(), ("deaf",), INTERRUPT, (At.TWICE, At.QUIET)),
    Row(delivery.NobodyForgotten(), ("lost-wakeup",), INTERRUPT, (At.TWICE,)),
    Row(conservation.NothingStranded(), ("lost-interrupt",), INTERRUPT, (At.QUIET,)),
    Row(delivery.SgeiEnds(), ("storm",), INTERRUPT, (At.RETURN,)),
    Row(delivery.SgeiRequested(), ("irq-freed-enabled",), INTERRUPT, (At.STATE, At.END)),
    Row(locking.LockInitHeld(), ("lock-init-held",), DEADLOCK, (At.OPERATION,)),
    Row(locking.OneInside(), ("broken-lock",), DEADLOCK, (At.STATE,)),
    Row(locking.UnderItsLock(), ("unlocked",), DEADLOCK, (At.ACCESS,)),
    Row(locking.IpiWaits(), ("ipi-wait-atomic",), DEADLOCK, (At.OPERATION,)),
    Row(locking.LockHeld(), ("lock-not-held",), DEADLOCK, (At.OPERATION,)),
    Row(locking.NoWarning(), ("warn-on",), OWNERSHIP, (At.OPERATION,)),
    Row(locking.SleepingLock(), ("sleep-in-atomic",), DEADLOCK, (At.OPERATION,)),
    Row(own.OwnInvariant(), ("check",), OWNERSHIP, (At.STATE, At.AT_REST, At.ONLINE, At.END)),
    Row(guest.ModeGranted(), ("mode-refused",), POLICY, (At.CREATED, At.QUIET)),
    Row(guest.ModeUsable(), ("mode-unusable",), POLICY, (At.CREATED, At.QUIET)),
    Row(ownership.LinesCounted(), ("line-refused",), POLICY, (At.ONLINE, At.END)),
    Row(guest.LineGranted(), ("line-refused",), POLICY, (At.REFUSED,)),
)
OF_OWN_PATCHES = ("endless", "unbalanced", "scheduling-while-atomic", "exception")
"""Faults of a user's patch while it runs."""
SAID_BY_OWN_PATCHES = ("lock-not-held", "warn-on", "check")
"""Laws that a user's patch states itself; shipped kernels state none."""
OF_OBJECTS = ("kernel-fault",)
"""Faults of a user's objects while they run."""
OTHERS = {
    **dict.fromkeys(OF_OBJECTS, ISOLATION),
    "deadlock": DEADLOCK,
    "livelock": DEADLOCK,
    "stale-armed": INTERRUPT,
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
    known |= {*OF_OWN_PATCHES, *SAID_BY_OWN_PATCHES, *OF_OBJECTS}
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
