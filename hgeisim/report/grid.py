"""Text of a command that holds tables: laid out for a mail, or as HTML for a notebook.

A text is lines and grids, one after the other.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80
_RULE_UNDER_HEAD = "    \n    \n -- \n" + "    \n" * 5


class Grid(NamedTuple):
    """A table: heads, and rows of cells below them."""

    heads: Sequence[str]
    rows: Iterable[Sequence[object]]
    title: str = ""


Part: TypeAlias = str | Grid


def table(grid: Grid) -> Table:
    """Lay a grid out; a column that holds only numbers (and "-") goes to the right."""
    from rich.box import Box  # noqa: PLC0415 - late, for a quick --help
    from rich.table import Table  # noqa: PLC0415

    cells = [[str(cell) for cell in row] for row in grid.rows]
    made = Table(title=grid.title or None, box=Box(_RULE_UNDER_HEAD, ascii=True), show_edge=False)
    made.title_justify, made.title_style, made.pad_edge = "left", "bold", False
    for at, head in enumerate(grid.heads):
        numbers = all(_is_number(row[at]) for row in cells)
        made.add_column(head, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        made.add_row(*row)
    return made


def plain(parts: Iterable[Part]) -> str:
    """The text without colours, 80 columns wide; longer cells are folded, never cut."""
    from rich.console import Console  # noqa: PLC0415

    lines: list[str] = []
    for part in parts:
        if isinstance(part, str):
            lines.append(part)
            continue
        style: Any = {"highlight": False, "markup": False, "emoji": False, "_environ": {}}
        nowhere: Any = {"force_terminal": False, "force_jupyter": False, "color_system": None}
        out = Console(file=io.StringIO(), width=WIDTH, **style, **nowhere)
        with out.capture() as text:
            out.print(table(part))
        lines += [line.rstrip() for line in text.get().splitlines()]
    return "\n".join(lines)


def html(caption: str, grid: Grid) -> str:
    """A small HTML table with a caption above it."""
    head = "".join(f"<th>{escape(each)}</th>" for each in grid.heads)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in grid.rows
    )
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>" if rows else ""
    return f"<p>{escape(caption)}</p><table>{body}</table>" if body else f"<p>{escape(caption)}</p>"


def _is_number(cell: str) -> bool:
    """`12`, `1.5 %`, `<0.1%`, `-` and an empty cell are numbers here."""
    head = cell.replace(",", "").split(" ")[0].rstrip("%!").lstrip("<>")
    return head in ("", "-") or head.lstrip("-").replace(".", "", 1).isdigit()
