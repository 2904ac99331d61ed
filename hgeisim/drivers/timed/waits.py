"""What each context waits for now, since when, and in which state of its own it began to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hgeisim.machine.ops import Op, Path
from hgeisim.machine.task import Runner


class Wait(NamedTuple):
    """An operation that is not over.

    `irq_off` and `preempt_count` are those of its HART when it began, which the context then had to
    itself; by now a hardirq may run there, or another task.  `path` is the one that waits.
    """

    op: Op
    path: Path[Any] | None
    since_ns: int
    irq_off: int
    preempt_count: int


class Waits:
    """The waits of a driver by context; `paths` has the path that each context executes."""

    def __init__(self, paths: Mapping[Runner, Path[Any]]) -> None:
        self.paths = paths
        self._now: dict[Runner, Wait] = {}

    def begin(self, who: Runner, op: Op, now_ns: int) -> Wait | None:
        """A context begins to wait; returns what it waits for below that, for `end`."""
        below, hart = self._now.get(who), who.hart
        path = self.paths.get(who)
        self._now[who] = Wait(op, path, now_ns, hart.irq_off, hart.preempt_count)
        return below

    def end(self, who: Runner, below: Wait | None) -> None:
        """It waits no longer."""
        if below is None:
            del self._now[who]
        else:
            self._now[who] = below

    def of(self, who: Runner) -> Wait | None:
        """What a context waits for, if for anything."""
        return self._now.get(who)

    def __iter__(self) -> Iterator[tuple[Runner, Wait]]:
        """Yield who waits, but for those that execute another path meanwhile, such as the preempt
        notifier of a task that gives its HART up."""
        for who, wait in self._now.items():
            if self.paths.get(who) is wait.path:
                yield who, wait
