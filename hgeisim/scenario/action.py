"""What a [[task]] does, one action after the other: a verb and its objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer

from hgeisim.scenario.messages import did_you_mean


class Verb(NamedTuple):
    """A verb: what follows it (`objects`), and what is special about it.

    `own`: it is for a vCPU's own thread, the others are for a task on a HART.  `hotplug`: its task
    is the thread cpuhp/N, and is about that HART.  `moves`: it moves the thread of another vCPU.
    `once`: what a vCPU can be only once.  `last`: nothing comes after it.  `alone`: there is no VM.

    A verb is a method of `hgeisim.kernel.script.Script`.
    """

    objects: str = ""
    own: bool = False
    hotplug: bool = False
    moves: bool = False
    once: str = ""
    last: bool = False
    alone: bool = False


VERBS = {
    "migrate": Verb("HART", own=True),
    "run": Verb(own=True),
    "block": Verb(own=True),
    "exit": Verb(own=True),
    "leave": Verb(own=True, last=True),
    "destroy": Verb("VCPU", once="be destroyed once"),
    "offline": Verb("HART", hotplug=True),
    "online": Verb("HART", hotplug=True),
    "msi": Verb("VCPU"),
    "irqfd": Verb("VCPU"),
    "move": Verb("VCPU HART", moves=True),
    "reset": Verb("VCPU"),
    "rw_attr": Verb("VCPU"),
    "unload": Verb(alone=True),
    "load": Verb(alone=True),
    "shutdown": Verb(),
}


def verbs_of(own: bool) -> dict[str, Verb]:
    """The verbs of a vCPU's own thread, or those of a task on a HART."""
    return {name: verb for name, verb in VERBS.items() if verb.own is own}


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
    kinds = VERBS[verb].objects.split()
    found = dict(zip(kinds, rest, strict=False))
    if len(rest) != len(kinds) or not _is_number(found.get("HART", "0")):
        raise ValueError(f"must be {allowed_actions({verb: VERBS[verb]})}")
    hart = int(found["HART"]) if "HART" in found else None
    return Action(verb, hart, found.get("VCPU"))


def allowed_actions(verbs: Mapping[str, Verb]) -> str:
    """List actions for a message: "migrate HART", "run", "block"."""
    texts = (f'"{name} {verb.objects}"' for name, verb in verbs.items())
    return ", ".join(text.replace(' "', '"') for text in texts)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 5


ActionText = Annotated[
    Action,
    BeforeValidator(parse_action),
    PlainSerializer(str),
    Field(description=f"one of {allowed_actions(VERBS)}"),
]
"""An action: text in the file, an `Action` in the program."""
