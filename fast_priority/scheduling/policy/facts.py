"""What rules look at in a request. Pure."""

from collections.abc import Sequence
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import unquote_to_bytes

from fast_priority.scheduling.path_readings import as_sent, behind_authority, is_plain, readings_of
from fast_priority.scheduling.policy.json_body import Body
from fast_priority.scheduling.policy.key_ring import KeyMatch
from fast_priority.scheduling.rules import RequestFacts

FieldLines = Sequence[tuple[bytes, bytes]]
QueryPairs = tuple[tuple[bytes, bytes], ...]

_BLANKS = b" \t"


class RuleFacts:
    """One request, as rules see it. What only some rules need is computed when the first of them needs it.

    `fields` are those of the client and of trusted proxies; fields that only a proxy may set are left out if another
    has sent them. `client` is the address of the client; None if it is unknown. `is_proxied`: a trusted proxy forwards
    the request.
    """

    def __init__(
        self,
        request: RequestFacts,
        fields: FieldLines,
        query: bytes,
        client: IPv4Address | IPv6Address | None,
        key: KeyMatch,
        body: Body,
        *,
        is_proxied: bool,
    ) -> None:
        self.request = request
        self.fields = fields
        self.client = client
        self.key = key
        self.body = body
        self.is_proxied = is_proxied
        self._query = query

    def with_body(self, body: Body) -> "RuleFacts":
        """Return the facts of the same request, with its body."""
        return RuleFacts(
            self.request, self.fields, self._query, self.client, self.key, body, is_proxied=self.is_proxied
        )

    def values_of(self, name: bytes) -> list[bytes]:
        """Return the value of each field line with this name, which is in small letters."""
        return [value.strip(_BLANKS) for one, value in self.fields if one.lower() == name]

    @cached_property
    def sent_path(self) -> str:
        """The path as it was sent, in the form of `path_readings.as_sent`."""
        return as_sent(self.request.raw_path)

    @cached_property
    def other_readings(self) -> frozenset[str] | None:
        """The readings of the path besides the one that was sent; None if there are too many. Empty for most paths."""
        if is_plain(self.request.raw_path):
            return frozenset()
        found: set[str] = set()
        for sent in (self.sent_path, behind_authority(self.sent_path)):
            readings = set[str]() if sent is None else readings_of(sent)
            if readings is None:
                return None
            found |= readings
        return frozenset(found)

    @cached_property
    def queries(self) -> tuple[QueryPairs, ...]:
        """The query in each reading: some programs separate its parts at `&` alone, others also at `;`."""
        readings = {self._query, self._query.replace(b";", b"&")}
        return tuple(tuple(map(_decoded_pair, filter(None, reading.split(b"&")))) for reading in readings)


def _decoded_pair(part: bytes) -> tuple[bytes, bytes]:
    name, _, value = part.replace(b"+", b" ").partition(b"=")
    return unquote_to_bytes(name), unquote_to_bytes(value)
