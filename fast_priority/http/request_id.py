"""X-Request-ID: one name for a request in the logs of all programs that it passes.

No RFC defines the field; proxies and frameworks agree on what it does. A client may choose the name. It is written into
logs, so only a harmless one is taken over; any other is replaced.
"""

import re
from collections.abc import Iterable
from os import urandom

from fast_priority.http.message import Field, Fields

REQUEST_ID = b"x-request-id"
_SANE = re.compile(rb"[!#-&(-+\--:<-~]{1,128}")  # visible ASCII without quotes, commas and semicolons


def request_id_of(fields: Iterable[Field]) -> str | None:
    """Return the name that the client has given its request; None if there is none, several, or one that is not sane.

    A sane one has 1 to 128 visible ASCII characters, and no quote, comma or semicolon among them.
    """
    given = [value for name, value in fields if name.lower() == REQUEST_ID]
    return given[0].decode() if len(given) == 1 and _SANE.fullmatch(given[0]) else None


def has_request_id(fields: Iterable[Field]) -> bool:
    """Return whether one of the fields is X-Request-ID."""
    return any(name.lower() == REQUEST_ID for name, _ in fields)


def without_request_id(fields: Fields) -> Fields:
    """Return the fields without each X-Request-ID."""
    return [field for field in fields if field[0].lower() != REQUEST_ID]


def new_request_id() -> str:
    """Return a name that no other request has: 32 hexadecimal digits."""
    return urandom(16).hex()
