"""One entry of known.toml: findings with one name and reason, and the variants that show them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hgeisim.checks.cause import Cause

Version: TypeAlias = tuple[int, ...]

_VERSION = re.compile(r"v\d+(\.\d+)+").fullmatch


def version_of(base: str) -> Version | None:
    """The numbers of a base, so that v6.9 is before v6.12; None when it does not name a version."""
    return tuple(map(int, base[1:].split("."))) if _VERSION(base) else None


@dataclass(frozen=True)
class Known:
    """Findings that people know by one name.

    They are known in the bases from `first` to `last` ("": no bound) with at least one of
    `patches`, if there are any, and with none of those in `without`; `realtime` restricts them to
    PREEMPT_RT.  Accepted ones are not new; the others have only a name.

    They are known by their cause: one of `after` has happened before, none but `parties` took part,
    and all of `needs` led there; without these keys any cause will do.
    """

    name: str
    reason: str
    ids: tuple[str, ...]
    accepted: bool = False
    first: str = ""
    last: str = ""
    after: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    realtime: bool = False

    def holds_in(self, variant: str, realtime: bool) -> bool:
        """Whether its findings are known in a variant, with PREEMPT_RT or without."""
        base, *patches = variant.split("+")
        return (
            (realtime or not self.realtime)
            and self.spans(base)
            and (not self.patches or any(patch in self.patches for patch in patches))
            and not any(patch in self.without for patch in patches)
        )

    def explains(self, cause: Cause) -> bool:
        """Whether a finding came about as its own do, as far as that is known."""
        happened, parties, leading = cause
        return (
            (not self.after or happened is None or not happened.isdisjoint(self.after))
            and (not self.parties or parties is None or parties <= {*self.parties})
            and (leading is None or leading >= {*self.needs})
        )

    def spans(self, base: str) -> bool:
        """Whether a base is one of those from `first` to `last`."""
        first, version, last = map(version_of, (self.first, base, self.last))
        if version is None:
            return not (self.first or self.last)
        return (first is None or first <= version) and (last is None or version <= last)


def one_of(entries: Sequence[Known]) -> Known:
    """What is known of a finding that any of some entries may explain."""
    name = " or ".join(dict.fromkeys(each.name for each in entries))
    reason = "; or ".join(dict.fromkeys(each.reason for each in entries))
    accepted = all(each.accepted for each in entries)
    return replace(entries[0], name=name, reason=reason, accepted=accepted)
