"""What the head of a request means for the gateway. Clients repeat their heads, so the last ones are remembered."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from fast_priority.errors import LoopDetected
from fast_priority.http.fields import check_request_framing, content_length, expects_continue, has_body
from fast_priority.http.forwarding import Hop, onward_request_fields
from fast_priority.http.max_forwards import counted_down, ends_here
from fast_priority.http.memo import memoized
from fast_priority.http.message import Fields
from fast_priority.http.request_id import has_request_id, request_id_of, without_request_id
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.http.via import passed_by_one_of


class RequestHead(NamedTuple):
    """What the gateway does with a request, as its head decides it."""

    onward: Fields
    """The fields that the target gets, but for an X-Request-ID that has to be added to them."""
    has_request_id: bool
    """Whether they have the X-Request-ID of the client."""
    declared_bytes: int | None
    """The length of the body; None if the head does not declare it."""
    ends_here: bool
    """Whether the gateway has to answer the request itself."""
    expects_continue: bool
    """Whether the client waits for 100 Continue before it sends the body."""


HeadReader = Callable[[Fields, str, Hop, tuple[bytes, ...]], RequestHead]
"""Takes fields, method, the connection that they came on, and the names of this deployment in Via."""


def head_reader(trusted: TrustedProxies, *, preserves_host: bool = False) -> HeadReader:
    """Return a reader of heads. Fields that state where a request comes from count only from a `trusted` proxy.

    With `preserves_host` the target gets the client's Host, otherwise its own. The reader raises MalformedRequest for a
    head that can be read in two ways, and LoopDetected for one whose Via has one of the deployment's names.
    """
    return memoized(partial(_read_head, trusted=trusted, preserves_host=preserves_host))


def _read_head(
    fields: Fields, method: str, hop: Hop, names: tuple[bytes, ...], *, trusted: TrustedProxies, preserves_host: bool
) -> RequestHead:
    check_request_framing(method, fields, http_version=hop.http_version)
    if passed_by_one_of(names, fields):
        raise LoopDetected("it has passed this gateway before: FAST_PRIORITY_TARGET_BASE_URL leads back to it")
    onward = onward_request_fields(
        fields, hop, names[0], is_peer_trusted=trusted.has(hop.address), preserves_host=preserves_host
    )
    # What the client calls its request is kept as it is, or is replaced: it may not be named twice.
    keeps_id = request_id_of(fields) is not None and has_request_id(onward)
    if not keeps_id:
        onward = without_request_id(onward)
    return RequestHead(
        counted_down(method, onward),
        keeps_id,
        content_length(fields) if has_body(fields) else 0,
        ends_here(method, fields),
        expects_continue(fields, hop.http_version),
    )
