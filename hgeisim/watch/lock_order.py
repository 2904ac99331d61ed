"""Lock order: shows the operations of a model's contexts to the validator.

    lock_order = LockOrder(k.realtime, chains)
    k.watch.add(lock_order)

A lock is shown when it has been taken, with the interrupt and preemption state from before.  A task
is one context of the validator wherever it runs; a hardirq is one for each HART and handler, apart
from the task that it interrupts.

An acquisition that was judged once is found again in the validator's own chains: an operation has a
step, which leads from the position of a context to its next position.  So a warm run does not enter
the validator; therefore `since` in a report names the place where a lock was first taken with those
locks held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from typing import Any

from hgeisim.checks.finding import Finding, entry_function
from hgeisim.checks.locking import LockHeld
from hgeisim.kernel.interrupts import DEVICE_HANDLERS
from hgeisim.lockorder.graph.lock_class import EXCLUSIVE, KINDS, How, Lock
from hgeisim.lockorder.graph.usage import IRQS_ON, PREEMPT_ON, TASK
from hgeisim.lockorder.rules.context import Chain, Context, Step
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.lockorder.rules.wait_context import Config
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import DownRead, DownWrite, MutexLock, MutexUnlock, UpRead, UpWrite
from hgeisim.machine.ops import AssertHeld, Irq, Op, Try
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.schedule import PushOff, RunOn, Schedule, StopMachine
from hgeisim.machine.spinlock import Acquire, InitLock, Release
from hgeisim.machine.srcu import SrcuReadLock, SrcuReadUnlock, SynchronizeSrcu
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, waits
from hgeisim.watch.call_chain import CallChains
from hgeisim.watch.lock_report import finding_of, redundant
from hgeisim.watch.lock_track import READING, Track, lock_in, lock_type

SPINNING = (Acquire, ReadLock, WriteLock)
"""Acquisitions that turn interrupts or preemption off, unless the lock sleeps."""
UNKNOWN = Step(Lock("", KINDS["lockdep_map"]), EXCLUSIVE, 0)
"""Not the step of any operation."""
STATES = tuple(TASK & ~(IRQS_ON * (s & 1)) & ~(PREEMPT_ON * (s >> 1)) for s in range(4))
"""The bits of graph/usage.py for the states of a task: 1 interrupts off, 2 preemption off."""
_SLEEP, _IPI = 4, 8
"""Waits for something other than a lock, as bits beside those of the state."""


class LockOrder:
    """The validator, with the position of each context of a model.

    `chains` has the call chains of contexts.  `report` is called once with each new finding; it may
    be replaced, and appends to `found` until then.  Several models may share a `validator`: their
    contexts are distinguished by a `prefix`, and its earlier reports are not reported again.
    """

    def __init__(
        self,
        realtime: bool,
        chains: CallChains,
        validator: Validator | None = None,
        prefix: str = "",
    ) -> None:
        self.realtime, self.prefix = realtime, prefix
        self.validator = validator or Validator(Config(preempt_rt=realtime))
        self.chains = chains
        self.found: list[Finding] = []
        self.report: Callable[[Finding], None] = self.found.append
        self.locks: dict[object, Lock] = {}
        self._tasks: dict[Runner, Track] = {}
        self._handlers: dict[tuple[Runner, str], Track] = {}
        self._names: dict[str, int] = {}
        self._start: dict[Track, Chain] = {}
        self._steps: defaultdict[int, dict[int, Step]] = defaultdict(dict)
        self._judged: dict[Chain, int] = {}
        self._reported = len(self.validator.reports)

    def mark_start(self) -> None:
        """Remember the locks that each context holds now, so that `rewind` returns there."""
        self._start = {track: track.position for track in self._tracks()}

    def rewind(self) -> None:
        """Let each context hold the locks that it held at the start; what was learned stays."""
        for track in self._tracks():
            track.position = self._start.get(track, track.context.root)

    def copy(self) -> LockOrder:
        """A copy that has learned as much, of the same contexts and locks."""
        same = [*self._tasks, *(who for who, _ in self._handlers), *self.locks, *KINDS.values()]
        made = deepcopy(self, {id(each): each for each in (self.chains, *same)})
        made.report = made.found.append
        return made

    def _tracks(self) -> list[Track]:
        return [*self._tasks.values(), *self._handlers.values()]

    # Frequent operations.  An operation lives as long as its lock, so its id is a key, whose lowest
    # bits are free for the state (1: interrupts off, 2: preemption off).

    @done(*SPINNING)
    def spun(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A spinning lock was taken, which itself keeps interrupts or preemption off."""
        state = 0
        if who.id:
            track = self._tasks.get(who) or self._new_task(who)
            hart = who.harts[who.cpu]
            if hart.irq_off:
                state = 1
            # The lock itself counts once, unless it keeps interrupts off instead, or sleeps.
            if hart.preempt_count > (0 if op.irqsave or op.lock.sleeping else 1):
                state |= 2
        else:
            track = self._handler(who)
            if track.in_thread:
                state = int(op.irqsave and not op.lock.sleeping) or track.masked()
        position = track.position.after.get(track.steps.get(id(op) | state, UNKNOWN))
        if position is None:
            self._take(who, track, op, state)
        else:
            track.position = position

    @done(Try)
    def tried(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A trylock may have taken its lock; it does not wait, so no dependency ends here."""
        if who.got:
            take = self.spun if type(op.of) in SPINNING else self.got
            take(who, op, waited_ns)

    @done(AssertHeld)
    def asserted(self, who: Runner, op: Any, waited_ns: int) -> None:
        """lockdep_assert_held."""
        context = self._locate(who)
        if context.holding(self.lock_of(op.lock)) is None:
            self.report(LockHeld.finding(who.name, op.lock))

    @done(MutexLock, DownRead, DownWrite, SrcuReadLock)
    def got(self, who: Runner, op: Op, waited_ns: int) -> None:
        """A lock was taken that affects neither interrupts nor preemption."""
        track, state = self._track(who), self._state(who)
        position = track.position.after.get(track.steps.get(id(op) | state, UNKNOWN))
        if position is None:
            self._take(who, track, op, state)
        else:
            track.position = position

    @done(Release, WriteUnlock, ReadUnlock)
    def released(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A lock was dropped that kept interrupts or preemption off."""
        track = (self._tasks.get(who) if who.id else None) or self._track(who)
        top = track.position
        # Mostly the lock taken last is dropped first: the validator need not be asked for that.
        if top.lock is self.locks.get(op.lock) and top.reader is (type(op) is ReadUnlock):
            track.position = top.below
        else:
            self._drop(who, track, op)
        if op.irqrestore and who.id and self._enables(who, track.position):
            self._enabled(who, track)

    @done(MutexUnlock, UpWrite, UpRead, SrcuReadUnlock)
    def given_back(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A lock was dropped that kept neither off."""
        track = self._track(who)
        top = track.position
        if top.lock is self.locks.get(lock_in(op)) and top.reader is (type(op) in READING):
            track.position = top.below
        else:
            self._drop(who, track, op)

    @done(Irq)
    def irqs_changed(self, who: Runner, op: Any, waited_ns: int) -> None:
        """local_irq_enable or local_irq_disable."""
        if not op.off and who.id and self._enables(who, self._track(who).position):
            self._enabled(who, self._track(who))

    def _enables(self, who: Runner, position: Chain) -> bool:
        """Whether a task has interrupts on and holds locks, in a state not judged with these
        yet."""
        hart = who.harts[who.cpu]
        if hart.irq_off or position.is_empty:
            return False
        return not self._judged.get(position, 0) & (4 if hart.preempt_count else 1)

    def _enabled(self, who: Runner, track: Track) -> None:
        """Have the locks judged that a task holds with interrupts on: a hardirq may come."""
        context = self._locate(who)
        context.mask(IRQS_ON, on=False)
        self.validator.irq_enable(context)
        self._is_new(who, self._state(who))
        self._report_new()

    # Less frequent operations

    @done(SynchronizeSrcu)
    def synchronized(self, who: Runner, op: Any, waited_ns: int, state: int | None = None) -> None:
        """synchronize_srcu."""
        context = self._locate(who, state)
        self.validator.synchronize(context, self.lock_of(op.srcu))
        self._report_new()

    @done(InitLock)
    def initialised(self, who: Runner, op: Any, waited_ns: int) -> None:
        """raw_spin_lock_init."""
        for track in self._tracks():
            self.validator.resume(track.context, track.position)
        context = self._locate(who)
        self.validator.init(context, self.lock_of(op.lock))
        self._report_new()

    @done(Ipi)
    def ipi_answered(self, who: Runner, op: Any, waited_ns: int, state: int | None = None) -> None:
        """A context waited for an IPI, not for a device's interrupt that a script raises."""
        if op.handler.__name__ in DEVICE_HANDLERS:
            return
        state = self._state(who) if state is None else state
        # A wait with interrupts off is an error that is reported for each place, known or not.
        deaf = state & 1 or not (who.id or self._handler(who).in_thread)
        if self._is_new(who, _IPI | state) or deaf:
            self.validator.wait_for_ipi(self._locate(who, state))
            self._report_new()

    @done(StopMachine)
    def stopped(self, who: Runner, op: Op, waited_ns: int, state: int | None = None) -> None:
        """A context waited for stop_machine."""
        self.validator.wait(self._locate(who, state), "stop_machine")
        self._report_new()

    @done(Schedule, PushOff, RunOn)
    def slept(self, who: Runner, op: Op, waited_ns: int) -> None:
        """A task gave up its HART voluntarily."""
        if not self._is_new(who, _SLEEP | self._state(who)):
            return
        context = self._locate(who)
        # In preempt_schedule() a task does not sleep: it did not ask for that.
        if type(op) is not Schedule or "schedule" in context.stack:
            self.validator.might_sleep(context)
            self._report_new()
        else:
            self._judged[self._track(who).position] ^= 1 << (_SLEEP | self._state(who))

    @waits
    def waiting(self, who: Runner, op: Any, irq_off: int, preempt_count: int) -> None:
        """Judge an operation that is not over as if it had ended.

        The state is that of its HART when the wait began: since then the task may have been
        switched out, or a hardirq may run on top of it.
        """
        own = type(op) in SPINNING and not (op.irqsave or op.lock.sleeping)
        state = (1 if irq_off else 0) | (2 if preempt_count > own else 0)
        state = state if who.id else self._state(who)
        if isinstance(op, Ipi):
            self.ipi_answered(who, op, 0, state)
        elif isinstance(op, StopMachine):
            self.stopped(who, op, 0, state)
        elif isinstance(op, SynchronizeSrcu):
            self.synchronized(who, op, 0, state)
        elif type(op) in (*SPINNING, MutexLock, DownRead, DownWrite):
            context = self._locate(who, state)
            self.validator.might_lock(context, self.lock_of(op.lock), self._how(context, op))
            self._report_new()

    # Contexts, their positions and states

    def lock_of(self, lock: Any) -> Lock:
        """The validator's lock for a lock of the machine."""
        known = self.locks.get(lock)
        if known is None:
            kind = KINDS[lock_type(lock)]
            known = self.locks[lock] = Lock(lock.name, kind, lock.lock_class)
        return known

    def _is_new(self, who: Runner, wait: int) -> bool:
        """Whether a wait in its state is new with these locks held; marks it as judged."""
        position = self._track(who).position
        judged = self._judged.get(position, 0)
        self._judged[position] = judged | 1 << wait
        return not judged >> wait & 1

    def _take(self, who: Runner, track: Track, op: Any, state: int) -> None:
        """Have an acquisition judged, and remember the step that it is."""
        context = self._locate(who, state)
        self.validator.acquire(context, self.lock_of(lock_in(op)), self._how(context, op))
        track.position = context.chain
        track.steps[id(op) | state] = context.chain.step
        self._report_new()

    def _how(self, context: Context, op: Any) -> How:
        tries = type(op) is Try
        taken = op.of if tries else op
        if type(taken) in READING:
            flavour = self.validator.reader(context, self.lock_of(lock_in(op)))
            return How(flavour, trylock=tries)
        if not tries:
            return EXCLUSIVE
        return How(trylock=True, nest=self.lock_of(op.nest) if op.nest else None)

    def _drop(self, who: Runner, track: Track, op: Op) -> None:
        """Drop a lock that is not the one taken last: those taken after it stay."""
        context = self._locate(who)
        lock = lock_in(op)
        self.validator.release(context, self.lock_of(lock), reader=type(op) in READING)
        track.position = context.chain
        self._report_new()

    def _locate(self, who: Runner, state: int | None = None) -> Context:
        """The validator's context, brought up to date: its position, its state, by default the
        current one, and its call chain.  A handler keeps its own state."""
        track = self._track(who)
        context = track.context
        self.validator.resume(context, track.position)
        if who.id or track.in_thread:
            context.state = STATES[self._state(who) if state is None else state]
        context.stack = self.chains.functions(who)
        context.place = entry_function(context.stack)
        return context

    def _state(self, who: Runner) -> int:
        """The state of a context that completes an operation: for a task that of its HART, which
        the task then has to itself; for a handler in a thread that of the locks it holds."""
        if not who.id:
            track = self._handler(who)
            return track.masked() if track.in_thread else 0
        hart = who.harts[who.cpu]
        return (1 if hart.irq_off else 0) | (2 if hart.preempt_count else 0)

    def _track(self, who: Runner) -> Track:
        if not who.id:
            return self._handler(who)
        return self._tasks.get(who) or self._new_task(who)

    def _handler(self, who: Runner) -> Track:
        entry = self.chains.entry(who)
        return self._handlers.get((who, entry)) or self._new_handler(who, entry)

    def _new_handler(self, who: Runner, entry: str) -> Track:
        context = self.validator.context(f"{self.prefix}{who.name} {entry}")
        in_thread = self.realtime and entry in DEVICE_HANDLERS
        if not in_thread:
            context.mask(IRQS_ON, on=False)
            self.validator.enter_hardirq(context, threaded=entry in DEVICE_HANDLERS)
        track = Track(context, self._steps[context.state], in_thread)
        self._handlers[who, entry] = track
        return track

    def _new_task(self, who: Runner) -> Track:
        """Make the context of a task; two tasks with the same name get different names."""
        number = self._names[who.name] = self._names.get(who.name, 0) + 1
        name = f"{self.prefix}{who.name}" + (f"#{number}" if number > 1 else "")
        context = self.validator.context(name)
        track = self._tasks[who] = Track(context, self._steps[context.state])
        return track

    def _report_new(self) -> None:
        reports = self.validator.reports
        if len(reports) > self._reported:
            new = list(islice(reports, self._reported, None))
            self._reported = len(reports)
            for report in new:
                self.report(finding_of(report))

    def redundant(self) -> list[str]:
        """The ids of cycles that say less than another one, see `Cycle`."""
        return redundant(self.validator.reports)
