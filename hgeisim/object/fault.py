"""The mistakes of an object that would crash the kernel."""

from __future__ import annotations

NULL, UNMAPPED, MISALIGNED = "null", "unmapped", "misaligned"
ENDLESS, STACK, ILLEGAL = "endless", "stack-overflow", "illegal-instruction"
STACK_SMASHED, UNWRITTEN = "stack-smashed", "unwritten"


class Fault(Exception):
    """An instruction that cannot be executed: `kind` is one of the above, `pc` its address."""

    def __init__(self, kind: str, text: str, pc: int = 0) -> None:
        super().__init__(text)
        self.kind, self.pc = kind, pc
