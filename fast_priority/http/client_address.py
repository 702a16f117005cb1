"""The address of the client, where trusted proxies stand between: from X-Forwarded-For and Forwarded (RFC 7239). Pure.

Each proxy adds the address that it sees, at the end. So the client's is the last one that is not a trusted proxy's.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from fast_priority.http.message import Field
from fast_priority.http.trusted_proxies import Address, TrustedProxies, address_of

_MOST_CACHED = 1024
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - of RFC 9110
_PAIR = rf'(?P<name>{_TOKEN})=(?:(?P<token>{_TOKEN})|"(?P<quoted>(?:[^"\\]|\\.)*)")'
_PART = re.compile(rf"[ \t]*(?:{_PAIR})?[ \t]*(?P<end>[;,]|\Z)")
_NODE = re.compile(r"\[(?P<ipv6>[^\]]*)\](?::[0-9]+)?|(?P<ipv4>[0-9.]+):[0-9]+")


def client_address(fields: Sequence[Field], peer: Address | None, trusted: TrustedProxies) -> Address | None:
    """Return the address of the client; None if it is unknown.

    `peer` has opened the connection. It is the client itself, unless it is a trusted proxy. Then one that names no
    address, or names two, in X-Forwarded-For and in Forwarded, leaves the client's address unknown: a client may have
    sent the field that the proxy does not write.
    """
    if not trusted.has(peer):
        return peer
    listed = [value for name, value in fields if name.lower() == b"x-forwarded-for"]
    forwarded = [value for name, value in fields if name.lower() == b"forwarded"]
    found = set()
    if listed:
        found.add(_last_untrusted(b",".join(listed).decode("latin-1").split(","), trusted))
    if forwarded:
        found.add(_last_untrusted(_nodes_of(b",".join(forwarded).decode("latin-1")), trusted))
    return found.pop() if len(found) == 1 else None


def _last_untrusted(nodes: Sequence[str | None], trusted: TrustedProxies) -> Address | None:
    """Return the address of the last node that is no trusted proxy, or else of the first one; None if it has none."""
    address = None
    for node in reversed(nodes):
        address = _address_in((node or "").strip(" \t"))
        if not trusted.has(address):
            break
    return address


def _nodes_of(value: str) -> list[str | None]:
    """Return the `for` of each element of Forwarded, None for an element without one; [None] for what is broken."""
    elements: list[str | None] = []
    node = None
    for name, text, end in _parts_of(value):
        if name == "for":
            node = text
        elif name == "broken":
            return [None]
        if end != ";":
            elements.append(node)
            node = None
    return elements


def _parts_of(value: str) -> Iterator[tuple[str, str, str]]:
    position = 0
    while True:
        part = _PART.match(value, position)
        if part is None:
            yield "broken", "", ""
            return
        quoted = re.sub(r"\\(.)", r"\1", part["quoted"] or "")
        yield (part["name"] or "").lower(), part["token"] or quoted, part["end"]
        position = part.end()
        if not part["end"]:
            return


@lru_cache(_MOST_CACHED)
def _address_in(node: str) -> Address | None:
    found = _NODE.fullmatch(node)
    return address_of((found["ipv6"] or found["ipv4"]) if found else node)
