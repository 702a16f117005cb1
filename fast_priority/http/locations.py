"""Location and Content-Location of responses, as clients of the gateway have to read them.

A target that writes its own address into them would send clients past the gateway: past its queue and its limit, or to
an address that they cannot reach. So a URL below the target's base URL becomes a path (RFC 9110, section 10.2.2, allows
a reference there): without the path of the base URL, and below the prefix at which clients see the gateway. The client
resolves it against the address that it has used itself, so no Host is written.

Clients read a path in two ways that matter here. Dot segments (`..`) are resolved before a path is compared, since it
is the resolved path that a client requests. And a path that begins with two slashes would be read as a host.
"""

import contextlib
import operator
import re
from ipaddress import IPv6Address
from unicodedata import normalize
from urllib.parse import unquote_to_bytes, urlsplit

from fast_priority.http.message import Fields
from fast_priority.http.root_path import quoted_root_path

_NAMES = frozenset({b"location", b"content-location"})
_PORTS = {b"http": 80, b"https": 443}
_MOST_HOST_BYTES = 1024  # more than any host has, percent-encoded or not
_PUNYCODE = "xn--"
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# A backslash ends a match: some clients read it as a slash, and others do not.
_PATH, _TAIL = rb"[^?#\\]*", rb"(?:[?#].*)?"
_AUTHORITY = rb"(\[[^\[\]/?#\\@]+\]|[^\[\]/?#\\@:]+)(?::([0-9]{0,8}))?"
_URL = re.compile(rb"(?:(?i:(https?)):)?//" + _AUTHORITY + rb"((?:/" + _PATH + rb")?)(" + _TAIL + rb")")
_ABSOLUTE_PATH = re.compile(rb"(/(?!/)" + _PATH + rb")(" + _TAIL + rb")")
_IDEOGRAPHIC_FULL_STOP = "\u3002"  # separates labels, as a dot does


class LocationRewriter:
    """Rewrites the fields that name a place at one target, whose base URL is `base_url`."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._scheme = parts.scheme.encode()
        found = _URL.fullmatch(f"//{parts.netloc}".encode())
        _, host, port, *_ = found.groups() if found else (b"", b"", b"")
        self._port = self._port_of(port)
        named = _host(host) if found else []
        self._address = named if isinstance(named, IPv6Address) else None
        self._labels = [] if isinstance(named, IPv6Address) else [_forms(label) for label in named]
        path = _without_dots(parts.path.encode()).rstrip(b"/")
        self._base = [unquote_to_bytes(segment) for segment in path.split(b"/")]

    def fields_for_client(self, fields: Fields, root_path: str) -> Fields:
        """Return the fields of a response, with Location and Content-Location as references to the gateway.

        `root_path` is the prefix at which clients see the gateway. A value that does not lead below the base URL, or is
        malformed, is not changed.
        """
        if _NAMES.isdisjoint([name.lower() for name, _ in fields]):
            return fields
        prefix = quoted_root_path(root_path)
        return [(name, self._for_client(value, prefix) if name.lower() in _NAMES else value) for name, value in fields]

    def _for_client(self, value: bytes, prefix: bytes) -> bytes:
        """Return the reference for a client; the value itself if it does not lead below the base URL."""
        below = None if _CONTROL.search(value) else self._below_base(value, prefix)
        if below is None:
            return value
        reference = prefix + below
        return b"/." + reference if reference.startswith(b"//") else reference

    def _below_base(self, value: bytes, prefix: bytes) -> bytes | None:
        """Return path, query and fragment below the base URL; None for what is not below it, or stays as it is."""
        if found := _URL.fullmatch(value):
            scheme, host, port, path, tail = found.groups()
            if (scheme or self._scheme).lower() != self._scheme or not self._is_own(host, port):
                return None
        elif found := _ABSOLUTE_PATH.fullmatch(value):
            path, tail = found.groups()
            if not prefix and len(self._base) == 1:
                return None  # it is the same at the target and at the gateway
        else:
            return None
        segments = _without_dots(path).split(b"/", len(self._base))
        base, rest = segments[: len(self._base)], segments[len(self._base) :]
        if [unquote_to_bytes(segment) for segment in base] != self._base:
            return None
        return b"/%b%b" % (rest[0] if rest else b"", tail)

    def _is_own(self, host: bytes, port: bytes | None) -> bool:
        if self._port_of(port) != self._port:
            return False
        named = _host(host)
        if isinstance(named, IPv6Address):
            return named == self._address
        return len(named) == len(self._labels) > 0 and all(map(operator.contains, self._labels, named))

    def _port_of(self, port: bytes | None) -> int:
        return int(port) if port else _PORTS[self._scheme]


def _host(host: bytes) -> list[str] | IPv6Address:
    """Return the labels of a host, in lower case and decoded, or its address; no labels if it is malformed."""
    if len(host) > _MOST_HOST_BYTES:
        return []
    try:
        text = unquote_to_bytes(host).decode()
        if host.startswith(b"["):
            return IPv6Address(text[1:-1])
    except ValueError:
        return []
    return normalize("NFKC", text).lower().replace(_IDEOGRAPHIC_FULL_STOP, ".").removesuffix(".").split(".")


def _forms(label: str) -> tuple[str, str]:
    """Return both forms of a label of an international name: as it is sent, and as it is shown."""
    if not label.isascii():
        return label, _PUNYCODE + label.encode("punycode").decode()
    if label.startswith(_PUNYCODE):
        with contextlib.suppress(ValueError):
            return label, label.removeprefix(_PUNYCODE).encode().decode("punycode")
    return label, label


def _without_dots(path: bytes) -> bytes:
    """Return the path with its dot segments resolved (RFC 3986, section 5.2.4), also those that are percent-encoded."""
    kept: list[bytes] = []
    meaning = b""
    for segment in path.split(b"/")[1:]:
        meaning = segment.lower().replace(b"%2e", b".")
        if meaning == b"..":
            del kept[-1:]
        elif meaning != b".":
            kept.append(segment)
    if meaning in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)
