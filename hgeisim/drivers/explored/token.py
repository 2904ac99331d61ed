"""Replay tokens: a schedule as one word that can be pasted into a mail.

    hg1.<base32 of the compressed JSON>.<checksum>

The JSON holds the scenario's name and digest, what was overridden, the finding and the schedule.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import asdict, dataclass
from hashlib import blake2b

VERSION = "hg1"


class TokenError(ValueError):
    """A word that is not a token of this version; the message says why."""


@dataclass(frozen=True)
class Token:
    """A schedule of a scenario.  `digest` is that of the effective scenario it was found in."""

    scenario: str
    digest: str
    variant: str
    preemption: str
    finding: str
    schedule: tuple[int, ...]


def encode(token: Token) -> str:
    """Write a token as one word of letters, digits and dots."""
    text = json.dumps(asdict(token), separators=(",", ":"), sort_keys=True)
    packed = zlib.compress(text.encode(), 9)
    body = base64.b32encode(packed).decode().rstrip("=").lower()
    return f"{VERSION}.{body}.{_checksum(body)}"


def decode(word: str) -> Token:
    """Read a token.  Raises `TokenError`."""
    version, _, rest = "".join(word.split()).partition(".")
    if version != VERSION:
        raise TokenError(f"starts with {version[:12]!r}; this program reads {VERSION} tokens")
    body, _, checksum = rest.partition(".")
    if checksum != _checksum(body):
        raise TokenError("its checksum does not fit: a part of the token is missing or changed")
    try:
        packed = base64.b32decode(body.upper() + "=" * (-len(body) % 8))
        fields = json.loads(zlib.decompress(packed))
        return Token(**{**fields, "schedule": tuple(fields["schedule"])})
    except (binascii.Error, zlib.error, ValueError, TypeError, KeyError) as error:
        raise TokenError(f"its content cannot be read ({error})") from None


def _checksum(body: str) -> str:
    return blake2b(body.encode(), digest_size=3).hexdigest()
