"""The picture of a search for capacity: the values that it visited, and the target."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hgeisim.plot.page import page
from hgeisim.plot.style import BLACK, BLUE, ORANGE, VERMILION, styled

LOOKS = {"kept": (BLUE, "o"), "broken": (VERMILION, "s"), "undecided": (ORANGE, "^")}
_WIDTH, _LEFT, _RIGHT, _HEIGHT = 10.0, 0.95, 0.35, 4.0


def capacity_figure(document: dict[str, Any]) -> Figure:
    """Draw the estimates with their intervals, from the document of `hgeisim capacity`."""
    facts = document["metric"]
    unit, name = (0.01, "%") if facts["unit"] == "share" else (1, facts["unit"])
    what = "share of" if facts["unit"] == "share" else "over"
    subtitle = f"{facts['name']}: {facts['meaning']}; {what} {facts['denominator']}"
    title = f"{document['title'] or document['scenario']}\n{subtitle}"
    with styled():
        made = page(f"{title}\n{document['level']:g} % for the whole search", _WIDTH, _HEIGHT + 1.2)
        panel = made.axes(_LEFT, 0, _WIDTH - _LEFT - _RIGHT, _HEIGHT)
        for verdict, (color, mark) in LOOKS.items():
            places = [p for p in document["places"] if p["verdict"] == verdict and p["estimate"]]
            found = [place["estimate"] for place in places]
            values = [each["value"] / unit for each in found]
            below = [(each["value"] - (each["low"] or 0)) / unit for each in found]
            above = [((each["high"] or each["value"]) - each["value"]) / unit for each in found]
            if places:
                panel.errorbar(
                    [place["value"] for place in places], values, [below, above],
                    fmt=mark, color=color, capsize=3, label=verdict,
                )  # fmt: skip
        limit = document["target"]["limit"] / unit
        panel.axhline(limit, color=BLACK, linestyle="--", label=document["target"]["text"])
        panel.set_xlabel(document["key"])
        panel.set_ylabel(f"{facts['name']}, {name}")
        panel.xaxis.set_major_locator(MaxNLocator(16, integer=True))
        handles, _ = panel.get_legend_handles_labels()
        made.legend(handles)
    return made.figure
