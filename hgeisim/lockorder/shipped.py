"""The baselines that come with hgeisim: one for each kernel that was shipped or posted."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "baselines"
SUFFIX = ".txt"


def shipped_names() -> list[str]:
    """The variants that have a baseline here, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))


def shipped_path(variant: str) -> Path | None:
    """The file of a variant's baseline, None when there is none."""
    return FOLDER / f"{variant}{SUFFIX}" if variant in shipped_names() else None
