"""Reading Via: who has passed a message on (RFC 9110, section 7.6.3)."""

import re
from collections.abc import Iterator, Sequence

from fast_priority.http.message import Fields

_VIA = b"via"
_OUTSIDE_A_COMMENT = re.compile(rb"[(,]")
_INSIDE_A_COMMENT = re.compile(rb"\\.|[()]", re.DOTALL)  # a quoted pair exists there only


def passed_by_one_of(names: Sequence[bytes], fields: Fields) -> bool:
    """Return whether a Via field names one of these intermediaries. The names are tokens in lower case.

    Names are compared without case. Text in comments counts for nothing. A malformed value never raises.
    """
    for field_name, value in fields:
        if field_name.lower() != _VIA:
            continue
        lowered = value.lower()
        # Most values do not contain such a name at all, and need not be read.
        if any(name in lowered for name in names) and any(found in names for found in _received_by(lowered)):
            return True
    return False


def _received_by(value: bytes) -> Iterator[bytes]:
    """Return the pseudonyms and hosts in one value, in order, each without its port."""
    for member in _members(value):
        words = member.split(maxsplit=2)  # the protocol, and who received it by that; more would be malformed
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
        # A proxy on the way may have added its own member behind a comment that nobody closes.
        return value.split(b",")
    return [*members, b" ".join([*pieces, value[at:]])]
