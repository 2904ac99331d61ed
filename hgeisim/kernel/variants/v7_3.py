"""Linux v7.3 (7.3.4): a CPU that loses virtualization forgets which vCPU it had last."""

from __future__ import annotations

from hgeisim.kernel.variants.former_clear import FormerClear
from hgeisim.kernel.variants.v7_2 import V7_2


class V7_3(FormerClear, V7_2):  # type: ignore[misc]  # noqa: N801 - as in v7_2.py
    """v7.2 with former-clear.  Its CPU PM notifier is not modelled: no HART loses power here."""

    name = "v7.3"
