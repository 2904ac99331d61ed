"""The lock-order validator: operations go in, reports come out, and nothing else happens.

    validator = Validator()
    task = validator.context("vcpu 0")
    lock = Lock("kvm0.lock", KINDS["mutex"], key="kvm->lock")
    validator.acquire(task, lock)
    validator.release(task, lock)
    for report in validator.reports: ...

It neither blocks nor refuses, and it never switches itself off.  The caller keeps `task.stack`, the
current call chain, up to date.
"""

from __future__ import annotations

from hgeisim.lockorder.graph.lock_class import EXCLUSIVE, KINDS, Flavour, How, Lock
from hgeisim.lockorder.graph.usage import HARDIRQ, IRQS_ON, SOFTIRQ
from hgeisim.lockorder.report.violation import Reports
from hgeisim.lockorder.rules import lifetime, pseudo_locks, usage_marks
from hgeisim.lockorder.rules.context import Chain, Context, Held, Waits
from hgeisim.lockorder.rules.pseudo_locks import GFP, Reclaim
from hgeisim.lockorder.rules.viewpoint import Knowledge, Sizes, View, sizes_of
from hgeisim.lockorder.rules.wait_context import Config

_READ = How(Flavour.RECURSIVE)
_RCU = ("rcu", "rcu_bh", "rcu_sched")


