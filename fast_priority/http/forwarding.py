"""Via, Forwarded and X-Forwarded-*: what the gateway adds, and which fields of a client it drops.

RFC 9110, section 7.6.3: Via names each intermediary, on requests and on responses.
RFC 7239: Forwarded has what the target cannot see behind a gateway: the client's address, and the host and the scheme
that the client used. X-Forwarded-For, -Host and -Proto have the same, for targets that do not read Forwarded.

A target may trust these fields, so a client may not write them. From a peer that is not a trusted proxy, every field is
dropped that states where a request comes from: Forwarded, X-Real-IP and all X-Forwarded-*. (Authenticating proxies put
user names into the latter.) From a trusted proxy they are kept, and what the gateway sees is added.

The same is true for X-Original-URL and X-Rewrite-URL, in which proxies in front of IIS name the path that a client
asked for: a target that trusts them would serve another path than the one that has chosen the queue.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any

import msgspec

from fast_priority.http.fields import check_sendable, end_to_end_request_fields, host_of, is_token
from fast_priority.http.message import Fields
from fast_priority.http.trusted_proxies import Address, address_of

_MOST_CACHED = 1024
_MOST_CACHED_HOST_BYTES = 255
_FORWARDED, _FOR, _HOST, _PROTO = b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"
# Also with underscores: a program that reads fields as CGI variables (RFC 3875, section 4.1.18) sees no difference.
_STATES_ORIGIN = re.compile(rb"(?i)forwarded|x[-_]real[-_]ip|x[-_]forwarded([-_].*)?|x[-_](original|rewrite)[-_]ur[il]")


class Hop(msgspec.Struct, frozen=True, gc=False):
    """The connection that a request came on, as the server sees it."""

    peer: str | None
    """Who opened it, as the server reports it; None over a unix socket."""
    scheme: str
    """`http` or `https`."""
    http_version: str
    """`1.1` or `1.0`."""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> "Hop":
        """Return the hop of a request, read from its ASGI scope."""
        client = scope.get("client")
        return cls(client[0] if client else None, scope["scheme"], scope["http_version"])

    @property
    def address(self) -> Address | None:
        """The address of the peer; None if it has none."""
        return _address_of(self.peer)


_address_of = lru_cache(_MOST_CACHED)(address_of)


def onward_request_fields(
    fields: Fields, hop: Hop, name: bytes, *, is_peer_trusted: bool, preserves_host: bool = False
) -> Fields:
    """Return the fields for the target: those that the client may set, then what the gateway adds about the hop.

    `name` is the gateway's own in Via. The fields that state where a request comes from are kept if the peer is a
    trusted proxy. With `preserves_host`, the client's Host comes first; where there is none, the target gets its own.
    Raises MalformedRequest for a value that cannot be sent unchanged.
    """
    kept = end_to_end_request_fields(fields)
    if preserves_host:
        # From the whole request: naming it in Connection does not remove it.
        kept = [*[(b"host", value) for one, value in fields if one.lower() == b"host"], *kept]
    by_proxy: Fields = []
    if is_peer_trusted:
        # From the whole request: a client must not remove what the proxy states, by naming it in Connection.
        by_proxy = [(one.lower(), value) for one, value in fields if _is_of_a_proxy(one)]
    host = host_of(fields)
    if by_proxy or len(host) > _MOST_CACHED_HOST_BYTES:
        seen = _add_hop(by_proxy, host, hop)
        check_sendable(seen)
    else:
        seen = _hop_fields(host, hop)
    others = [field for field in kept if not _STATES_ORIGIN.fullmatch(field[0])]
    return [*others, *seen, (b"via", _via(hop.http_version, name))]


def believed_fields(fields: Fields, *, is_peer_trusted: bool) -> Fields:
    """Return the fields without those that state where a request comes from, unless a trusted proxy has sent them."""
    return [
        field
        for field in fields
        if not _STATES_ORIGIN.fullmatch(field[0]) or (is_peer_trusted and b"_" not in field[0])
    ]


def onward_response_fields(fields: Fields, http_version: str, name: bytes) -> Fields:
    """Return the target's end-to-end fields with Via added; `http_version` is that of the target, such as `1.1`."""
    return [*fields, (b"via", _via(http_version, name))]


@lru_cache(_MOST_CACHED)
def _hop_fields(host: bytes, hop: Hop) -> Fields:
    # The same for every request of a client; the caller must not change the list.
    seen = _add_hop([], host, hop)
    check_sendable(seen)
    return seen


def _is_of_a_proxy(name: bytes) -> bool:
    return b"_" not in name and _STATES_ORIGIN.fullmatch(name) is not None


def _add_hop(by_proxy: Fields, host: bytes, hop: Hop) -> Fields:
    """Return the fields of a trusted proxy, and after them what the gateway sees of the hop."""
    names = {name for name, _ in by_proxy}
    addresses = [value for name, value in by_proxy if name == _FOR and value]
    # One line, since some programs read only the first or the last of several.
    addresses += [str(hop.address).encode()] if hop.address else []
    seen = [field for field in by_proxy if field[0] != _FOR]
    if addresses:
        seen.append((_FOR, b", ".join(addresses)))
    if host and _HOST not in names:
        seen.append((_HOST, host))
    if _PROTO not in names:
        seen.append((_PROTO, hop.scheme.encode()))
    # A line of its own: after a quote that is never closed, an element on the same line would not be read.
    seen.append((_FORWARDED, _forwarded_element(host, hop)))
    return seen


def _forwarded_element(host: bytes, hop: Hop) -> bytes:
    address = hop.address
    node = b"unknown" if address is None else str(address).encode()
    if isinstance(address, IPv6Address):
        node = b"[" + node + b"]"
    parameters = [(b"for", node), (b"host", host), (b"proto", hop.scheme.encode())]
    return b";".join(name + b"=" + _quoted_if_no_token(value) for name, value in parameters if value)


def _quoted_if_no_token(value: bytes) -> bytes:
    if is_token(value):
        return value
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _via(http_version: str, name: bytes) -> bytes:
    return b"%b %b" % (http_version.encode(), name)
