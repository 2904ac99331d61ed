"""Imports go downwards only, and ARCHITECTURE.md shows them as they are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import networkx as nx
import pytest

from tests.support.commands import hgeisim
from tests.support.golden import difference, updating
from tests.support.source import ROOT, imports, python_files, tree_of
from tests.support.traces import trace_path

LAYERS: dict[str, set[str]] = {
    "cli": {"study", "library", "report", "runs", "scenario", "kernel", "drivers", "machine"},
    "study": {
        *("library", "report", "plot", "drivers", "watch", "checks", "runs", "scenario"),
        *("kernel", "machine"),
    },
    "library": {
        *("report", "trace", "plot", "drivers", "lockorder", "checks", "runs", "scenario"),
        *("patchrules", "kernel", "object", "machine"),
    },
    "report": {
        *("trace", "drivers", "watch", "lockorder", "checks"),
        *("runs", "scenario", "kernel", "machine"),
    },
    "plot": {"lockorder", "runs", "machine"},
    "trace": {"runs", "scenario", "machine"},
    "lockorder": set(),
    "drivers": {"trace", "watch", "lockorder", "checks", "runs", "scenario", "kernel", "machine"},
    "watch": {"checks", "lockorder", "runs", "kernel", "machine"},
    "checks": {"lockorder", "kernel", "machine"},
    "runs": {"machine"},
    "scenario": {"machine"},
    "patchrules": {"kernel", "machine"},
    "kernel": {"object", "machine"},
    "object": {"machine"},
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


def modules_of(sources: dict[str, ast.Module]) -> nx.DiGraph[str]:
    """Which module imports which, wherever in a file it does so, and for type checkers only, too.

    Importing a name from a package is importing the module of that name, if there is one.
    """
    names = {file.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): file
             for file in sources}  # fmt: skip
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(names)
    for module, file in names.items():
        for _, imported in imports(file, sources[file]):
            target = imported if imported in names else imported.rpartition(".")[0]
            if target in names:
                graph.add_edge(module, target)
    return graph


def circles(graph: nx.DiGraph[str]) -> Iterator[str]:
    """The modules that import each other, one circle of each group of them."""
    alone: Iterable[str] = nx.nodes_with_selfloops(graph)
    yield from (f"{module} imports itself" for module in alone)
    for group in nx.strongly_connected_components(graph):
        if len(group) > 1:
            edges = nx.find_cycle(graph.subgraph(sorted(group)))
            yield " -> ".join([*(edge[0] for edge in edges), edges[0][0]])


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
    found = [said for name in python_files("hgeisim") for said in check(name, tree_of(name))]
    assert not found, "\n".join(found)


def test_no_modules_import_each_other() -> None:
    graph = modules_of({name: tree_of(name) for name in python_files("hgeisim")})
    found = sorted(circles(graph))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (
            {"h/a.py": "import h.b", "h/b.py": "if TYPE_CHECKING:\n    from h.a import A"},
            "h.a -> h.b -> h.a",
        ),
        (
            {"h/a.py": "from h import b", "h/b.py": "def f():\n    from h.c import C",
             "h/c.py": "from .a import A"},
            "h.a -> h.b -> h.c -> h.a",
        ),
        ({"h/__init__.py": "from h.a import A", "h/a.py": "from h import X"}, "h -> h.a -> h"),
        ({"h/a.py": "import h.a"}, "h.a imports itself"),
        ({"h/a.py": "import h.b\nimport h.c", "h/b.py": "import h.c", "h/c.py": ""}, ""),
        ({"h/__init__.py": "", "h/a.py": "from h import b", "h/b.py": ""}, ""),
    ],
)  # fmt: skip
def test_a_circle_is_seen(sources: dict[str, str], said: str) -> None:
    found = circles(modules_of({name: ast.parse(text) for name, text in sources.items()}))
    assert "\n".join(found) == said


def test_every_folder_is_a_layer() -> None:
    folders = {name.split("/")[1] for name in python_files("hgeisim") if name.count("/") > 1}
    assert folders == set(LAYERS)


@pytest.mark.parametrize(
    ("check", "name", "source"),
    [
        (upward_imports, "hgeisim/kernel/a.py", "from hgeisim.drivers.timed import x"),
        (upward_imports, "hgeisim/machine/a.py", "import hgeisim.kernel.aia"),
        (upward_imports, "hgeisim/runs/a.py", "def f():\n    from hgeisim import plot"),
        (upward_imports, "hgeisim/plot/a.py", "from ..cli import main"),
        (outside_world, "hgeisim/kernel/a.py", "import simpy.events"),
        (outside_world, "hgeisim/kernel/variants/a.py", "from pathlib import Path"),
        (outside_world, "hgeisim/machine/a.py", "text = open('x')"),
    ],
)
def test_a_wrong_import_is_seen(check: object, name: str, source: str) -> None:
    assert callable(check)
    (said,) = check(name, ast.parse(source))
    assert said.startswith(f"{name}:{2 if 'def' in source else 1}: ")


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


AT_REST = """
import sys
from hgeisim.cli.main import main
assert main(sys.argv[1:]) == 0
print(*(name for name in sys.modules if name.startswith("hgeisim.")), file=sys.stderr)
"""
OF_A_KERNEL = ("kernel", "drivers", "checks", "watch", "scenario", "patchrules")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with all tables."""
    path = tmp_path_factory.mktemp("at-rest") / "run"
    assert hgeisim("run", "big-little", "--until", "1ms", "--out", str(path)).status == 0
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["plot", "FOLDER", "--kind", "all"],
        ["trace", "import", str(trace_path("exhausted")), "--out", "OUT"],
        ["trace", "compare", "FOLDER", "FOLDER"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_runs_at_rest_need_no_kernel(command: list[str], folder: Path, tmp_path: Path) -> None:
    """Of the machine only its topology: lines and HARTs, nothing that moves."""
    places = {"FOLDER": str(folder), "OUT": str(tmp_path / "out")}
    words = [places.get(word, word) for word in command]
    done = subprocess.run(
        [sys.executable, "-c", AT_REST, *words], capture_output=True, text=True, check=True
    )
    imported = done.stderr.split()
    layers = {name: layer_of(name) for name in imported}
    assert [name for name, layer in layers.items() if layer in OF_A_KERNEL] == []
    machine = {name for name, layer in layers.items() if layer == "machine"}
    assert machine <= {"hgeisim.machine", "hgeisim.machine.topology"}
