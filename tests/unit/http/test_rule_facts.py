"""What the head of a request has for rules: who is believed, and which bodies are worth reading."""

from ipaddress import ip_address

import pytest

from fast_priority.http.rule_facts import facts_of
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.scheduling.policy import BodyState, PathStyle, RuleFacts, policy_of
from fast_priority.scheduling.rules import RequestFacts

TRUSTED = TrustedProxies.of(["10.0.0.0/8"])
POLICY = policy_of(("policy.toml", "max_body = 1000"), None, lambda _: "high", ["high", "low"], PathStyle())
FORGED = [(b"X-Forwarded-User", b"root"), (b"x_forwarded_user", b"root"), (b"X-Real-IP", b"10.0.0.1")]


def facts(fields: list[tuple[bytes, bytes]], declared_bytes: int | None = 0, peer: str = "192.0.2.1") -> RuleFacts:
    request = RequestFacts("/", "POST")
    return facts_of(request, fields, b"", declared_bytes, ip_address(peer), TRUSTED, POLICY)


def test_fields_of_proxies() -> None:
    """Fields that only a proxy may set are seen only if a trusted proxy sends them, and never with underscores."""
    own = (b"x-team", b"search")
    assert list(facts([*FORGED, own]).fields) == [own]
    assert list(facts([*FORGED, own], peer="10.1.1.1").fields) == [FORGED[0], FORGED[2], own]
    assert (facts([]).is_proxied, facts([], peer="10.1.1.1").is_proxied) == (False, True)


@pytest.mark.parametrize(
    ("fields", "declared_bytes", "expected"),
    [
        ([], 0, BodyState.ABSENT),
        ([], 1, BodyState.UNREAD),
        ([], 1000, BodyState.UNREAD),
        ([], 1001, BodyState.UNREADABLE),
        ([], None, BodyState.UNREADABLE),
        ([(b"content-encoding", b"gzip")], 10, BodyState.UNREADABLE),
        ([(b"Content-Encoding", b"identity")], 10, BodyState.UNREAD),
        ([(b"content-encoding", b"identity"), (b"content-encoding", b"br")], 10, BodyState.UNREADABLE),
        ([(b"content-type", b"application/json; charset=utf-8")], 10, BodyState.UNREAD),
        ([(b"content-type", b'text/plain; Charset="UTF-8"; x=y')], 10, BodyState.UNREAD),
        ([(b"content-type", b"application/json; charset=utf-7")], 10, BodyState.UNREADABLE),
        ([(b"content-type", b"application/json; charset=utf-16")], 10, BodyState.UNREADABLE),
        ([(b"content-type", b"multipart/form-data; boundary=x")], 10, BodyState.UNREAD),
    ],
)
def test_bodies(fields: list[tuple[bytes, bytes]], declared_bytes: int | None, expected: BodyState) -> None:
    """A body is read for rules if its length is declared and within the limit, and nothing is encoded in it."""
    assert facts(fields, declared_bytes).body is expected
