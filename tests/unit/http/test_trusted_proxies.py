"""Which peers are trusted proxies."""

import pytest

from fast_priority.http.trusted_proxies import TrustedProxies, address_of


@pytest.mark.parametrize(
    ("written", "peer", "trusted"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("::1", "::1", True),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "::1", False),
    ],
)
def test_address_in_network(written: str, peer: str, trusted: bool) -> None:
    """A peer is trusted if its address is listed, or is in a listed network."""
    assert TrustedProxies.of([written]).has(address_of(peer)) is trusted


def test_every_network_counts() -> None:
    """Of several networks, any one is enough."""
    proxies = TrustedProxies.of(["10.0.0.0/8", "192.0.2.7", "::1"])
    assert [proxies.has(address_of(peer)) for peer in ("10.0.0.1", "192.0.2.7", "::1", "192.0.2.8")] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:127.0.0.0/104"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_ipv4_written_into_ipv6(written: str, peer: str) -> None:
    """An IPv4 address mapped into IPv6 counts as the IPv4 address, in the setting and as a peer."""
    assert TrustedProxies.of([written]).has(address_of(peer))


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_nobody_is_trusted_by_default(peer: str) -> None:
    """Without a network no peer is trusted, not even this machine."""
    assert not TrustedProxies().has(address_of(peer))


@pytest.mark.parametrize("peer", [None, "", "testclient", "/run/gateway.sock"])
def test_peer_without_address(peer: str | None) -> None:
    """A peer without an address is not trusted, whatever the networks are."""
    assert address_of(peer) is None
    assert not TrustedProxies.of(["0.0.0.0/0", "::/0"]).has(address_of(peer))


@pytest.mark.parametrize("written", ["", "proxy", "10.0.0.1/8", "10.0.0.0/33", "1.2.3", "*"])
def test_neither_address_nor_network(written: str) -> None:
    """A text that is neither an address nor a network is refused."""
    with pytest.raises(ValueError):
        TrustedProxies.of([written])
