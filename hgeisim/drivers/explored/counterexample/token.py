"""Replay tokens: a schedule as one word that can be pasted into a mail.

    hg2.<base64url of header and runs>.<checksum>

The header consists of the scenario, the variant, the preemption model and the first digits of the
scenario's digest, each ended by a NUL.  The digest may be followed by a dot and the digest of the
files of a user's own patches; without it nothing is known about these files.  The runs are pairs of
numbers: a context, and how many steps it makes.  A number is stored seven bits to a byte, the
lowest first; its last byte is below 128.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

from hgeisim.kernel.variants import opened
from hgeisim.scenario.find import is_bare_name

VERSION = "hg2"
OLDER = ("hg1",)
DIGEST_DIGITS = 8
STEPS_MAX = 10_000_000
"""Longest schedule that is read; far above what a search finds."""
COPY_ALL = "copy the whole word that `hgeisim explore` printed"


class TokenError(ValueError):
    """A word is not a token of this version; the message says why, `remedy` what to do."""

    def __init__(self, why: str, remedy: str = COPY_ALL) -> None:
        self.remedy = remedy
        super().__init__(why)


@dataclass(frozen=True)
class Token:
    """A schedule of a scenario; `digest` begins the digest of all that a search depends on, and
    `patch` is the digest of the user's own patches, empty if there are none."""

    scenario: str
    variant: str
    preemption: str
    digest: str
    schedule: tuple[int, ...]
    patch: str = ""


def encode(token: Token) -> str:
    """Write a token as one word of letters, digits, `-`, `_` and dots.

    A file name may contain any character; here it only informs a reader, so `?` replaces those that
    cannot be printed.
    """
    digest = token.digest[:DIGEST_DIGITS] + (f".{token.patch}" if token.patch else "")
    header = (token.scenario, token.variant, token.preemption, digest)
    names = ("".join(c if c.isprintable() else "?" for c in part) for part in header)
    runs = ((context, len(list(steps))) for context, steps in groupby(token.schedule))
    packed = "".join(f"{name}\0" for name in names).encode()
    packed += b"".join(_packed(number) for run in runs for number in run)
    body = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return f"{VERSION}.{body}.{_checksum(body)}"


def decode(word: str) -> Token:
    """Read a token, ignoring white space.  Raises `TokenError`."""
    version, _, rest = "".join(word.split()).partition(".")
    if version in OLDER:
        why = f"it is of version {version}, which counted steps in another way"
        raise TokenError(why, "explore again with this version")
    if version != VERSION:
        raise TokenError(f"it starts with {version[:12]!r}, not with {VERSION!r}")
    body, _, checksum = rest.partition(".")
    if checksum != _checksum(body):
        raise TokenError("its checksum does not fit: a part of it is missing or changed")
    try:
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        *header, runs = packed.split(b"\0", 4)
        scenario, variant, preemption, digest = texts = [part.decode() for part in header]
        schedule = _schedule(runs)
    except (binascii.Error, ValueError):
        raise TokenError("its content cannot be read") from None
    if not all(text.isprintable() for text in texts):
        raise TokenError("its content is not printable")
    digest, _, patch = digest.partition(".")
    return Token(scenario, variant, preemption, digest, schedule, patch)


def command(token: Token, scenario: str = "", variant: str = "") -> str:
    """The shell command that replays a token; `scenario` and `variant` replace those with which the
    token was made."""
    return shlex.join(["hgeisim", "replay", encode(token), *options(token, scenario, variant)])


def options(token: Token, scenario: str = "", variant: str = "") -> list[str]:
    """The options of that command: since no token opens files, they name those that it needs."""
    words = []
    if scenario or not is_bare_name(token.scenario):
        words += ["--scenario", scenario or token.scenario]
    if variant or opened(token.variant):
        words += ["--variant", variant or token.variant]
    return words


def _packed(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _numbers(packed: bytes) -> Iterable[int]:
    """Raises `ValueError` if the last number has no end."""
    number = shift = 0
    for byte in packed:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("the last number has no end")


def _schedule(packed: bytes) -> tuple[int, ...]:
    """Raises `ValueError` if the runs are not pairs, or too long to be a schedule."""
    numbers = tuple(_numbers(packed))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    if sum(steps for _, steps in pairs) > STEPS_MAX:
        raise ValueError("too many steps")
    return tuple(context for context, steps in pairs for _ in range(steps))


def _checksum(body: str) -> str:
    return blake2b(body.encode(), digest_size=3).hexdigest()
