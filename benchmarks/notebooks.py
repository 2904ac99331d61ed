"""Execute the notebooks in place, so that they carry their outputs: python -m benchmarks.notebooks.

Needs the extra `notebook`: pip install -e '.[notebook]'.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "notebooks"
SECONDS_MAX = 600
"""A cell that takes longer is stuck."""


def execute(path: Path) -> None:
    """Execute one notebook from its first cell to its last, in its folder."""
    nbformat: Any = import_module("nbformat")  # an extra, which lint does without
    nbclient: Any = import_module("nbclient")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(
        notebook, timeout=SECONDS_MAX, resources=resources, record_timing=False
    ).execute()
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


def main(names: list[str]) -> None:
    """Execute the notebooks of these names, all without any."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or path.stem in names:
            sys.stdout.write(f"{path.name}\n")
            execute(path)


if __name__ == "__main__":
    main(sys.argv[1:])
