"""The freezer: before a host is suspended, each task of user space comes to rest outside of the
kernel, and stays there until the host is back."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.machine.ops import Op, Sleep
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.task import Runner


class Freezer(Shared):
    """`freezing` is 1 while tasks are to rest, `frozen` counts those that do; `tasks` is how many
    have to, 0 where the host is never suspended."""

    freezing: Field
    frozen: Field
    tasks: int
    ask: AskToFreeze
    freeze: FreezeTasks
    thaw: ThawTasks
    rest: Refrigerate
    leave: LeaveKernel


def freezer(memory: Memory | None) -> Freezer:
    """Make the freezer of a host that is never suspended."""
    made = build(Freezer, memory, "freezer")
    made.tasks = 0
    made.ask, made.freeze, made.thaw = AskToFreeze(made), FreezeTasks(made), ThawTasks(made)
    made.rest, made.leave = Refrigerate(made), LeaveKernel(made)
    return made


@dataclass(frozen=True, slots=True)
class AskToFreeze(Op):
    """freeze_processes begins: every task is to rest."""

    freezer: Freezer

    def end(self, who: Runner) -> None:
        """Ask them to."""
        self.freezer.freezing = 1

    def __str__(self) -> str:
        return "freeze_processes begins"


@dataclass(frozen=True, slots=True)
class FreezeTasks(Sleep):
    """freeze_processes: sleeps until every task rests."""

    freezer: Freezer

    def ready(self, who: Runner) -> bool:
        """They do."""
        return self.freezer.frozen == self.freezer.tasks

    def __str__(self) -> str:
        return "freeze_processes"


@dataclass(frozen=True, slots=True)
class ThawTasks(Op):
    """thaw_processes."""

    freezer: Freezer

    def end(self, who: Runner) -> None:
        """Let them go on."""
        self.freezer.freezing = 0

    def __str__(self) -> str:
        return "thaw_processes"


@dataclass(frozen=True, slots=True)
class Refrigerate(Sleep):
    """try_to_freeze: a task that has left the kernel rests while it is asked to."""

    freezer: Freezer

    def ready(self, who: Runner) -> bool:
        """Nobody asks for it."""
        return not self.freezer.freezing

    def end(self, who: Runner) -> None:
        """Go on."""
        self.freezer.frozen -= 1

    def __str__(self) -> str:
        return "try_to_freeze"


@dataclass(frozen=True, slots=True)
class LeaveKernel(Op):
    """A task is in user space, to rest there, or for good."""

    freezer: Freezer

    def end(self, who: Runner) -> None:
        """It is no longer in the way."""
        self.freezer.frozen += 1

    def __str__(self) -> str:
        return "leave the kernel"
