"""The project's own files, for the tests that read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_NOT_OURS = {".git", ".venv", ".hypothesis", "out", "build", "__pycache__"}


@cache
def project_files() -> tuple[str, ...]:
    """Return the files that git tracks or would add, relative to the root and sorted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.splitlines() if listed.returncode == 0 else list(_walk())
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def python_files(*under: str) -> list[str]:
    """Return the project's Python files below these folders (default: all)."""
    folders = tuple(f"{folder}/" for folder in under) or ("",)
    return [name for name in project_files() if name.endswith(".py") and name.startswith(folders)]


def text_of(name: str) -> str | None:
    """Read a project file; None when it is not text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@cache
def tree_of(name: str) -> ast.Module:
    """Parse a Python file of the project."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def imports(name: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for each import anywhere in a file; `from a import b` gives a.b."""
    package = name.removesuffix(".py").replace("/", ".").split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _walk() -> Iterator[str]:
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if not _NOT_OURS.intersection(parts) and not any(
            p.endswith(("_cache", ".egg-info")) for p in parts
        ):
            yield "/".join(parts)
