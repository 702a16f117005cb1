"""Via: the name of this gateway in it, and which intermediaries a message has passed (RFC 9110, section 7.6.3).

All gateways on one Redis are one deployment and have the same name, so each of them recognises a loop.
"""

import re
import secrets
from collections.abc import Iterator, Sequence

from fast_priority.http.message import Fields

PSEUDONYM = b"fast-priority"
"""How every name begins. It is a pseudonym: a host name would be of no use outside (RFC 9110, section 7.6.3)."""
IDENTITY_CHARACTERS = 16

_IDENTITY = re.compile(rb"[0-9a-f]{16}")
_MOST_NAMES = 8
_VIA = b"via"
_OUTSIDE_A_COMMENT = re.compile(rb"[(,]")
_INSIDE_A_COMMENT = re.compile(rb"\\.|[()]", re.DOTALL)  # a quoted pair exists there only


class Deployment:
    """The name that this gateway writes into Via, and the names that it wrote before.

    The name is random and this gateway's own, until `adopt` gets the one that the other gateways on its Redis use.
    """

    def __init__(self) -> None:
        self._identity = secrets.token_hex(IDENTITY_CHARACTERS // 2).encode()
        self.names: tuple[bytes, ...] = (_name(self._identity),)
        """The name, then up to seven former ones: requests that carry one of them may still be in flight."""

    @property
    def name(self) -> bytes:
        """Return the name in Via, such as `fast-priority-3f9c2a7be1d04c55`."""
        return self.names[0]

    @property
    def identity(self) -> bytes:
        """Return the part of the name that is different in each deployment: 16 hexadecimal digits."""
        return self._identity

    def adopt(self, identity: bytes) -> bool:
        """Use this identity from now on; return False, and change nothing, if it is not valid."""
        if not _IDENTITY.fullmatch(identity):
            return False
        self._identity, name = identity, _name(identity)
        if name != self.name:
            others = [one for one in self.names if one != name]
            self.names = (name, *others[: _MOST_NAMES - 1])
        return True


def _name(identity: bytes) -> bytes:
    return PSEUDONYM + b"-" + identity


def passed_by_one_of(names: Sequence[bytes], fields: Fields) -> bool:
    """Return whether a Via field names one of these intermediaries. The names are tokens in lower case.

    Names are compared without case. Text in comments counts for nothing. A malformed value never raises.
    """
    for field_name, value in fields:
        if field_name.lower() != _VIA:
            continue
        lowered = value.lower()
        # Most values do not contain such a name at all, and need not be parsed.
        if any(name in lowered for name in names) and any(found in names for found in _received_by(lowered)):
            return True
    return False


def _received_by(value: bytes) -> Iterator[bytes]:
    """Return the pseudonyms and hosts in one value, in order, without ports."""
    for member in _members(value):
        words = member.split(maxsplit=2)  # the protocol, and who received it; more would be malformed
        if len(words) > 1:
            yield words[1].partition(b":")[0]


def _members(value: bytes) -> list[bytes]:
    """Return the members of the list without their comments, which nest and may contain commas."""
    members: list[bytes] = []
    pieces: list[bytes] = []
    depth = at = 0
    while found := (_INSIDE_A_COMMENT if depth else _OUTSIDE_A_COMMENT).search(value, at):
        if not depth:
            pieces.append(value[at : found.start()])
        at, mark = found.end(), found.group()
        if mark == b"(":
            depth += 1
        elif mark == b")":
            depth -= 1
        elif mark == b",":
            members.append(b" ".join(pieces))
            pieces = []
    if depth:
        # A proxy on the way may have added its own member after a comment that is never closed.
        return value.split(b",")
    return [*members, b" ".join([*pieces, value[at:]])]
