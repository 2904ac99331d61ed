"""A patch that writes numbers which fit nowhere: a finding with a schedule, wherever it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hgeisim.drivers.timed import base_runs
from tests.commands import Told, hgeisim

PATCH = '''"""A number that fits nowhere is written before a line is taken away."""
from hgeisim.patch import STEP, Aia

BAD = [{value}]


class Mine(Aia):
    """The number comes from a list, so no rule sees it."""

    def take_line_away(k, current, vcpu, hgei):
        """Line 13 writes."""
        yield STEP
        {target} = BAD[0]
        yield from super().take_line_away(current, vcpu, hgei)
'''
OWNER = "k.hgei[current.cpu].owners[hgei]"


def explored(folder: Path, target: str, value: str, *more: str) -> Told:
    """What a short search says; 60 states are enough to come there."""
    (folder / "mine.py").write_text(PATCH.format(target=target, value=value))
    variant = ("--variant", f"v7.1+{folder}/mine.py:Mine")
    return hgeisim("explore", "move-offline", *variant, "--states", "60", *more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "value"),
    [
        (OWNER, "9"), (OWNER, "-5"), (OWNER, "1 << 70"),
        ("vcpu.vsfile_hgei", "40"), ("vcpu.vsfile_cpu", "9"),
    ],
)  # fmt: skip
def test_a_check_that_cannot_look_is_a_finding(tmp_path: Path, target: str, value: str) -> None:
    told = explored(tmp_path, target, value)
    assert told.status == 1
    assert "hgeisim: error" not in told.err
    assert "a check cannot look at a value that the patch has written: " in " ".join(
        told.out.split()
    )
    words = shlex.split(re.findall(r"exception:value(?:.*\n)*?  hgeisim (replay .*)", told.out)[0])
    again = hgeisim(*words)
    assert (again.status, "exception:value" in again.out) == (1, True)
    assert "take_line_away" in again.out
    mail = hgeisim(*words, "--mail", "--finding", "exception:value")
    assert (mail.status, mail.out.startswith("exception:value (introduced)")) == (1, True)


@pytest.mark.slow
def test_what_is_not_a_number_has_its_line(tmp_path: Path) -> None:
    told = explored(tmp_path, OWNER, "None")
    assert told.status == 1
    assert "exception:take_line_away" in told.out
    where = f"holds a whole number, not None ({tmp_path}/mine.py, line 13)"
    assert "".join(where.split()) in "".join(told.out.split()), "a line may end in the path"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "value", "finding"),
    [
        (OWNER, "None", "exception:take_line_away"),
        ("vcpu.vsfile_cpu", "9", "exception:"),
    ],
)
def test_a_run_ends_with_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, value: str, finding: str
) -> None:
    monkeypatch.setattr(base_runs, "RUNS", 1)
    (tmp_path / "mine.py").write_text(PATCH.format(target=target, value=value))
    variant = ("--variant", f"v7.1+{tmp_path}/mine.py:Mine")
    told = hgeisim("run", "hotplug-storm", "--until", "6ms", *variant)
    assert (told.status, f"finding {finding}" in told.out) == (1, True)
    assert "mine.py, line 1" in " ".join(told.out.split())


def test_what_fails_while_the_machine_is_set_up_says_where(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        """from hgeisim.patch import *

class Mine(Imsic):
    def imsic_vsfile_local_update(k, current, vcpu, hgei):
        vcpu.thread.ipi_mask = 1 << 9
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)
        yield STEP
        vcpu.vsfile_cpu = 9
        yield STEP
        yield from k.imsic_vsfile_read(current, vcpu, 9, 1)
"""
    )
    told = hgeisim("explore", "moved-sleeper", "--variant", f"v7.1+{tmp_path}/mine.py:Mine")
    assert told.status == 2
    assert "IndexError: list index out of range, while the machine is set up, in " in told.err
    assert f"{tmp_path}/mine.py, line 10" in told.err
