"""The surroundings of every test: 80 columns, the same examples each time, no settings of the user,
no patches of other tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from hgeisim.drivers.timed import base_runs
from hgeisim.kernel.variants import OWN

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")

os.environ["COLUMNS"] = "80"
for name in ("HGEISIM_TRACEBACK", "FORCE_COLOR", "NO_COLOR"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _a_base_runs_a_few_times(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as often as a user's patch deserves; tests/timed/test_base_runs.py is about that."""
    if not request.node.nodeid.startswith("tests/timed/test_base_runs.py"):
        monkeypatch.setattr(base_runs, "RUNS", base_runs.FEW)


@pytest.fixture(autouse=True, scope="module")
def _own_patches_are_forgotten() -> Iterator[None]:
    """Messages list the patches that are known, also those of users' files."""
    before = dict(OWN)
    yield
    OWN.clear()
    OWN.update(before)
