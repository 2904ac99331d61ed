"""The promises of CONTRIBUTING.md: each kind of change is one file and one row.

A copy of the package gets a toy of each, in the files that the page names and in no others; then
the commands know them.  A toy strategy is in test_strategy.py, for a strategy has no row.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.source import ROOT

pytestmark = pytest.mark.slow

CHECK = '''"""A toy."""

from hgeisim.checks.check import StateCheck
from hgeisim.checks.finding import Finding


class Toy(StateCheck):
    """Always wrong."""

    def watches(self, k):
        """Nothing."""
        return ()

    def wrong(self, k, subject):
        """It says so."""
        yield Finding("toy", "kernel", "a toy")
'''
PICTURE = '''"""A toy."""

from matplotlib.figure import Figure


def toy_figure(recording):
    """An empty picture."""
    return Figure()
'''
BASE = '''"""Linux v9.9: a toy."""

from hgeisim.kernel.variants.v7_0 import V7_0


class V9_9(V7_0):
    """Nothing new."""

    name = "v9.9"
'''
TABLE = '''class Toy(Table):
    """A toy."""

    size: int = 1


class Kind(NamedTuple):'''
VERB = '''    def poke(self, vcpu, cpu):
        """Nothing."""
        yield STEP

    # Verbs of a task on a HART
'''
SCENARIO = """title = "A toy"
survey = true
[machine]
harts = [{ count = 2, guest_files = 1 }]
[kernel]
variant = "v9.9"
preemption = "full"
[run]
until = "1ms"
[[vcpu]]
name = "v1"
hart = 0
[[task]]
name = "t"
hart = 1
does = ["poke v1"]
"""


class Row(NamedTuple):
    """A row that is put in front of another line of a file."""

    file: str
    before: str
    row: str


ROWS = [
    Row(
        "checks/catalogue.py",
        "    Row(guest.HostAlive()",
        '    Row(Toy(), ("toy",), Severity.POLICY, (At.STATE, At.END)),\n',
    ),
    Row("checks/catalogue.py", "\n\nclass At(Enum)", "from hgeisim.checks.toy import Toy\n"),
    Row(
        "runs/picture_kinds.py",
        '    "summary": PictureKind',
        '    "toy": PictureKind("a toy", "hgeisim.plot.toy:toy_figure"),\n',
    ),
    Row("scenario/schema.py", '    "task": Kind', '    "toy": Kind(Toy, optional=True),\n'),
    Row("scenario/schema.py", "    task: tuple[Task, ...]\n", "    toy: Toy | None = None\n"),
    Row("scenario/action.py", '    "msi": Verb', '    "poke": Verb("VCPU"),\n'),
    Row(
        "kernel/variants/__init__.py",
        "\nBASES: dict",
        "from hgeisim.kernel.variants.v9_9 import V9_9\n",
    ),
]
FILES = {
    "checks/toy.py": CHECK,
    "plot/toy.py": PICTURE,
    "kernel/variants/v9_9.py": BASE,
    "scenarios/toy.toml": SCENARIO,
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and its toys."""
    folder = tmp_path_factory.mktemp("copy")
    package = folder / "hgeisim"
    shutil.copytree(ROOT / "hgeisim", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        (package / name).write_text(text)
    for row in ROWS:
        put(package / row.file, row.before, row.row + row.before)
    put(package / "scenario/schema.py", "class Kind(NamedTuple):", TABLE)
    put(package / "kernel/script.py", "    # Verbs of a task on a HART\n", VERB)
    put(package / "kernel/variants/__init__.py", "V7_2, V7_3)\n", "V7_2, V7_3, V9_9)\n")
    return folder


def put(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


def command(copy: Path, *args: str, status: tuple[int, ...] = (0, 1)) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    line = [sys.executable, "-m", "hgeisim", *args]
    done = subprocess.run(
        line, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in status, done.stderr
    return done.stdout + done.stderr


def document(copy: Path, *args: str) -> Any:
    return json.loads(command(copy, *args, "--json"))


def test_a_check_a_verb_a_base_and_a_scenario(copy: Path) -> None:
    for name in ("run", "explore"):
        found = document(copy, name, "toy")
        assert [each["id"] for each in found["findings"]][-1] == "toy:kernel"
        assert "toy" not in found["not_checked"]
        assert found["variant"] == "v9.9"
    assert "v9.9                    Linux v9.9: a toy." in command(copy, "variants")
    assert re.search(r"^toy +A toy$", command(copy, "scenario", "list"), re.MULTILINE)
    code = "from hgeisim.scenario.find import surveyed_names; print(surveyed_names())"
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    line = [sys.executable, "-c", code]
    surveyed = subprocess.check_output(line, cwd=copy, env=environment, text=True)
    assert "'toy'" in surveyed


def test_a_picture(copy: Path) -> None:
    assert "toy         a toy" in command(copy, "plot", "--help")
    out = str(copy / "out")
    command(copy, "run", "weak-init", "--until", "1ms", "--record", "occupancy", "--out", out)
    drawn = document(copy, "plot", out, "--kind", "toy")
    assert drawn["pictures"] == [f"{out}/toy.png", f"{out}/toy.svg"]
    command(copy, "run", "weak-init", "--until", "1ms", "--out", out)
    assert not (copy / "out" / "toy.png").exists()


def test_a_table(copy: Path) -> None:
    shown = document(copy, "scenario", "show", "toy", "-s", "toy.size=3")
    assert shown["scenario"]["toy"] == {"size": 3}
    assert shown["digest"] != document(copy, "scenario", "show", "toy")["digest"]
    (copy / "mine.toml").write_text(f"{SCENARIO}[toy]\nsise = 2\n")
    told = command(copy, "scenario", "check", "mine.toml", status=(2,))
    assert (
        'mine.toml: toy.sise = 2: is not a key here; the keys are size; did you mean "size"?'
        in told
    )
    (copy / "mine.toml").write_text(f"{SCENARIO}[toy]\nsize = 2\n")
    assert "mine.toml: toy: is not explored" in command(copy, "explore", "mine.toml", status=(2,))


def test_the_page_names_each_file_with_a_row() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`hgeisim/([\w/]+\.py)`", page))
    assert {row.file for row in ROWS} <= named
    assert all((ROOT / "hgeisim" / name).exists() for name in named)
