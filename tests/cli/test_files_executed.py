"""No file is executed but what the command line names by --variant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hgeisim.drivers.explored.counterexample.token import Token, encode
from tests.support.commands import Told, hgeisim

EVIL = '''"""A patch that leaves a mark when it is executed."""

from pathlib import Path

from hgeisim.kernel.aia import Aia

Path({mark!r}).touch()


class Mine(Aia):
    """Nothing else."""
'''
SCENARIO = """
[machine]
harts = [{{ count = 2, guest_files = 1 }}]
[kernel]
variant = "{variant}"
preemption = "full"
[[vcpu]]
name = "v1"
hart = 0
[[task]]
name = "ioctl"
hart = 0
does = ["rw_attr v1"]
"""


class Place:
    """A folder with a file that must not be executed, and what names it."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "executed"
        patch = folder / "evil.py"
        patch.write_text(EVIL.format(mark=str(self.mark)))
        self.variant = f"v7.0+{patch}:Mine"
        self.scenario = folder / "mine.toml"
        self.scenario.write_text(SCENARIO.format(variant=self.variant))
        self.baseline = folder / "mine.txt"
        self.baseline.write_text(f"kernel {self.variant}\nscenarios stale-attr\n")
        self.folder = folder

    def token(self, scenario: str) -> str:
        return encode(Token(scenario, self.variant, "full", "8a5d091e", (0,)))

    def refused(self, expected: Told) -> None:
        assert not self.mark.exists(), "the file was executed"
        assert expected.status == 2, expected
        assert self.variant in expected.err
        assert "--variant" in expected.err


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    "command", ["run", "explore", "scenario check", "scenario show", "locks learn"]
)
def test_a_scenario_that_names_a_file(place: Place, command: str) -> None:
    variant = ["--variant", "v7.0"] if command == "locks learn" else []
    answer = hgeisim(*command.split(), str(place.scenario), *variant)
    if variant:
        assert not place.mark.exists()  # what the scenario names is not even asked for
    else:
        place.refused(answer)


def test_a_setting_that_names_a_file(place: Place) -> None:
    place.refused(hgeisim("run", "big-little", "-s", f'kernel.variant="{place.variant}"'))


@pytest.mark.parametrize("scenario", ["stale-attr", "mine.toml", "/etc/passwd"])
def test_a_token_that_names_files(place: Place, scenario: str) -> None:
    place.refused(hgeisim("replay", place.token(scenario)))


def test_a_token_opens_no_scenario(place: Place) -> None:
    token = encode(Token(str(place.scenario), "v7.0", "full", "8a5d091e", (0,)))
    answer = hgeisim("replay", token)
    assert answer.status == 2
    assert f"hgeisim replay {token} --scenario {place.scenario}" in answer.err


def test_a_token_with_another_variant_on_the_command_line(place: Place) -> None:
    answer = hgeisim("replay", place.token("stale-attr"), "--variant", "v7.0")
    assert answer.status == 2
    assert "from another version of this scenario" in answer.err
    assert not place.mark.exists()


def test_a_baseline_that_names_a_file(place: Place) -> None:
    place.refused(hgeisim("locks", "check", "--baseline", str(place.baseline)))


def test_a_run_folder_that_names_a_file(place: Place) -> None:
    out = place.folder / "out"
    assert hgeisim("run", "weak-init", "--until", "1ms", "--out", str(out)).status in (0, 1)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["variant"] = manifest["scenario"]["kernel"]["variant"] = place.variant
    (out / "manifest.json").write_text(json.dumps(manifest))
    for command in (("plot", str(out)), ("trace", "compare", str(out), str(out))):
        hgeisim(*command)
        assert not place.mark.exists()


def test_what_the_command_line_names_is_executed(place: Place) -> None:
    answer = hgeisim("explore", str(place.scenario), "--variant", place.variant, "--walk", "1")
    assert answer.status == 0, answer
    assert place.mark.exists()
