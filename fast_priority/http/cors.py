"""The gateway's own errors in browsers: the fields that let pages of other origins read them (Fetch, CORS protocol).

A browser hides a response from a page of another origin unless the response names that origin. The target's responses
have what the target writes, and preflights are the target's. Only the gateway's own errors get fields here.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

from fast_priority.http.message import Fields

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)
_BEGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_PORT = 65_535
_MOST_SEARCHED_BYTES = 16 * 1024

_VARY = (b"vary", b"Origin")


class _Origin(NamedTuple):
    """An origin (RFC 6454): scheme and host in small letters, and the port, also where it is the scheme's default."""

    scheme: str
    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class AllowedOrigins:
    """The origins whose pages may read the gateway's own errors. None listed: errors get no fields."""

    listed: frozenset[_Origin] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return the origins with these texts. Raises ValueError, which names the remedy, for what is no origin."""
        return cls(frozenset(_listed(text) for text in texts))

    def fields_for(self, request_fields: Iterable[tuple[bytes, bytes]]) -> Fields:
        """Return what is added to an error, for a request with these fields; their names are in small letters.

        Only a listed origin is echoed. `Vary` is there in any case: a cache must not mix the errors of two origins.
        """
        if not self.listed:
            return []
        sent = [value for name, value in request_fields if name == b"origin"]
        if len(sent) != 1 or _parsed(sent[0].decode("latin-1")) not in self.listed:
            return [_VARY]
        return [
            (b"access-control-allow-origin", sent[0]),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"Retry-After"),
            _VARY,
        ]

    def fields_for_head(self, received: bytes) -> Fields:
        """Return the same for a request of which these bytes have been received, and nothing has been parsed."""
        if not self.listed:
            return []
        return self.fields_for((b"origin", origin) for origin in origins_in_head(received))


NO_ORIGINS = AllowedOrigins()


def origins_in_head(received: bytes) -> list[bytes]:
    """Return the values of the Origin fields in the first bytes of a request, whose first line is no field.

    Only whole lines count.
    """
    begin = received[:_MOST_SEARCHED_BYTES]
    head, end, _ = begin.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")[1:] if end else head.split(b"\r\n")[1:-1]
    parts = [line.partition(b":") for line in lines]
    return [value.strip(b" \t") for name, _, value in parts if name.lower() == b"origin"]


def _parsed(text: str) -> _Origin | None:
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host, digits = found["scheme"].lower(), found["host"].lower(), found["port"]
    port = int(digits) if digits else _DEFAULT_PORTS.get(scheme)
    if port is not None and not 0 < port <= _MOST_PORT:
        return None
    if host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    return _Origin(scheme, host, port)


def _listed(text: str) -> _Origin:
    if text == "*":
        raise ValueError("'*' is no origin, and pages of any origin could then read errors: write each origin")
    if text.lower() == "null":
        raise ValueError(f"{text!r} is the origin of files and sandboxes of any site: write that of your page")
    if (origin := _parsed(text)) is not None:
        return origin
    if not text.isascii():
        raise ValueError(f"{text!r} is not what browsers send: write its host as A-labels, xn--...")
    if "://" not in text:
        raise ValueError(f"{text!r} has no scheme: write https://{text.split('/')[0]}")
    found = _BEGIN.match(text)
    if found is not None and found[0] != text and _parsed(found[0]) is not None:
        raise ValueError(f"{text!r} has more than scheme, host and port: write {found[0]}")
    raise ValueError(f"{text!r} is no origin")
