"""How far a long call has come: nothing is shown, unless the caller passes what shows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager


class Progress:
    """Shows nothing; the command line passes one that shows it on a terminal.

    Each method is a context manager for one part of a call.  It yields a function that is called
    with how far that part has come, or None.
    """

    @contextmanager
    def simulating(self, until_ns: int) -> Iterator[Callable[[int], None] | None]:
        """A run in time: the function takes the simulated time in ns."""
        yield None

    @contextmanager
    def replicating(self, what: str) -> Iterator[Callable[[int, int], None] | None]:
        """Replications of a study: the function takes how many are done, and how many there are."""
        yield None

    @contextmanager
    def comparing(self, base: str) -> Iterator[None]:
        """Runs of the base of a patch."""
        yield None

    @contextmanager
    def searching(
        self, what: str, found: Collection[str] = ()
    ) -> Iterator[Callable[[int, int], None] | None]:
        """A search, in a few words; the function takes the states that were seen and those left.

        `found` grows meanwhile: the ids of the findings.
        """
        yield None

    @contextmanager
    def reading(self) -> Iterator[Callable[[int], None] | None]:
        """A trace: the function takes the number of events that were read."""
        yield None

    @contextmanager
    def learning(self) -> Iterator[Callable[[str], None]]:
        """Lock order, from one scenario after the other: the function takes its name."""
        yield lambda _: None


SILENT = Progress()
