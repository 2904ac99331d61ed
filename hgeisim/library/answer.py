"""The form that all results of the library have: short in a session, a table in a notebook."""

from __future__ import annotations

from hgeisim.report.grid import Grid, html


class Answer:
    """The result of a call: its `repr` is one line, a notebook shows that line and a table."""

    @property
    def _headline(self) -> str:
        """The one line."""
        raise NotImplementedError

    def _grid(self) -> Grid:
        """The table."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self._headline}>"

    def _repr_html_(self) -> str:
        return html(self._headline, self._grid())
