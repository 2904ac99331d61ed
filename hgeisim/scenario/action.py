"""What a [[task]] does, one action after the other: a verb and, mostly, its object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from hgeisim.scenario.mistakes import did_you_mean

VCPU_VERBS = {"migrate": "HART", "run": "", "block": ""}
"""Verbs of a vCPU's own thread, and what they are followed by."""
HART_VERBS = {
    "destroy": "VCPU",
    "offline": "HART",
    "online": "HART",
    "msi": "VCPU",
    "irqfd": "VCPU",
}
"""Verbs of a task on a HART, and what they are followed by."""
VERBS = VCPU_VERBS | HART_VERBS


@dataclass(frozen=True)
class Action:
    """One action; `hart` or `vcpu` is its object, where the verb has one."""

    verb: str
    hart: int | None = None
    vcpu: str | None = None

    def __str__(self) -> str:
        words = (self.verb, self.hart, self.vcpu)
        return " ".join(str(word) for word in words if word is not None)


def parse_action(text: object) -> Action:
    """Read an action such as "migrate 3"; ValueError says what is allowed, and maybe a remedy."""
    verb, *rest = text.split() if isinstance(text, str) and text.strip() else [""]
    if verb not in VERBS:
        raise ValueError(f"must be one of {allowed_actions(VERBS)}", did_you_mean(verb, VERBS))
    object_kind = VERBS[verb]
    if len(rest) != bool(object_kind) or (object_kind == "HART" and not _is_number(rest[0])):
        raise ValueError(f"must be {allowed_actions({verb: object_kind})}")
    if object_kind == "HART":
        return Action(verb, hart=int(rest[0]))
    return Action(verb, vcpu=rest[0] if rest else None)


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
