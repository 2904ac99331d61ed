"""The part of a kernel that is not a model: the objects of a user's build, by file and digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hgeisim.kernel.variants import find_variant, opened
from hgeisim.report.layout import indented


def code_facts(variant: str) -> dict[str, dict[str, str]]:
    """The objects of a variant for a document, under `code`: the digest of each file; nothing
    where there are none."""
    objects = find_variant(variant).objects if opened(variant) else ()
    return {"code": dict(objects)} if objects else {}


def code_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """The same as text, from such a document."""
    if files := result.get("code"):
        named = ", ".join(f"{file} {digest}" for file, digest in files.items())
        yield from indented(f"code: {named}; machine and callers: model", 0)
