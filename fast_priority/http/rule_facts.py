"""What the head of a request has for rules: RuleFacts, with the fields, client and key that are believed. Pure."""

import re

from fast_priority.http.client_address import client_address
from fast_priority.http.forwarding import believed_fields
from fast_priority.http.message import Fields
from fast_priority.http.trusted_proxies import Address, TrustedProxies
from fast_priority.scheduling.policy import NO_KEYS, BodyState, Policy, RuleFacts
from fast_priority.scheduling.rules import RequestFacts

# JSON is in UTF-8 (RFC 8259, section 8.1), but a target may follow another charset.
_OTHER_CHARSET = re.compile(rb"(?i)charset\s*=(?!\s*\"?(?:utf-?8|us-ascii)\"?\s*(?:;|\Z))")


def facts_of(
    request: RequestFacts,
    fields: Fields,
    query: bytes,
    declared_bytes: int | None,
    peer: Address | None,
    trusted: TrustedProxies,
    policy: Policy,
) -> RuleFacts:
    """Return what rules look at in a request; its body is UNREAD if they may have to look at that as well.

    `peer` has opened the connection. `declared_bytes` is the length of the body; None if the head does not declare it.
    """
    is_proxied = trusted.has(peer)
    return RuleFacts(
        request,
        believed_fields(fields, is_peer_trusted=is_proxied),
        query,
        client_address(fields, peer, trusted),
        policy.ring.match(fields) if policy.ring is not None else NO_KEYS,
        _body_before_it_is_read(fields, declared_bytes, policy.most_body_bytes),
        is_proxied=is_proxied,
    )


def _body_before_it_is_read(fields: Fields, declared_bytes: int | None, most_bytes: int) -> BodyState:
    if declared_bytes == 0:
        return BodyState.ABSENT
    if declared_bytes is None or declared_bytes > most_bytes:
        return BodyState.UNREADABLE
    for name, value in fields:
        lowered = name.lower()
        is_encoded = lowered == b"content-encoding" and value.strip().lower() != b"identity"
        if is_encoded or (lowered == b"content-type" and _OTHER_CHARSET.search(value)):
            return BodyState.UNREADABLE
    return BodyState.UNREAD
