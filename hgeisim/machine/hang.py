"""Mistakes that no path may make; they become findings where the path is not hgeisim's own."""

from __future__ import annotations

from hgeisim.errors import ModelError
from hgeisim.machine.kernel_name import subject


class Hang(ModelError):
    """A path does something that no path may; `functions` is its call chain, outermost first."""

    kind = ""

    def __init__(self, text: str, functions: tuple[str, ...]) -> None:
        super().__init__(text)
        self.functions = functions

    def function(self, kernel: type) -> str:
        """The function of a kernel that the finding is about: the innermost one."""
        return subject(kernel, self.functions) or "kernel"


class Endless(Hang):
    """A path does not come to its end."""

    kind = "endless"


class SelfDeadlock(Hang):
    """A path waits, and nobody else is there who could end that."""

    kind = "deadlock"
