"""The validator: operations go in, reports come out, and nothing else happens.

    validator = Validator()
    task = validator.context("vcpu 0")
    lock = Lock("kvm0.lock", KINDS["mutex"], key="kvm->lock")
    validator.acquire(task, lock)
    validator.release(task, lock)
    for report in validator.reports: ...

It neither blocks nor refuses, and it never switches itself off.  The caller keeps `task.stack`, the
kernel functions that the context is in, up to date.
"""

from __future__ import annotations

from hgeisim.lockorder.graph.lock_class import EXCLUSIVE, KINDS, Flavour, How, Lock
from hgeisim.lockorder.graph.usage import HARDIRQ, IRQS_ON, SOFTIRQ
from hgeisim.lockorder.report.violation import Reports
from hgeisim.lockorder.rules import lifetime as holding
from hgeisim.lockorder.rules import lifetime as misuse
from hgeisim.lockorder.rules import pseudo_locks as events
from hgeisim.lockorder.rules import usage_marks as interrupts
from hgeisim.lockorder.rules.context import Chain, Context, Held, Waits
from hgeisim.lockorder.rules.pseudo_locks import GFP, Reclaim
from hgeisim.lockorder.rules.viewpoint import Knowledge, Sizes, View, sizes_of
from hgeisim.lockorder.rules.wait_context import Config

_READ = How(Flavour.RECURSIVE)
_RCU = ("rcu", "rcu_bh", "rcu_sched")


