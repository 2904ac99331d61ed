"""A wheel carries all that the commands need, and works from any folder."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgeisim.scenario.find import built_in_names
from tests.support.source import ROOT

NEEDED = ("hgeisim", "scenarios", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def requirements() -> Iterator[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    yield from setup["options"]["install_requires"].split()
    yield from setup["options.extras_require"]["dev"].split()


def test_requirements_are_ranges_and_constraints_are_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    names = {pin.partition("==")[0].lower() for pin in pins}
    for requirement in requirements():
        assert re.fullmatch(r"[\w-]+>=[\d.]+,<[\d.]+", requirement), requirement
        assert re.split("[<>=]", requirement)[0].lower() in names


def pip(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *args], check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, installed in a folder of its own."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True)
        else:
            shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-deps", "--wheel-dir", str(source / "dist"), str(source))
    (wheel,) = (source / "dist").glob("*.whl")
    pip("install", "--no-deps", "--target", str(site), str(wheel))
    return site


def run(installed: Path, folder: Path, *args: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "hgeisim", *args]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_it_lists_checks_runs_and_draws_scenarios(installed: Path, tmp_path: Path) -> None:
    names = built_in_names()
    listed = run(installed, tmp_path, "scenario", "list")
    assert all(name in listed for name in names)
    assert run(installed, tmp_path, "scenario", "check", *names).count("ok: ") == len(names)
    assert "fingerprint" in run(installed, tmp_path, "run", "big-little", "--until", "1ms")
    assert "no difference" in run(installed, tmp_path, "locks", "diff", "v7.0", "v7.0")
    code = "import hgeisim; print(hgeisim.__file__)"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    where = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert Path(where.strip()).is_relative_to(installed)


@pytest.mark.slow
def test_it_has_the_licence(installed: Path) -> None:
    (licence,) = installed.glob("*.dist-info/licenses/LICENSE")
    assert licence.read_text().startswith("MIT License")


def test_the_lint_rules_forbid_assert_in_the_package() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert "S101" not in lint["ignore"]
    allowed = {path for path, rules in lint["per-file-ignores"].items() if "S101" in rules}
    assert allowed == {"tests/**", "benchmarks/**"}
