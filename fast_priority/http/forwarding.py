"""The fields by which an intermediary says that it was there, and for whom: Via, Forwarded and X-Forwarded-*.

RFC 9110, section 7.6.3: Via names each intermediary, on requests and on responses.
RFC 7239: Forwarded tells the target what it cannot see behind a gateway: the client's address, the host and the scheme
that the client used. X-Forwarded-For, -Host and -Proto tell the same to those who do not read it.

The target may believe these fields, so a client may not write them. From a peer that is no trusted proxy, every field
is dropped that says whom a request comes from: Forwarded, X-Real-IP and all X-Forwarded-*; authenticating proxies name
users in the latter. From a trusted proxy they are kept, and what the gateway sees is added.

The same holds for X-Original-URL and X-Rewrite-URL, by which proxies in front of IIS name the path that a client asked
for: a target that believes them would serve another path than the one that has chosen the queue.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any

from fast_priority.errors import LoopDetected
from fast_priority.http.fields import check_sendable, end_to_end_request_fields, host_of, is_token
from fast_priority.http.message import Fields
from fast_priority.http.trusted_proxies import Address, TrustedProxies, address_of
from fast_priority.http.via import passed_by_one_of

_MOST_REMEMBERED = 1024
_LONGEST_HOST_REMEMBERED_BYTES = 255
_FORWARDED, _FOR, _HOST, _PROTO = b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"
# With underscores, too: what reads fields as CGI variables (RFC 3875, section 4.1.18) cannot tell the two apart.
_SAYS_WHENCE = re.compile(rb"(?i)forwarded|x[-_]real[-_]ip|x[-_]forwarded([-_].*)?|x[-_](original|rewrite)[-_]ur[il]")


@dataclass(frozen=True, slots=True)
class Hop:
    """The connection that a request came on, as the server sees it."""

    peer: Address | None
    """Who opened it; None if it has no address, as over a unix socket."""
    scheme: str
    """`http` or `https`."""
    http_version: str
    """`1.1` or `1.0`."""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> "Hop":
        """Read it from a request's ASGI scope."""
        client = scope.get("client")
        return hop_of(client[0] if client else None, scope["scheme"], scope["http_version"])


@lru_cache(_MOST_REMEMBERED)
def hop_of(peer: str | None, scheme: str, http_version: str) -> Hop:
    """Give the hop that a server names so; no peer over a unix socket."""
    return Hop(address_of(peer), scheme, http_version)


def onward_request_fields(fields: Fields, hop: Hop, trusted: TrustedProxies, names: Sequence[bytes]) -> Fields:
    """Give the fields that the target should see: what the client may say, then what the gateway says of the hop.

    `names` are those of the deployment in Via: the one it has, then former ones. Raises LoopDetected for a request that
    carries one of them already, and MalformedRequest for a value that cannot be sent unchanged.
    """
    if passed_by_one_of(names, fields):
        raise LoopDetected("it has passed this gateway before: FAST_PRIORITY_TARGET_BASE_URL leads back to it")
    kept = end_to_end_request_fields(fields)
    said: Fields = []
    if trusted.has(hop.peer):
        # Taken from the whole request: a client that names them in Connection must not make the proxy's word void.
        said = [(name.lower(), value) for name, value in fields if _is_of_a_proxy(name)]
    host = host_of(fields)
    if said or len(host) > _LONGEST_HOST_REMEMBERED_BYTES:
        seen = _with_what_is_seen(said, host, hop)
        check_sendable(seen)
    else:
        seen = _what_is_seen(host, hop)
    others = [field for field in kept if not _SAYS_WHENCE.fullmatch(field[0])]
    return [*others, *seen, (b"via", _via(hop.http_version, names[0]))]


def onward_response_fields(fields: Fields, http_version: str, name: bytes) -> Fields:
    """Add Via with this name to the target's end-to-end fields; `http_version` is what the target spoke: `1.1`."""
    return [*fields, (b"via", _via(http_version, name))]


@lru_cache(_MOST_REMEMBERED)
def _what_is_seen(host: bytes, hop: Hop) -> Fields:
    # The same for every request of a client. Whoever is given it adds nothing to it.
    seen = _with_what_is_seen([], host, hop)
    check_sendable(seen)
    return seen


def _is_of_a_proxy(name: bytes) -> bool:
    return b"_" not in name and _SAYS_WHENCE.fullmatch(name) is not None


def _with_what_is_seen(said: Fields, host: bytes, hop: Hop) -> Fields:
    """Give what a trusted proxy has said, and after it what is seen from here."""
    names = {name for name, _ in said}
    addresses = [value for name, value in said if name == _FOR and value]
    # One line, for there are programs that read only the first or the last of several.
    addresses += [str(hop.peer).encode()] if hop.peer else []
    seen = [field for field in said if field[0] != _FOR]
    if addresses:
        seen.append((_FOR, b", ".join(addresses)))
    if host and _HOST not in names:
        seen.append((_HOST, host))
    if _PROTO not in names:
        seen.append((_PROTO, hop.scheme.encode()))
    # A line of its own: behind a quote that somebody left open, an element on the same line would not be read.
    seen.append((_FORWARDED, _forwarded_element(host, hop)))
    return seen


def _forwarded_element(host: bytes, hop: Hop) -> bytes:
    node = b"unknown" if hop.peer is None else str(hop.peer).encode()
    if isinstance(hop.peer, IPv6Address):
        node = b"[" + node + b"]"
    parameters = [(b"for", node), (b"host", host), (b"proto", hop.scheme.encode())]
    return b";".join(name + b"=" + _quoted_if_need_be(value) for name, value in parameters if value)


def _quoted_if_need_be(value: bytes) -> bytes:
    if is_token(value):
        return value
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _via(http_version: str, name: bytes) -> bytes:
    return b"%b %b" % (http_version.encode(), name)
