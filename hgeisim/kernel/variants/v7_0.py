"""Linux v7.0: the global count is bounded by the guest files that are really there."""

from __future__ import annotations

from hgeisim.kernel.variants.v6_18 import V6_18


class V7_0(V6_18):  # noqa: N801 - the version as people write it
    """With 376e2f8cca28 (7.0): imsic_global_config.nr_guest_files, the minimum over all HARTs."""

    name = "v7.0"

    def guest_files_max(k) -> int:
        """gc->nr_guest_files."""
        return k.topology.nr_guest_files
