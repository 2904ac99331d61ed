"""A rule for what a patch writes to stdout, which belongs to the command."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from hgeisim.patchrules.look import Look
from hgeisim.patchrules.mistake import Mistake

OURS = ("sys.stdout", "sys.__stdout__", "sys.stdout.buffer")


def stdout_is_not_written(look: Look) -> Iterator[Mistake]:
    """`sys.stdout.write(...)` goes between the lines of the command, once for each step."""
    for node in look.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=owner)) if ast.unparse(owner) in OURS:
                if look.file.names.get("sys") is sys:
                    text = f"{ast.unparse(node.func)} writes into the output of the command"
                    yield Mistake(
                        node, text, "write `print(...)`: it goes to stderr, each text once"
                    )
