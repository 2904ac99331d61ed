"""Mutants of the rules of lock order: each rule deleted or inverted, one at a time.

    python -m benchmarks.lock_mutants [FIRST [LAST]]

tests/data/lock-mutants.json lists them: in a file below hgeisim/, `old` becomes `new`.  Each is
made in a copy of the project, where the tests of lock order have to notice it.  Takes ten minutes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
TESTS = (
    "lockorder",
    "watch/test_lock_sequence.py",
    "watch/test_lock_order.py",
)
"""The quick ones first: most mutants go no further."""
IGNORED = shutil.ignore_patterns(".git", ".venv", "out", "__pycache__")


def mutants() -> list[dict[str, str]]:
    """All mutants in the list."""
    text = (ROOT / "tests" / "data" / "lock-mutants.json").read_text(encoding="utf-8")
    made: list[dict[str, str]] = json.loads(text)
    return made


def noticed(mutant: dict[str, str], copy: Path) -> bool:
    """Whether some test fails with a mutant in place."""
    file = copy / "hgeisim" / mutant["file"]
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(mutant["old"], mutant["new"], 1), encoding="utf-8")
    tests = [f"tests/{name}" for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(  # noqa: S603 - our own tests
        [*command, "-m", "not proof"], cwd=copy, capture_output=True, check=False
    )
    file.write_text(text, encoding="utf-8")
    return done.returncode != 0


def main() -> None:
    """Make some of the mutants and print those that no test noticed."""
    given = [int(word) for word in sys.argv[1:]]
    first, last = (*given, *(0, len(mutants()))[len(given) :])
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=IGNORED)
        for number, mutant in enumerate(mutants()[first:last], start=first):
            word = "noticed" if noticed(mutant, copy) else "SURVIVED"
            print(f"{number:3} {word:8} {mutant['file']}: {mutant['old'].strip()[:60]!r}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
