"""docs/scenario-format.md lists every key with its default, and its examples can be loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from hgeisim.kernel.variants import variant_problem
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.parse import KEYS
from hgeisim.scenario.schema import (
    Balance,
    Device,
    HartGroup,
    Hotplug,
    Kernel,
    LockLoad,
    Machine,
    RandomHotplug,
    Run,
    Task,
    Vcpu,
    Vm,
)
from hgeisim.scenario.table import Table, format_duration
from hgeisim.scenario.timing import Constant, Timing

PAGE = (Path(__file__).parent.parent.parent / "docs" / "scenario-format.md").read_text(
    encoding="utf-8"
)
ROWS = [
    (cells[1].strip().strip("`"), cells[3].strip())
    for cells in (line.split("|") for line in PAGE.splitlines())
    if len(cells) == 6 and cells[1].startswith(" `")
]
"""Key and default of each row, in the order of the page."""
TABLES: list[type[Table]] = [
    Machine,
    HartGroup,
    Kernel,
    Run,
    Vm,
    Balance,
    Hotplug,
    RandomHotplug,
    Timing,
    Device,
    LockLoad,
    Vcpu,
    Task,
]
TIMES = ("arrives", "stagger", "until", "halt_poll_max")


def default_of(name: str, field: FieldInfo) -> str:
    """A default as the page writes it."""
    if isinstance(field.default, Constant):
        return f'`"{format_duration(field.default.value)}"`'
    if field.is_required() or field.default is None:
        return ""
    if name in TIMES:
        return f'`"{format_duration(field.default)}"`'
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


def test_every_key_has_a_row_and_no_other() -> None:
    fields = [name for table in TABLES for name in table.model_fields]
    assert [key for key, _ in ROWS] == ["title", "look_at", "no_lines", "survey", *fields]
    assert all(f"`{key}`" in PAGE or f"[{key}]" in PAGE for key in KEYS)


def test_defaults() -> None:
    fields = [
        default_of(name, field) for table in TABLES for name, field in table.model_fields.items()
    ]
    words = (
        "not given",
        "fewest that do",
        "never",
        "at boot",
        "all",
        "none",
        "immediately",
        "1, or no end with `every`",
        "for ever",
        "all others",
        "a VM of its own",
        "each in turn",
    )  # defaults that no value can write
    shown = ["" if default in words else default for _, default in ROWS[4:]]
    assert shown == fields


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_examples(tmp_path: Path, example: str) -> None:
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    assert load_scenario(path, known_variant=variant_problem).digest
