"""What every test starts from: 80 columns, the same examples each time, no settings of the user."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")

os.environ["COLUMNS"] = "80"
for name in ("HGEISIM_TRACEBACK", "FORCE_COLOR", "NO_COLOR"):
    os.environ.pop(name, None)
