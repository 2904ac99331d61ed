"""A VM that comes into being while others run already: its own threads wait until it is there."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.machine.ops import Op, Sleep
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.task import Runner


class Creation(Shared):
    """`done` is 1 once a VM is there; `awaited` says whether that is still to come at the start.

    Its threads wait in user space, where no lock is held, so lock order does not see them.
    """

    done: Field
    awaited: bool
    name: str
    wait: AwaitCreation
    complete: Create


def creation(memory: Memory | None, name: str) -> Creation:
    """Make the creation of a VM that is there already."""
    made = build(Creation, memory, f"{name}.creation", done=1)
    made.name, made.awaited = name, False
    made.wait, made.complete = AwaitCreation(made), Create(made)
    return made


@dataclass(frozen=True, slots=True)
class AwaitCreation(Sleep):
    """A thread of a monitor waits until its VM is there."""

    creation: Creation

    def ready(self, who: Runner) -> bool:
        """It is."""
        return self.creation.done == 1

    def __str__(self) -> str:
        return f"wait for VM {self.creation}"


@dataclass(frozen=True, slots=True)
class Create(Op):
    """A monitor starts the threads of its VM, which is there now."""

    creation: Creation

    def end(self, who: Runner) -> None:
        """Say so."""
        self.creation.done = 1

    def __str__(self) -> str:
        return f"VM {self.creation} is there"
