"""Linux v7.1: registers are not written again for the vCPU that was on this CPU last."""

from __future__ import annotations

from hgeisim.kernel.variants.former_skip import FormerSkip
from hgeisim.kernel.variants.v7_0 import V7_0


class V7_1(FormerSkip, V7_0):  # noqa: N801 - the version as people write it
    """v7.0 with former-skip (1323a5cfe52c)."""

    name = "v7.1"
