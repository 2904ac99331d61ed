"""A mistake in a user's own patch is reported with its line, wherever it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import hgeisim

PATCH = '''"""A patch."""

from hgeisim.kernel.aia import Aia


class Mine(Aia):
    """One path."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        """With a mistake, or not."""
        yield k.hgei[cpu].lock.lock_irqsave
        {statement}
        yield k.hgei[cpu].lock.unlock_irqrestore
'''


def written(folder: Path, statement: str) -> str:
    """The name of a patch with this statement."""
    (folder / "mine.py").write_text(PATCH.format(statement=statement))
    return f"v7.0+{folder / 'mine.py'}:Mine"


@pytest.mark.slow
@pytest.mark.parametrize("command", [("run", "big-little"), ("explore", "patch-race")])
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("yield getattr(k.hgei[cpu], 'noth' + 'ing')", "AttributeError: 'HgeiControl' object has"),
        ("k.vcpu(0)", "ModelError: NULL is not a vCPU"),
        ("assert not k.vcpus", "AssertionError: assert not k.vcpus"),
        ("raise SystemExit(0)", "SystemExit: 0"),
    ],
)
def test_a_mistake_that_shows_in_a_run_is_a_finding_with_its_line(
    tmp_path: Path, command: tuple[str, str], statement: str, expected: str
) -> None:
    variant = written(tmp_path, statement)
    result = hgeisim(*command, "--variant", variant)
    assert (result.status, result.complaints) == (1, "")
    words = " ".join(result.out.split())
    assert expected in words
    assert "mine.py, line 12)" in words


PATHS = {
    "a list": ("cpu, hgei", "yield STEP; k.vcpu(1).cpu = list(())", "a whole number, not []"),
    "None": ("cpu, hgei", "yield STEP; k.hgei[cpu].owners[1] = max((None,))", "not None ("),
    "no unlock": ("cpu, hgei", "yield k.hgei[cpu].lock.lock_irqsave", "while atomic"),
    "no operation": ("cpu, hgei", "yield cpu", "which is not an operation"),
    "a number": ("cpu, hgei", "yield STEP; k.hgei[cpu].free_bitmap = 10**30", "Error: "),
    "StopIteration": ("cpu, hgei", "yield STEP; raise StopIteration", "RuntimeError: generator"),
    "GeneratorExit": ("cpu, hgei", "yield STEP; raise GeneratorExit", "GeneratorExit: "),
}


LONG = ("a list", "a number", "GeneratorExit")
"""Each is a twin of one that is quicker."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "body", "expected"),
    [
        pytest.param(*PATHS[name], id=name, marks=[pytest.mark.proof] if name in LONG else [])
        for name in PATHS
    ],
)
def test_a_mistake_that_shows_in_the_model_is_a_finding(
    tmp_path: Path, arguments: str, body: str, expected: str
) -> None:
    """The model fails far from the patch, and is not to blame."""
    (tmp_path / "mine.py").write_text(
        "from hgeisim.kernel.aia import Aia\n"
        "from hgeisim.machine.ops import STEP\n\n\n"
        "class Mine(Aia):\n"
        "    \n"
        f"    def kvm_riscv_aia_free_hgei(k, {arguments}):\n"
        f"        {body}\n"
    )
    commands = [("explore", "patch-race")]
    if expected.endswith("operation"):
        commands.append(("run", "vm-churn"))
    for command in commands:
        it_is_reported(tmp_path, command, expected)


def it_is_reported(tmp_path: Path, command: tuple[str, str], expected: str) -> None:
    """By a command, as a finding."""
    result = hgeisim(*command, "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    assert (result.status, result.complaints) == (1, "")
    assert expected in " ".join(result.out.split())


def test_a_patch_without_mistake_runs(tmp_path: Path) -> None:
    result = hgeisim("run", "big-little", "--until", "1ms", "--variant", written(tmp_path, "pass"))
    assert (result.status, result.complaints) in ((0, ""), (1, ""))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mine.py", "./mine.py", "sub/../mine.py", "link.py"])
def test_a_mistake_in_a_file_that_is_named_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    written(tmp_path, "yield k.hgei[cpu].nothing")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.py").symlink_to("mine.py")
    monkeypatch.chdir(tmp_path)
    result = hgeisim("explore", "move-offline", "--variant", f"v7.0+{name}:Mine")
    assert result.status == 2
    assert f"{name}: line 12: k.hgei[cpu].nothing: HgeiControl has no" in result.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import", "line 1: SyntaxError: invalid syntax"),
        ("\n\nassert 1 > 2\n", "line 3: AssertionError: assert 1 > 2"),
        ("raise SystemExit(0)", "line 1: SystemExit: 0"),
        ("\0", "source code string cannot contain null bytes"),
    ],
)
def test_a_file_that_cannot_be_executed(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    result = hgeisim("explore", "move-offline", "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    assert result.status == 2
    assert f"mine.py: {expected}" in result.err or expected in result.err
    assert "Traceback" not in result.err


TWO = "from hgeisim.patch import Aia, Vcpu\nclass Mine(Aia): ...\nclass Other(Mine): ...\nNO = 1\n"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (TWO, "", "the file needs its class; write {0}:Mine or {0}:Other"),
        (TWO, ":", "the file needs its class; write {0}:Mine or {0}:Other"),
        (TWO, ":Othr", "there is no such class; write {0}:Other"),
        (TWO, ":NO", "is not a patch; write {0}:Mine or {0}:Other"),
        (TWO, ":Vcpu", "is not a patch; write {0}:Mine or {0}:Other"),
        (TWO, ":Aia", "is not a patch; write {0}:Mine or {0}:Other"),
        ("x = 1\n", "", "has no class that is a patch; derive one from Aia: "),
        ("from hgeisim.patch import Aia\n", ":Mine", "has no class that is a patch; derive"),
    ],
)
def test_a_file_without_its_class(tmp_path: Path, text: str, name: str, expected: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    result = hgeisim("explore", "move-offline", "--variant", f"v7.0+{file}{name}")
    assert (result.status, result.out) == (2, "")
    assert expected.format(file) in result.err


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("mine.py:Mine", "a patch comes after its base: v7.3+mine.py:Mine"),
        ("mine.py", "a patch comes after its base: v7.3+mine.py"),
        ("v7.0+mine:Mine", "a patch of your own is FILE.py:CLASS"),
    ],
)
def test_a_patch_that_is_named_in_another_way(
    monkeypatch: pytest.MonkeyPatch, variant: str, expected: str
) -> None:
    monkeypatch.setattr("hgeisim.kernel.variants.OWN", {})
    assert expected in hgeisim("explore", "move-offline", "--variant", variant).err
