"""What the head of a request means for the gateway. Clients repeat their heads, so the last ones are remembered."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from fast_priority.http.fields import check_request_framing, content_length, expects_continue, has_body
from fast_priority.http.forwarding import hop_of, onward_request_fields
from fast_priority.http.max_forwards import counted_down, ends_here
from fast_priority.http.memo import memoized
from fast_priority.http.message import Fields
from fast_priority.http.trusted_proxies import TrustedProxies


class RequestHead(NamedTuple):
    """What the gateway does with a request, as its head decides it."""

    onward: Fields
    """The fields that the target gets."""
    declared_bytes: int | None
    """The length of the body; None if the head does not declare it."""
    ends_here: bool
    """Whether the gateway has to answer the request itself."""
    expects_continue: bool
    """Whether the client waits for 100 Continue before it sends the body."""


HeadReader = Callable[[Fields, str, str, str, str | None, tuple[bytes, ...]], RequestHead]
"""Takes fields, method, HTTP version, scheme, address of the peer, and the names of this deployment in Via."""


def head_reader(trusted: TrustedProxies) -> HeadReader:
    """Return a reader of heads that believes only `trusted` proxies which client they forward a request for.

    It raises MalformedRequest for a head that can be read in two ways, and LoopDetected for one whose Via has one of
    the deployment's names.
    """
    return memoized(partial(_read_head, trusted=trusted))


def _read_head(
    fields: Fields,
    method: str,
    http_version: str,
    scheme: str,
    peer: str | None,
    names: tuple[bytes, ...],
    *,
    trusted: TrustedProxies,
) -> RequestHead:
    check_request_framing(method, fields, http_version=http_version)
    onward = counted_down(method, onward_request_fields(fields, hop_of(peer, scheme, http_version), trusted, names))
    declared_bytes = content_length(fields) if has_body(fields) else 0
    return RequestHead(onward, declared_bytes, ends_here(method, fields), expects_continue(fields, http_version))
