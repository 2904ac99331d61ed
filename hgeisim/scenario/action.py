"""What a [[task]] does, one action after the other: a verb and its objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from hgeisim.scenario.mistakes import did_you_mean

VCPU_VERBS = {"migrate": "HART", "run": "", "block": "", "exit": ""}
"""Verbs of a vCPU's own thread, and what they are followed by."""
HART_VERBS = {
    "destroy": "VCPU",
    "offline": "HART",
    "online": "HART",
    "msi": "VCPU",
    "irqfd": "VCPU",
    "move": "VCPU HART",
    "reset": "VCPU",
    "rw_attr": "VCPU",
    "unload": "",
    "load": "",
    "shutdown": "",
}
"""Verbs of a task on a HART, and what they are followed by."""
VERBS = VCPU_VERBS | HART_VERBS


@dataclass(frozen=True)
class Action:
    """One action; `vcpu` and `hart` are its objects, where the verb has them."""

    verb: str
    hart: int | None = None
    vcpu: str | None = None

    def __str__(self) -> str:
        words = (self.verb, self.vcpu, self.hart)
        return " ".join(str(word) for word in words if word is not None)


def parse_action(text: object) -> Action:
    """Read an action such as "migrate 3"; ValueError says what is allowed, and maybe a remedy."""
    verb, *rest = text.split() if isinstance(text, str) and text.strip() else [""]
    if verb not in VERBS:
        raise ValueError(f"must be one of {allowed_actions(VERBS)}", did_you_mean(verb, VERBS))
    kinds = VERBS[verb].split()
    found = dict(zip(kinds, rest, strict=False))
    if len(rest) != len(kinds) or not _is_number(found.get("HART", "0")):
        raise ValueError(f"must be {allowed_actions({verb: VERBS[verb]})}")
    hart = int(found["HART"]) if "HART" in found else None
    return Action(verb, hart, found.get("VCPU"))


def allowed_actions(verbs: dict[str, str]) -> str:
    """List actions for a message: "migrate HART", "run", "block"."""
    return ", ".join(f'"{verb} {kind}"'.replace(' "', '"') for verb, kind in verbs.items())


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 5


ActionText = Annotated[
    Action,
    BeforeValidator(parse_action),
    PlainSerializer(str),
    Field(description=f"one of {allowed_actions(VERBS)}"),
]
"""An action: text in the file, an `Action` in the program."""
