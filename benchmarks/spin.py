"""One protocol here and in SPIN: how long a full proof takes, and the first bug.

    python -m benchmarks.spin [ROUNDS]

The protocol is that of lines.pml: vCPUs that move and CPU hotplug, in steps of one shared access,
with no checks but its own assertion.  Time is CPU time, the median of alternating runs: here of
what searches a space that nobody has seen before, of SPIN of its verifier `pan`, and for the first
bug of `spin` and the compiler as well.  Without `spin` nothing is measured.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path as File
from statistics import median

from hgeisim.drivers.explored.compiled.library import engine
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.drivers.run_to_end import boot
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import STEP, WARN_ON, Path
from hgeisim.machine.shared import Array, Field, Memory, Shared, build
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock
from hgeisim.machine.topology import HartSpec, Topology

MODEL = File(__file__).with_name("lines.pml")
OFFLINE = 12
"""How often HART 0 goes offline in a proof."""
STATES_MAX = 20_000_000
NOWHERE = 3


class Lines(Shared):
    """The lines of a HART."""

    free_bitmap: Field
    owners: Array
    lock: RawSpinlock


class VsFile(Shared):
    """Where a vCPU has its VS-file."""

    cpu: Field
    line: Field


def take_line(lines: Lines, who: int) -> Path[int]:
    """Take the first free one, 0 if there is none."""
    yield lines.lock.lock
    yield STEP
    seen = lines.free_bitmap
    line = 1 if seen & 2 else 2 if seen & 4 else 0
    if line:
        yield STEP
        lines.free_bitmap = seen & ~(1 << line)
        yield STEP
        taken = lines.owners[line] != 0
        lines.owners[line] = who
        if taken:
            yield WARN_ON(taken)
    yield lines.lock.unlock
    return line


def give_back(lines: Lines, line: int) -> Path[None]:
    """Give one back, unless it is free."""
    yield lines.lock.lock
    yield STEP
    seen = lines.free_bitmap
    if not seen & 1 << line:
        yield STEP
        lines.free_bitmap = seen | 1 << line
        yield STEP
        lines.owners[line] = 0
    yield lines.lock.unlock


def move(harts: tuple[Lines, ...], file: VsFile, who: int, first: int, second: int) -> Path[None]:
    """A vCPU moves twice."""
    cpu = first
    while True:
        line = yield from take_line(harts[cpu], who)
        yield STEP
        old_cpu, old_line = file.cpu, file.line
        file.cpu, file.line = cpu, line
        if old_line:
            yield from give_back(harts[old_cpu], old_line)
        if cpu == second:
            return
        cpu = second


def hotplug(
    harts: tuple[Lines, ...], files: tuple[VsFile, ...], rounds: int, broken: bool
) -> Path[None]:
    """HART 0 goes offline some times."""
    lines = harts[0]
    while rounds:
        yield lines.lock.lock
        line = 1
        while line < 3:
            yield STEP
            who = lines.owners[line]
            if who:
                yield lines.lock.unlock
                yield STEP
                old_cpu, old_line = files[who - 1].cpu, files[who - 1].line
                files[who - 1].cpu, files[who - 1].line = NOWHERE, 0
                if old_line:
                    yield from give_back(harts[old_cpu], old_line)
                yield lines.lock.lock
            line += 1
        yield lines.lock.unlock
        if broken:
            yield STEP
            lines.free_bitmap = 6
            yield lines.lock.init
        rounds -= 1


def space_of(rounds: int, broken: bool) -> Space:
    """The protocol, each task on a HART of its own."""
    memory = Memory()
    k = find_variant("v7.0")(Topology((HartSpec(1),) * 3, 6, "spin"), memory)
    boot(k, k.add_thread("swapper", 0))
    harts = tuple(
        build(Lines, memory, f"lines{cpu}", free_bitmap=bits, owners=3)
        for cpu, bits in enumerate((4, 4, 6))
    )
    for cpu, lines in enumerate(harts):
        lines.lock = raw_spinlock(memory, f"lock{cpu}", "lock")
    files = tuple(build(VsFile, memory, f"file{who}", cpu=who, line=1) for who in range(2))
    harts[0].owners[1], harts[1].owners[1] = 1, 2
    system = System(k, "full")
    paths = (
        partial(move, harts, files[0], 1, 1, 0),
        partial(move, harts, files[1], 2, 0, 2),
        partial(hotplug, harts, files, rounds, broken),
    )
    for cpu, path in enumerate(paths):
        system.add_task(k.add_thread(f"t{cpu}", cpu), path)
    system.seal()
    return Space(system, merging=True)


def here(rounds: int, broken: bool) -> tuple[float, Verdict]:
    """CPU seconds of a search from nothing, and what it says."""
    start = time.process_time()
    verdict = exhaustive(space_of(rounds, broken), STATES_MAX, enough=lambda _: broken)
    return time.process_time() - start, verdict


def children() -> float:
    """CPU seconds of all commands up to now."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Pan:
    """SPIN's verifier of the same protocol; `made_s` are the CPU seconds that making it took."""

    def __init__(self, folder: File, rounds: int, broken: bool) -> None:
        before, self.folder = children(), folder
        flags = [f"-DROUNDS={rounds}", *(["-DBROKEN"] if broken else [])]
        self.call("spin", *flags, "-a", str(MODEL))
        self.call("gcc", "-O2", "-o", "pan", "pan.c")
        self.made_s = children() - before

    def call(self, *words: str) -> str:
        """Call a command, and return what it prints."""
        return subprocess.run(  # noqa: S603 - our own words
            words, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def run(self) -> tuple[float, str]:
        """CPU seconds of a verification, and what it prints."""
        before = children()
        text = self.call("./pan", "-m100000")
        return children() - before, text


def number(pattern: str, text: str) -> int:
    """The number that pan prints before or after some words."""
    found = re.search(pattern, text)
    return int(found[1]) if found else -1


def main() -> None:
    """Print both comparisons."""
    if not shutil.which("spin") or not shutil.which("gcc"):
        print("spin or gcc is not installed: nothing is compared with it")
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"search: {engine()}")
    for what, offline, broken in (("full proof", OFFLINE, False), ("first bug", 1, True)):
        with tempfile.TemporaryDirectory() as folder:
            pan = Pan(File(folder), offline, broken)
            pairs = [(here(offline, broken), pan.run()) for _ in range(rounds)]
        (_, verdict), (_, text) = pairs[-1]
        made_s = pan.made_s if broken else 0.0
        ours_s = median(mine for (mine, _), _ in pairs)
        theirs_s = median(theirs for _, (theirs, _) in pairs) + made_s
        ratio = median(mine / (theirs + made_s) for (mine, _), (theirs, _) in pairs)
        states, errors = number(r"(\d+) states, stored", text), number(r"errors: (\d+)", text)
        print(
            f"{what}: here {ours_s:.2f} s, {verdict.states:,} states, {verdict.coverage}, "
            f"{len(verdict.counterexamples)} findings; spin {theirs_s:.2f} s, {states:,} states, "
            f"{errors} errors; ratio {ratio:.3f}"
        )


if __name__ == "__main__":
    main()
