"""The simulator against theory: ten cases, written to docs/validation.md.

    python -m benchmarks.validation [PRECISION]

PRECISION is half of the width of each interval, as a share of the exact value (default: 0.01).
Exits with 1 if an exact value lies outside of its interval, which has 99 %.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hgeisim

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"
BEGIN, END = "<!-- table: make validate -->\n", "<!-- end of table -->\n"
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "E1": ("erlang", {"lines": 5, "offered": 3}),
    "E2": ("erlang", {"lines": 11, "offered": 8}),
    "N1": ("engset", {"vcpus": 8, "lines": 5, "alpha": 0.8}),
    "L1": ("md1", {"hold": 300, "interarrival": 600}),
    "L2": ("mg1", {"hold": "250:0.425,200:0.15,150:0.425", "interarrival": 400}),
    "R1": ("repairman", {"harts": 8, "think": 2000, "hold": 300}),
    "R2": ("repairman", {"harts": 64, "think": 10_000, "hold": 250}),
    "F1": ("ticket", {"harts": 16, "hold": 250, "hand_over": 40}),
    "H1": ("hotplug", {"online": "4ms", "offline": "200us"}),
    "I1": ("stretch", {"run": "20us", "every": "120us", "steals": "500ns"}),
}
HEAD = (
    "| case | quantity | exact | simulated | 99 % interval | +- | exact is | runs |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def rows(name: str, document: dict[str, Any]) -> Iterator[str]:
    """A row for each quantity of a case."""
    parameters = " ".join(
        f"--{key.replace('_', '-')} {value}" for key, value in document["parameters"].items()
    )
    first = f"{name}: `{document['case']} {parameters}`"
    for at, each in enumerate(document["quantities"]):
        low, high = each["interval"]
        cells = (
            first if at == 0 else "",
            each["name"] + (f", {each['unit']}" if each["unit"] in ("ns", "1/us") else ""),
            f"{each['exact']:.9g}",
            f"{each['simulated']:.6g}",
            f"{low:.6g} .. {high:.6g}",
            f"{each['half_width']:.2%}",
            each["verdict"],
            document["replications"] if at == 0 else "",
        )
        yield f"| {' | '.join(map(str, cells))} |\n"


def main() -> int:
    """Validate all, and write the page."""
    precision, table, outside = float(sys.argv[1]) if sys.argv[1:] else 0.01, [HEAD], False
    for name, (case, parameters) in CASES.items():
        began = time.monotonic()
        found = hgeisim.validate(case, **parameters, precision=precision)
        print(f"{name}: {time.monotonic() - began:.0f} s\n{found}\n", flush=True)
        table += rows(name, found.document)
        outside |= not found.inside
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{''.join(table)}{END}{rest.partition(END)[2]}", "utf-8")
    return 1 if outside else 0


if __name__ == "__main__":
    raise SystemExit(main())