class Validator:
    """Lock rules over any number of contexts; what one shows counts for all."""

    def __init__(self, config: Config | None = None) -> None:
        self.known = Knowledge(config or Config())
        self._contexts: dict[str, Context] = {}
        self._events: dict[str, Lock] = {}
        self._reclaim = Reclaim()
        self._rcu = {name: Lock(f"{name}_read_lock", KINDS[name]) for name in _RCU}

    @property
    def reports(self) -> Reports:
        """What was found so far, each id once."""
        return self.known.reports

    @property
    def sizes(self) -> Sizes:
        """How much was learned, in the terms of /proc/lockdep_stats."""
        return sizes_of(self.known, self._contexts.values())

    def context(self, name: str) -> Context:
        """The context of a name, made when first asked for: in a task, interrupts and BH on."""
        return self._contexts.setdefault(name, Context(name))

    def begin(self, context: Context) -> None:
        """A new piece of work: events that it completes do not wait for what was before."""
        context.waits = Waits()

    # Locks

    def acquire(self, context: Context, lock: Lock, how: How = EXCLUSIVE) -> None:
        """Take a lock; a trylock is told only when it succeeds."""
        step = self.known.steps.of(lock, how, context.state)
        chain = context.chain.after.get(step)
        if chain is None:
            holding.push(self._scene(context), step)
            return
        if chain.witness is not None:
            context.waits.add(chain)
        context.held.append(Held(chain, context.stack))

    def acquire_read(self, context: Context, lock: Lock, how: How = EXCLUSIVE) -> None:
        """Take a lock as a reader, in the flavour that its type and the context make of it."""
        self.acquire(context, lock, how._replace(flavour=self.reader(context, lock)))

    def reader(self, context: Context, lock: Lock) -> Flavour:
        """The flavour of a reader here: in interrupts and on PREEMPT_RT, a rwlock_t lets readers
        pass."""
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
            context.held.pop()
        else:
            holding.release(self._scene(context), lock, reader)

    def resume(self, context: Context, position: Chain) -> None:
        """Let a context hold what it held at a position, where that was `context.chain`."""
        context.held[:] = [Held(chain, chain.stack) for chain in position.path()]

    def downgrade(self, context: Context, lock: Lock) -> None:
        """downgrade_write()."""
        holding.downgrade(self._scene(context), lock)

    def set_subclass(self, context: Context, lock: Lock, subclass: int) -> None:
        """lock_set_subclass() on a held lock."""
        holding.reclass(self._scene(context), lock, subclass)

    def might_lock(self, context: Context, lock: Lock, how: How = EXCLUSIVE) -> None:
        """Be judged as if the lock were taken and given back."""
        holding.touch(self._scene(context), lock, how)

    def might_lock_read(self, context: Context, lock: Lock) -> None:
        """The same for a reader who waits behind writers."""
        self.might_lock(context, lock, How(Flavour.SHARED))

    def synchronize(self, context: Context, lock: Lock) -> None:
        """Wait until no reader is left (synchronize_srcu)."""
        events.wait(self._scene(context), lock)

    # Life of a lock, and what code asserts about it

    def init(self, context: Context, lock: Lock) -> None:
        """Initialise a lock: nobody may hold it."""
        misuse.must_be_free(self._scene(context), "held-init", lock, self._contexts.values())

    def free(self, context: Context, lock: Lock) -> None:
        """Free the memory of a lock: nobody may hold it."""
        misuse.must_be_free(self._scene(context), "held-free", lock, self._contexts.values())

    def exit_task(self, context: Context) -> None:
        """The task exits."""
        misuse.must_hold_nothing(self._scene(context), "task exit")

    def return_to_user(self, context: Context) -> None:
        """The task goes back to user space."""
        misuse.must_hold_nothing(self._scene(context), "return to user space")

    def assert_held(self, context: Context, lock: Lock) -> None:
        """lockdep_assert_held()."""
        misuse.must_hold(self._scene(context), lock)

    def assert_not_held(self, context: Context, lock: Lock) -> None:
        """lockdep_assert_not_held()."""
        misuse.must_not_hold(self._scene(context), lock)

    def pin(self, context: Context, lock: Lock) -> None:
        """lockdep_pin_lock()."""
        misuse.pin(self._scene(context), lock, 1)

    def unpin(self, context: Context, lock: Lock) -> None:
        """lockdep_unpin_lock()."""
        misuse.pin(self._scene(context), lock, -1)

    # Interrupts

    def irq_disable(self, context: Context) -> None:
        """local_irq_disable()."""
        context.mask(IRQS_ON, on=False)

    def irq_enable(self, context: Context) -> None:
        """local_irq_enable(), whatever was before."""
        interrupts.set_irqs(self._scene(context), on=True)

    def irq_save(self, context: Context) -> bool:
        """local_irq_save(): disable, and return whether interrupts were on."""
        was_on = bool(context.state & IRQS_ON)
        context.mask(IRQS_ON, on=False)
        return was_on

    def irq_restore(self, context: Context, was_on: bool) -> None:
        """local_irq_restore() of what `irq_save` returned."""
        interrupts.set_irqs(self._scene(context), was_on)

    def bh_disable(self, context: Context) -> None:
        """local_bh_disable(): it counts."""
        interrupts.disable_bh(context)

    def bh_enable(self, context: Context) -> None:
        """local_bh_enable()."""
        interrupts.enable_bh(self._scene(context))

    def enter_hardirq(self, context: Context, *, threaded: bool = False) -> None:
        """A hardirq handler begins; `threaded` ones become threads on PREEMPT_RT.

        Only the context changes: whether interrupts are off is told by the operations above.
        """
        context.enter(HARDIRQ, threaded)

    def leave_hardirq(self, context: Context) -> None:
        """A hardirq handler ends."""
        interrupts.leave(self._scene(context), HARDIRQ)

    def enter_softirq(self, context: Context) -> None:
        """A softirq handler begins."""
        context.enter(SOFTIRQ)

    def leave_softirq(self, context: Context) -> None:
        """A softirq handler ends."""
        interrupts.leave(self._scene(context), SOFTIRQ)

    # RCU and memory

    def rcu_read_lock(self, context: Context, variant: str = "rcu") -> None:
        """Enter a read section; `variant` is `rcu`, `rcu_bh` or `rcu_sched`."""
        if variant == "rcu_bh":
            self.bh_disable(context)
        self.acquire(context, self._rcu[variant], _READ)

    def rcu_read_unlock(self, context: Context, variant: str = "rcu") -> None:
        """The end of rcu_read_lock()."""
        self.release(context, self._rcu[variant], reader=True)
        if variant == "rcu_bh":
            self.bh_enable(context)

    def might_alloc(self, context: Context, gfp: str) -> None:
        """An allocation with a flag of reclaim.GFP."""
        self._reclaim.allocate(self._scene(context), GFP[gfp])

    def fs_reclaim_acquire(self, context: Context, gfp: str) -> None:
        """Reclaim begins on behalf of an allocation."""
        self._reclaim.acquire(self._scene(context), GFP[gfp])

    def fs_reclaim_release(self, context: Context, gfp: str) -> None:
        """Reclaim ends."""
        self._reclaim.release(self._scene(context), GFP[gfp])

    def memalloc_nofs(self, context: Context, on: bool) -> None:
        """memalloc_nofs_save() and memalloc_nofs_restore(): no file systems in between."""
        context.nofs += 1 if on else -1

    def notify_mmu(self, context: Context, on: bool) -> None:
        """MMU notifiers are called between `on` and not `on`."""
        change = self.acquire if on else self.release
        change(context, self._reclaim.notifier)

    # Waits that are no locks

    def wait(self, context: Context, event: str) -> None:
        """Sleep until an event is completed."""
        events.wait(self._scene(context), self._event(event))

    def complete(self, context: Context, event: str) -> None:
        """Complete an event."""
        events.complete(self._scene(context), self._event(event))

    def wait_for_ipi(self, context: Context) -> None:
        """Spin until other CPUs have handled an IPI, such as a remote fence."""
        events.wait_for_ipi(self._scene(context))

    def might_sleep(self, context: Context) -> None:
        """Be judged as one who sleeps."""
        events.wait(self._scene(context), self._reclaim.sleep)

    def _event(self, name: str) -> Lock:
        return self._events.setdefault(name, events.event(name))

    def _scene(self, context: Context) -> View:
        return View(self.known, context, context.stack)
