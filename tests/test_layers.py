"""Imports go downwards only, and ARCHITECTURE.md shows them as they are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.golden import difference, updating
from tests.source import ROOT, imports, python_files, tree_of

LAYERS: dict[str, set[str]] = {
    "cli": {
        "watch",
        "report",
        "trace",
        "lockorder",
        "plot",
        "drivers",
        "checks",
        "record",
        "scenario",
        "kernel",
        "machine",
    },
    "report": {
        *("drivers", "watch", "lockorder", "checks", "record", "scenario", "kernel", "machine"),
    },
    "plot": {"lockorder", "record", "machine"},
    "trace": {"record", "scenario", "machine"},
    "lockorder": set(),
    "drivers": {"trace", "watch", "lockorder", "checks", "record", "scenario", "kernel", "machine"},
    "watch": {"checks", "lockorder", "record", "kernel", "machine"},
    "checks": {"kernel", "machine"},
    "record": {"kernel", "machine"},
    "scenario": {"machine"},
    "kernel": {"machine"},
    "machine": set(),
}
"""What each layer may import, besides itself and errors.py."""

OUTSIDE = {
    *("simpy", "matplotlib", "numpy", "networkx", "pydantic", "click", "rich", "fdt"),
    *("io", "os", "pathlib", "shutil", "tempfile", "subprocess"),
}
"""What kernel/ and machine/ know nothing of: time, pictures, files."""


def upward_imports(name: str, tree: ast.Module) -> Iterator[str]:
    layer = layer_of(name)
    for line, module in imports(name, tree):
        other = layer_of(module)
        if layer and other and other not in LAYERS[layer] | {layer}:
            below = ", ".join(sorted(LAYERS[layer])) or "nothing"
            yield f"{name}:{line}: {layer} imports {other}, but may import only {below}"


def outside_world(name: str, tree: ast.Module) -> Iterator[str]:
    if layer_of(name) not in ("kernel", "machine"):
        return
    for line, module in imports(name, tree):
        if module.split(".")[0] in OUTSIDE:
            yield f"{name}:{line}: {module} does not belong below the drivers"
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "open"
        ):
            yield f"{name}:{node.lineno}: open() does not belong below the drivers"


def layer_of(place: str) -> str:
    """Return the layer of a file or module; "" for what is outside, or directly in hgeisim."""
    parts = place.replace("/", ".").split(".")
    inside = parts[0] == "hgeisim" and len(parts) > 1
    return parts[1] if inside and parts[1] in LAYERS else ""


def import_graph() -> str:
    """Draw which layer imports which, from the imports as they are; errors.py is left out."""
    found: dict[str, set[str]] = {layer: set() for layer in LAYERS}
    for name in python_files("hgeisim"):
        for _, module in imports(name, tree_of(name)):
            other = layer_of(module)
            if layer_of(name) and other and other != layer_of(name):
                found[layer_of(name)].add(other)
    width = max(map(len, LAYERS))
    targets = {layer: ", ".join(t for t in LAYERS if t in found[layer]) for layer in LAYERS}
    return "".join(f"{layer:{width}} -> {targets[layer] or '(nothing)'}\n" for layer in LAYERS)


@pytest.mark.parametrize("check", [upward_imports, outside_world])
def test_imports_go_downwards(check: object) -> None:
    assert callable(check)
    found = [told for name in python_files("hgeisim") for told in check(name, tree_of(name))]
    assert not found, "\n".join(found)


def test_every_folder_is_a_layer() -> None:
    folders = {name.split("/")[1] for name in python_files("hgeisim") if name.count("/") > 1}
    assert folders == set(LAYERS)


@pytest.mark.parametrize(
    ("check", "name", "source"),
    [
        (upward_imports, "hgeisim/kernel/a.py", "from hgeisim.drivers.timed import x"),
        (upward_imports, "hgeisim/machine/a.py", "import hgeisim.kernel.aia"),
        (upward_imports, "hgeisim/record/a.py", "def f():\n    from hgeisim import plot"),
        (upward_imports, "hgeisim/plot/a.py", "from ..cli import main"),
        (outside_world, "hgeisim/kernel/a.py", "import simpy.events"),
        (outside_world, "hgeisim/kernel/variants/a.py", "from pathlib import Path"),
        (outside_world, "hgeisim/machine/a.py", "text = open('x')"),
    ],
)
def test_a_wrong_import_is_seen(check: object, name: str, source: str) -> None:
    assert callable(check)
    (told,) = check(name, ast.parse(source))
    assert told.startswith(f"{name}:{2 if 'def' in source else 1}: ")


def test_a_right_import_is_not_told() -> None:
    tree = ast.parse("import ast\nfrom hgeisim.machine import hart\nfrom hgeisim.errors import E")
    assert not [
        *upward_imports("hgeisim/kernel/a.py", tree),
        *outside_world("hgeisim/kernel/a.py", tree),
    ]


def test_architecture_shows_the_imports() -> None:
    path = ROOT / "ARCHITECTURE.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    block = re.compile(r"(## Import graph\n.*?```text\n)(.*?)(```)", re.DOTALL)
    found = block.search(text)
    assert found, "ARCHITECTURE.md: needs '## Import graph' with a ```text block"
    if updating():
        path.write_text(block.sub(lambda m: m[1] + import_graph() + m[3], text), encoding="utf-8")
        return
    assert found[2] == import_graph(), difference(found[2], import_graph(), path.name)
