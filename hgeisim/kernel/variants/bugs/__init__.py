"""Bugs of shipped kernels, each alone on a kernel that has its fix, and fixes that none has yet.

Each is a patch: v7.3+B-03 is v7.3 with that bug again.  The numbers are those of docs/findings.md.
"""

from __future__ import annotations

from hgeisim.kernel.state import Kernel
from hgeisim.kernel.variants.bugs.b_01 import B01
from hgeisim.kernel.variants.bugs.b_03 import B03
from hgeisim.kernel.variants.bugs.b_05 import B05
from hgeisim.kernel.variants.bugs.b_08_fixed import B08Fixed
from hgeisim.kernel.variants.bugs.b_08_raw import B08Raw
from hgeisim.kernel.variants.bugs.b_09_fixed import B09Fixed
from hgeisim.kernel.variants.bugs.b_12 import B12
from hgeisim.kernel.variants.bugs.b_17 import B17
from hgeisim.kernel.variants.bugs.b_24_fixed import B24Fixed
from hgeisim.kernel.variants.bugs.f_6_fixed import F6Fixed
from hgeisim.kernel.variants.bugs.f_8_fixed import F8Fixed
from hgeisim.kernel.variants.bugs.f_9_fixed import F9Fixed
from hgeisim.kernel.variants.bugs.pm_0 import PM0
from hgeisim.kernel.variants.bugs.v2_4_fixed import V24Fixed
from hgeisim.kernel.variants.bugs.v5_1_fixed import V51Fixed

BUGS: dict[str, type[Kernel]] = {
    "B-01": B01,
    "B-03": B03,
    "B-05": B05,
    "B-08-fixed": B08Fixed,
    "B-08-raw": B08Raw,
    "B-09-fixed": B09Fixed,
    "B-12": B12,
    "B-17": B17,
    "B-24-fixed": B24Fixed,
    "F-6-fixed": F6Fixed,
    "F-8-fixed": F8Fixed,
    "F-9-fixed": F9Fixed,
    "PM-0": PM0,
    "V2-4-fixed": V24Fixed,
    "V5-1-fixed": V51Fixed,
}
