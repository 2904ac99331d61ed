"""Coverage of C by lines and branches, from the addresses that were executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hgeisim.object.arithmetic import CONDITIONS
from hgeisim.object.code import Code
from hgeisim.object.debug_info import DebugInfo, Line
from hgeisim.object.image import Image
from hgeisim.object.instruction import UnknownInstruction
from hgeisim.object.object_code import ObjectCode


@dataclass
class FileCoverage:
    """The coverage of a file of C.

    `lines` has each line with code, and whether any of that was executed.  `ways` are the ways out
    of its conditional branches, two for each that the compiler has made, `taken` those that were.
    """

    lines: dict[int, bool] = field(default_factory=dict)
    ways: int = 0
    taken: int = 0

    @property
    def executed(self) -> int:
        """The number of lines that were executed."""
        return sum(self.lines.values())

    def never(self) -> Iterator[tuple[int, int]]:
        """The first and last lines of each stretch in which nothing was executed."""
        stretch: list[int] = []
        for line in sorted(self.lines):
            if not self.lines[line]:
                stretch.append(line)
            elif stretch:
                yield stretch[0], stretch[-1]
                stretch = []
        if stretch:
            yield stretch[0], stretch[-1]


class Coverage:
    """The coverage of the objects of a build by what several kernels have executed."""

    def __init__(self, image: Image, debug: DebugInfo) -> None:
        self.image, self.debug, self.code = image, debug, Code(image)
        self.executed: set[int] = set()
        self.followed: set[tuple[int, int]] = set()

    def add(self, code: ObjectCode) -> None:
        """Count what one kernel has executed."""
        self.executed |= code.executed
        self.followed |= code.followed

    def files(self) -> dict[str, FileCoverage]:
        """The coverage of each file of C whose functions are in the objects, by its name."""
        found: dict[str, FileCoverage] = {}
        for address, size, target in self._instructions():
            line = self.debug.line(address)
            if not isinstance(line, Line) or not line.file.endswith(".c") or not line.line:
                continue
            file = found.setdefault(line.file, FileCoverage())
            ran = address in self.executed
            file.lines[line.line] = file.lines.get(line.line, False) or ran
            if target is not None:
                ways = {(address, target), (address, address + size)}
                file.ways += len(ways)
                file.taken += len(ways & self.followed)
        return dict(sorted(found.items()))

    def _instructions(self) -> Iterator[tuple[int, int, int | None]]:
        """Each instruction: its address, its size, and where it branches to on a condition."""
        for function in self.image.functions:
            try:
                for address, each in self.code.of(function):
                    target = address + each.imm if each.name in CONDITIONS else None
                    yield address, each.size, target
            except UnknownInstruction:
                continue
