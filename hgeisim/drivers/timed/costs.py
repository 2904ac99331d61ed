"""The costs of operations in ns, drawn from the distributions of the timing table."""

from __future__ import annotations

from collections.abc import Callable

from hgeisim.machine.ops import Spend
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.timing import Constant, Law, Timing

Draw = Callable[[], int]


class Costs:
    """Costs in ns, by the name that an operation gives (`Op.cost`, `Spend.what`).

    A cost that is not constant is drawn from a random stream named after it.
    """

    def __init__(self, timing: Timing, streams: Streams) -> None:
        self.timing, self.streams = timing, streams
        self.by_name: dict[str, Draw] = {"": lambda: 0}
        self.by_owner: dict[tuple[str, str], Draw] = {}
        for name in type(timing).model_fields:
            self.by_name[name] = self._draw(f"timing/{name}", getattr(timing, name))

    def of_owner(self, what: str, owner: str, distribution: Law) -> None:
        """Set the distribution of a cost for one owner, such as the guest run time of a vCPU."""
        self.by_owner[what, owner] = self._draw(f"{owner}/{what}", distribution)

    def forget(self, owner: str) -> None:
        """Drop the costs of an owner that is gone."""
        for key in [key for key in self.by_owner if key[1] == owner]:
            del self.by_owner[key]

    def constant(self, name: str) -> int:
        """The cost of an operation if it is constant, 0 if it is nothing or has to be drawn."""
        law = getattr(self.timing, name)
        return law.value if isinstance(law, Constant) else 0

    def of(self, spend: Spend) -> int:
        """Draw how long this takes; a cost that is not set is 0."""
        draw = self.by_owner.get((spend.what, spend.of)) or self.by_name.get(spend.what)
        return draw() if draw else 0

    def _draw(self, stream: str, distribution: Law) -> Draw:
        if isinstance(distribution, Constant):
            value = distribution.value
            return lambda: value
        return self.streams.stream(stream).drawer(distribution)
