"""What docs/findings.md says of the obvious mending of F-3."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import hgeisim

PATCH = Path(__file__).parent / "data/patches/still_here.py"


@pytest.mark.slow
def test_the_obvious_mending_is_not_enough() -> None:
    told = hgeisim("explore", "move-offline", "--variant", f"v7.1+{PATCH}:StillHere", "--json")
    document = told.document()
    standings = {each["id"]: each["standing"] for each in document["findings"]}
    assert standings["set-up-lost:vcpu"] == "pre-existing"
    assert "foreign-release:vsfile" in [each["id"] for each in document["gone"]]
    switches = {each["id"]: each["switches"] for each in document["findings"]}
    assert switches["set-up-lost:vcpu"] == 3
