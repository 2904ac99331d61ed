"""Linux v7.3 (7.3.4): what a CPU loses with virtualization, or with its power, is not relied on,
and the words of a SW-file are accessed whole."""

from __future__ import annotations

from hgeisim.kernel.variants.cpu_pm import CpuPm
from hgeisim.kernel.variants.mrif_64 import Mrif64
from hgeisim.kernel.variants.v7_2 import V7_2


class V7_3(Mrif64, CpuPm, V7_2):  # type: ignore[misc]  # noqa: N801 - as in v7_2.py
    """v7.2 with cpu-pm, former-clear, on which that stands, and mrif-64."""

    name = "v7.3"
