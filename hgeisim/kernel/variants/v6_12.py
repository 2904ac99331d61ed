"""Linux v6.12: the first version here; the others are what they change of it."""

from __future__ import annotations

from hgeisim.kernel.main import Module


class V6_12(Module):  # noqa: N801 - the version as people write it
    """One global HGEI count, probed on the CPU that runs the initcall."""

    name = "v6.12"