class Validator:
    """Lock rules over any number of contexts; what one context shows counts for all."""

    def __init__(self, config: Config | None = None) -> None:
        self.known = Knowledge(config or Config())
        self._contexts: dict[str, Context] = {}
        self._events: dict[str, Lock] = {}
        self._reclaim = Reclaim()
        self._rcu = {name: Lock(f"{name}_read_lock", KINDS[name]) for name in _RCU}

    @property
    def reports(self) -> Reports:
        """The reports so far, each id once."""
        return self.known.reports

    @property
    def sizes(self) -> Sizes:
        """The amount that was learned, in the terms of /proc/lockdep_stats."""
        return sizes_of(self.known, self._contexts.values())

    def context(self, name: str) -> Context:
        """The context of a name, made when first asked for: a task with interrupts and BH on."""
        return self._contexts.setdefault(name, Context(name))

    def begin(self, context: Context) -> None:
        """Begin a new piece of work: events that it completes owe nothing to earlier waits."""
        context.waits = Waits()

    # Locks

    def acquire(self, context: Context, lock: Lock, how: How = EXCLUSIVE) -> None:
        """Take a lock; a trylock is reported here only when it succeeds."""
        step = self.known.steps.of(lock, how, context.state)
        chain = context.chain.after.get(step)
        if chain is None:
            # Never judged, or to be judged again at each place.
            lifetime.push(self._view(context), step)
            return
        # Judged before, with the same locks in the same state: only the notes of `push` remain.
        if chain.witness is not None:
            context.waits.add(chain)
        context.held.append(Held(chain, context.stack))

    def acquire_read(self, context: Context, lock: Lock, how: How = EXCLUSIVE) -> None:
        """Take a lock as a reader, in the flavour that its type and the context make of it."""
        self.acquire(context, lock, how._replace(flavour=self.reader(context, lock)))

    def reader(self, context: Context, lock: Lock) -> Flavour:
        """The flavour of a reader here: in interrupts and on PREEMPT_RT, readers of a rwlock_t
        overtake waiting writers."""
        flavour = lock.kind.readers
        if flavour is None:
            raise ValueError(f"{lock.name}: a {lock.kind.name} has no readers")
        fair = self.known.config.fair_rwlocks and not context.in_interrupt
        return flavour if lock.kind.name != "rwlock" or fair else Flavour.RECURSIVE

    def release(self, context: Context, lock: Lock, *, reader: bool = False) -> None:
        """Give a lock back as a writer or as a reader, in any order."""
        top = context.held[-1] if context.held else None
        fits = top and top.lock is lock and (top.flavour != Flavour.EXCLUSIVE) == reader
        if top and fits and not top.pins:
            # The newest lock, as it was taken: what is below was judged on the way up.
            context.held.pop()
        else:
            lifetime.release(self._view(context), lock, reader)

    def resume(self, context: Context, position: Chain) -> None:
        """Go back to a position: the context holds what it held when that was `context.chain`."""
        context.held[:] = [Held(chain, chain.stack) for chain in position.path()]

    def downgrade(self, context: Context, lock: Lock) -> None:
        """downgrade_write()."""
        lifetime.downgrade(self._view(context), lock)

    def set_subclass(self, context: Context, lock: Lock, subclass: int) -> None:
        """lock_set_subclass() on a held lock."""
        lifetime.reclass(self._view(context), lock, subclass)

    def might_lock(self, context: Context, lock: Lock, how: How = EXCLUSIVE) -> None:
        """Judge the context as if it took the lock and gave it back."""
        lifetime.touch(self._view(context), lock, how)

    def might_lock_read(self, context: Context, lock: Lock) -> None:
        """The same for a reader that waits behind writers."""
        self.might_lock(context, lock, How(Flavour.SHARED))

    def synchronize(self, context: Context, lock: Lock) -> None:
        """Wait until no reader is left (synchronize_srcu)."""
        pseudo_locks.wait(self._view(context), lock)

    # Life of a lock, and what code asserts about it

    def init(self, context: Context, lock: Lock) -> None:
        """Initialise a lock, which nobody may hold."""
        lifetime.must_be_free(self._view(context), "held-init", lock, self._contexts.values())

    def free(self, context: Context, lock: Lock) -> None:
        """Free the memory of a lock, which nobody may hold."""
        lifetime.must_be_free(self._view(context), "held-free", lock, self._contexts.values())

    def exit_task(self, context: Context) -> None:
        """Let the task exit."""
        lifetime.must_hold_nothing(self._view(context), "task exit")

    def return_to_user(self, context: Context) -> None:
        """Let the task go back to user space."""
        lifetime.must_hold_nothing(self._view(context), "return to user space")

    def assert_held(self, context: Context, lock: Lock) -> None:
        """lockdep_assert_held()."""
        lifetime.must_hold(self._view(context), lock)

    def assert_not_held(self, context: Context, lock: Lock) -> None:
        """lockdep_assert_not_held()."""
        lifetime.must_not_hold(self._view(context), lock)

    def pin(self, context: Context, lock: Lock) -> None:
        """lockdep_pin_lock()."""
        lifetime.pin(self._view(context), lock, 1)

    def unpin(self, context: Context, lock: Lock) -> None:
        """lockdep_unpin_lock()."""
        lifetime.pin(self._view(context), lock, -1)

    # Interrupts

    def irq_disable(self, context: Context) -> None:
        """local_irq_disable()."""
        context.mask(IRQS_ON, on=False)

    def irq_enable(self, context: Context) -> None:
        """local_irq_enable(), whatever the state before."""
        usage_marks.set_irqs(self._view(context), on=True)

    def irq_save(self, context: Context) -> bool:
        """local_irq_save(): disable, and return whether interrupts were on."""
        was_on = bool(context.state & IRQS_ON)
        context.mask(IRQS_ON, on=False)
        return was_on

    def irq_restore(self, context: Context, was_on: bool) -> None:
        """local_irq_restore() of what `irq_save` returned."""
        usage_marks.set_irqs(self._view(context), was_on)

    def bh_disable(self, context: Context) -> None:
        """local_bh_disable(); calls nest."""
        usage_marks.disable_bh(context)

    def bh_enable(self, context: Context) -> None:
        """local_bh_enable()."""
        usage_marks.enable_bh(self._view(context))

    def enter_hardirq(self, context: Context, *, threaded: bool = False) -> None:
        """Begin a hardirq handler; a `threaded` one becomes a thread on PREEMPT_RT.

        Only the kind of context changes: the operations above turn interrupts off and on.
        """
        context.enter(HARDIRQ, threaded)

    def leave_hardirq(self, context: Context) -> None:
        """End a hardirq handler."""
        usage_marks.leave(self._view(context), HARDIRQ)

    def enter_softirq(self, context: Context) -> None:
        """Begin a softirq handler."""
        context.enter(SOFTIRQ)

    def leave_softirq(self, context: Context) -> None:
        """End a softirq handler."""
        usage_marks.leave(self._view(context), SOFTIRQ)

    # RCU and memory

    def rcu_read_lock(self, context: Context, variant: str = "rcu") -> None:
        """Enter a read section; `variant` is `rcu`, `rcu_bh` or `rcu_sched`."""
        if variant == "rcu_bh":
            self.bh_disable(context)
        self.acquire(context, self._rcu[variant], _READ)

    def rcu_read_unlock(self, context: Context, variant: str = "rcu") -> None:
        """Leave a read section, the end of rcu_read_lock()."""
        self.release(context, self._rcu[variant], reader=True)
        if variant == "rcu_bh":
            self.bh_enable(context)

    def might_alloc(self, context: Context, gfp: str) -> None:
        """Allocate memory, with a flag of pseudo_locks.GFP."""
        self._reclaim.allocate(self._view(context), GFP[gfp])

    def fs_reclaim_acquire(self, context: Context, gfp: str) -> None:
        """Begin reclaim on behalf of an allocation."""
        self._reclaim.acquire(self._view(context), GFP[gfp])

    def fs_reclaim_release(self, context: Context, gfp: str) -> None:
        """End reclaim."""
        self._reclaim.release(self._view(context), GFP[gfp])

    def memalloc_nofs(self, context: Context, on: bool) -> None:
        """memalloc_nofs_save() and memalloc_nofs_restore(): no file system is called in between."""
        context.nofs += 1 if on else -1

    def notify_mmu(self, context: Context, on: bool) -> None:
        """Begin (`on`) or end the calls of MMU notifiers."""
        change = self.acquire if on else self.release
        change(context, self._reclaim.notifier)

    # Waits for something other than a lock

    def wait(self, context: Context, event: str) -> None:
        """Sleep until an event is completed."""
        pseudo_locks.wait(self._view(context), self._event(event))

    def complete(self, context: Context, event: str) -> None:
        """Complete an event."""
        pseudo_locks.complete(self._view(context), self._event(event))

    def wait_for_ipi(self, context: Context) -> None:
        """Spin until other CPUs have handled an IPI, such as a remote fence."""
        pseudo_locks.wait_for_ipi(self._view(context))

    def might_sleep(self, context: Context) -> None:
        """Judge the context as if it slept."""
        pseudo_locks.wait(self._view(context), self._reclaim.sleep)

    def _event(self, name: str) -> Lock:
        return self._events.setdefault(name, Lock(f"@ev:{name}", KINDS["event"]))

    def _view(self, context: Context) -> View:
        return View(self.known, context, context.stack)
