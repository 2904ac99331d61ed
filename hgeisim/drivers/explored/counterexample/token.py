"""Replay tokens: a schedule as one word that can be pasted into a mail.

    hg2.<base64url of header and runs>.<checksum>

The header is scenario, variant, preemption and the first digits of the digest of what a search
depends on, each ended by a NUL.  After the last, a dot and the digest of the files of a user's own
patches; where it is missing, nothing is known of the files.  The runs are pairs of numbers: a
context, and how many steps it makes; a number has seven bits in a byte, the lowest first, and the
last byte of one is below 128.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

from hgeisim.kernel.variants import own_files
from hgeisim.scenario.find import is_bare_name

VERSION = "hg2"
OLDER = ("hg1",)
DIGEST_DIGITS = 8
STEPS_MAX = 10_000_000
"""Longest schedule that is read; far above what a search finds."""
COPY_ALL = "copy the whole word that `hgeisim explore` printed"


class TokenError(ValueError):
    """A word that is not a token of this version; the message says why, `remedy` what to do."""

    def __init__(self, why: str, remedy: str = COPY_ALL) -> None:
        self.remedy = remedy
        super().__init__(why)


@dataclass(frozen=True)
class Token:
    """A schedule of a scenario; `digest` starts that of what it depends on, `patch` is that of the
    user's own patches, empty where there is none."""

    scenario: str
    variant: str
    preemption: str
    digest: str
    schedule: tuple[int, ...]
    patch: str = ""


def encode(token: Token) -> str:
    """Write a token as one word of letters, digits, `-`, `_` and dots.

    A name of a file may hold anything; here it is only told, so what cannot be printed is a `?`.
    """
    digest = token.digest[:DIGEST_DIGITS] + (f".{token.patch}" if token.patch else "")
    header = (token.scenario, token.variant, token.preemption, digest)
    runs = ((context, len(list(steps))) for context, steps in groupby(token.schedule))
    packed = "".join(_printable(part) + "\0" for part in header).encode()
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
    """The command that replays a token, for a shell; `scenario` and `variant` take the place of
    those that the token was made with."""
    return shlex.join(["hgeisim", "replay", encode(token), *options(token, scenario, variant)])


def options(token: Token, scenario: str = "", variant: str = "") -> list[str]:
    """The options of that command: a token opens no file, so they name those that it needs."""
    words = []
    if scenario or not is_bare_name(token.scenario):
        words += ["--scenario", scenario or token.scenario]
    if variant or own_files(token.variant):
        words += ["--variant", variant or token.variant]
    return words


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _packed(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _numbers(packed: bytes) -> Iterable[int]:
    """Raises `ValueError` when the last number has no end."""
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
    """Raises `ValueError` when the runs are no pairs, or too long to be a schedule."""
    numbers = tuple(_numbers(packed))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    if sum(steps for _, steps in pairs) > STEPS_MAX:
        raise ValueError("too many steps")
    return tuple(context for context, steps in pairs for _ in range(steps))


def _checksum(body: str) -> str:
    return blake2b(body.encode(), digest_size=3).hexdigest()
