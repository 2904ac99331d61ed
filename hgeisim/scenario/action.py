"""The actions of a [[task]], each a verb with its objects, performed one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer

from hgeisim.errors import did_you_mean


class Verb(NamedTuple):
    """A verb of an action, with the kinds of its `objects`, and its restrictions.

    `own`: only a vCPU's own thread may do it; the other verbs are for a task on a HART.  `enters`:
    the guest of that vCPU is entered.
    `hotplug`: its task is the thread cpuhp/N, and its object is that HART.  `idle`: its task is the
    idle task of a HART, which does nothing else, and its object is that HART.  `moves`: it moves
    the thread of another vCPU.  `once`: what it does to a vCPU can happen only once.  `last`: no
    action may follow it.  `alone`: the scenario may not have a VM.

    Each verb is a method of `hgeisim.kernel.script.Script`.
    """

    objects: str = ""
    own: bool = False
    enters: bool = False
    hotplug: bool = False
    idle: bool = False
    moves: bool = False
    once: str = ""
    last: bool = False
    alone: bool = False


VERBS = {
    "migrate": Verb("HART", own=True),
    "run": Verb(own=True, enters=True),
    "store": Verb("VCPU", own=True, enters=True),
    "write": Verb(own=True, enters=True),
    "trap": Verb(own=True, enters=True),
    "mask": Verb(own=True, enters=True),
    "block": Verb(own=True),
    "exit": Verb(own=True),
    "leave": Verb(own=True, last=True),
    "exit_mm": Verb(own=True, last=True),
    "create": Verb("VCPU"),
    "destroy": Verb("VCPU", once="be destroyed only once"),
    "offline": Verb("HART", hotplug=True),
    "online": Verb("HART", hotplug=True),
    "power_down": Verb("HART", idle=True),
    "msi": Verb("VCPU"),
    "sbi_ipi": Verb("VCPU"),
    "irqfd": Verb("VCPU"),
    "move": Verb("VCPU HART", moves=True),
    "reset": Verb("VCPU"),
    "rw_attr": Verb("VCPU"),
    "get_eie": Verb("VCPU"),
    "set_eie": Verb("VCPU"),
    "set_reg": Verb("VCPU"),
    "vmid_rollover": Verb(),
    "unload": Verb(alone=True),
    "load": Verb(alone=True),
    "suspend": Verb(),
    "shutdown": Verb(),
}


def verbs_of(own: bool) -> dict[str, Verb]:
    """The verbs of a vCPU's own thread, or those of a task on a HART."""
    return {name: verb for name, verb in VERBS.items() if verb.own is own}


@dataclass(frozen=True)
class Action:
    """One action; `vcpu` and `hart` are its objects, if the verb has them."""

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
    hart = found.get("HART", "0")
    is_number = hart.isascii() and hart.isdecimal() and len(hart) <= 5
    if len(rest) != len(kinds) or not is_number:
        where = ", in the task of a vCPU" if VERBS[verb].own else ""
        raise ValueError(f"must be {allowed_actions({verb: VERBS[verb]})}{where}")
    return Action(verb, int(hart) if "HART" in found else None, found.get("VCPU"))


def allowed_actions(verbs: Mapping[str, Verb]) -> str:
    """A list of actions for a message: "migrate HART", "run", "block"."""
    texts = (f'"{name} {verb.objects}"' for name, verb in verbs.items())
    return ", ".join(text.replace(' "', '"') for text in texts)


ActionText = Annotated[
    Action,
    BeforeValidator(parse_action),
    PlainSerializer(str),
    Field(description=f"one of {allowed_actions(VERBS)}"),
]
"""An action: text in the file, an `Action` in the program."""
