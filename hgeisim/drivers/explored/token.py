"""Replay tokens: a schedule as one word that can be pasted into a mail.

    hg1.<base64url of header and runs>.<checksum>

The header is scenario, variant, preemption and the first digits of the scenario's digest, each
ended by a newline.  The runs are pairs of bytes: a context, and how many steps it makes.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

VERSION = "hg1"
DIGEST_DIGITS = 8
RUN_MAX = 255


class TokenError(ValueError):
    """A word that is not a token of this version; the message says why."""


@dataclass(frozen=True)
class Token:
    """A schedule of a scenario; `digest` starts that of the effective scenario it belongs to."""

    scenario: str
    variant: str
    preemption: str
    digest: str
    schedule: tuple[int, ...]


def encode(token: Token) -> str:
    """Write a token as one word of letters, digits, `-`, `_` and dots."""
    header = (token.scenario, token.variant, token.preemption, token.digest[:DIGEST_DIGITS])
    runs = bytes(x for context, n in _runs(token.schedule) for x in (context, n))
    packed = "".join(part + "\n" for part in header).encode() + runs
    body = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return f"{VERSION}.{body}.{_checksum(body)}"


def decode(word: str) -> Token:
    """Read a token, ignoring white space.  Raises `TokenError`."""
    version, _, rest = "".join(word.split()).partition(".")
    if version != VERSION:
        raise TokenError(f"it starts with {version[:12]!r}, not with {VERSION!r}")
    body, _, checksum = rest.partition(".")
    if checksum != _checksum(body):
        raise TokenError("its checksum does not fit: a part of it is missing or changed")
    try:
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        *header, runs = packed.split(b"\n", 4)
        scenario, variant, preemption, digest = (part.decode() for part in header)
    except (binascii.Error, ValueError):
        raise TokenError("its content cannot be read") from None
    return Token(scenario, variant, preemption, digest, _schedule(runs))


def _runs(schedule: tuple[int, ...]) -> list[tuple[int, int]]:
    runs = []
    for context, steps in groupby(schedule):
        left = len(list(steps))
        while left:
            runs.append((context, min(left, RUN_MAX)))
            left -= runs[-1][1]
    return runs


def _schedule(runs: bytes) -> tuple[int, ...]:
    pairs = zip(runs[::2], runs[1::2], strict=False)
    return tuple(context for context, n in pairs for _ in range(n))


def _checksum(body: str) -> str:
    return blake2b(body.encode(), digest_size=3).hexdigest()
