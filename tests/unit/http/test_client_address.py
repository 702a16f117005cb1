"""The address of a client behind trusted proxies."""

from ipaddress import ip_address

import pytest

from fast_priority.http.client_address import client_address
from fast_priority.http.trusted_proxies import TrustedProxies

TRUSTED = TrustedProxies.of(["10.0.0.0/8", "2001:db8::/32"])


def address(peer: str | None, *fields: tuple[str, str]) -> str | None:
    """Return the client's address for a request with these fields, as text."""
    lines = [(name.encode(), value.encode()) for name, value in fields]
    found = client_address(lines, None if peer is None else ip_address(peer), TRUSTED)
    return None if found is None else str(found)


def test_no_proxy() -> None:
    """Who opens the connection and is no trusted proxy is the client, whatever the fields say."""
    forged = ("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")
    assert address("192.0.2.1", *forged) == "192.0.2.1"
    assert address(None, *forged) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db9::1]:4711, 10.0.0.7", "2001:db9::1"),
        ("2001:db9::1", "2001:db9::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("192.0.2.1, unknown", None),
        ("192.0.2.1, unknown, 10.0.0.8", None),
        ("192.0.2.1,", None),
        ("", None),
    ],
)
def test_x_forwarded_for(value: str, expected: str | None) -> None:
    """The client's is the last address that is no trusted proxy's; what stands before it a client may have written."""
    assert address("10.0.0.1", ("X-Forwarded-For", value)) == expected


def test_several_lines() -> None:
    """Several lines are one list, in their order."""
    assert address("10.0.0.1", ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.1")) == "192.0.2.1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.1", "192.0.2.1"),
        ("for=203.0.113.9, For=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1"),
        ('for=192.0.2.1, for="10.0.0.7:8080"', "192.0.2.1"),
        ('for="[2001:db9::1]:4711"', "2001:db9::1"),
        ('for="192.0.2.1, for=203.0.113.9', None),
        ("for=192.0.2.1, proto=https", None),
        ("for=_hidden", None),
        ("for==", None),
        ("", None),
    ],
)
def test_forwarded(value: str, expected: str | None) -> None:
    """Forwarded is read in the same way; a value that is broken names nobody."""
    assert address("10.0.0.1", ("forwarded", value)) == expected


def test_a_proxy_that_writes_only_one_of_them() -> None:
    """Where a client may have sent the field that its proxy does not write, the address is unknown."""
    own, forged = ("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=203.0.113.9")
    assert address("10.0.0.1", own, forged) is None
    assert address("10.0.0.1", own, ("forwarded", "for=192.0.2.1")) == "192.0.2.1"


def test_a_proxy_that_says_nothing() -> None:
    """A trusted proxy that names no address leaves it unknown."""
    assert address("10.0.0.1") is None
