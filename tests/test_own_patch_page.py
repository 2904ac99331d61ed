"""The examples of docs/own-patch.md are sound."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hgeisim.cli.own_patch import execute
from tests import kernels
from tests.source import ROOT

PAGE = (ROOT / "docs/own-patch.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_are_sound(tmp_path: Path, example: str) -> None:
    (tmp_path / "mine.py").write_text(example)
    name = re.findall(r"^class (\w+)", example, re.MULTILINE)[-1]
    variant = f"v7.1+{tmp_path}/mine.py:{name}"
    execute(variant)
    k: Any = kernels.booted(variant, [3, 3])
    vcpu = kernels.add_vcpu(k, "a", 0)
    assert list(k.take_line_away(k.threads[0], vcpu, 1))
