"""The proxies in front of the gateway that may state where a request comes from, by their addresses.

Fields from any other peer are not trusted: any client could have written them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED_BITS = 96  # the bits before an IPv4 address in an IPv6 one (RFC 4291, section 2.5.5.2)


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """A set of networks; without any, no peer is trusted."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, written: Iterable[str]) -> "TrustedProxies":
        """Return the proxies in these addresses and CIDR networks. Raises ValueError naming one that is neither."""
        return cls(tuple(map(_network_of, written)))

    def has(self, address: Address | None) -> bool:
        """Return whether a peer with this address, as `address_of` returns it, is trusted; None never is."""
        return address is not None and any(address in network for network in self.networks)


def address_of(peer: str | None) -> Address | None:
    """Return a peer's address as a server reports it; None if it is no address, as for a unix socket.

    An IPv4 peer of a socket for both families counts as IPv4. The zone of a link-local address is left out: it has no
    meaning on another machine.
    """
    try:
        address = ip_address((peer or "").partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def _network_of(written: str) -> Network:
    network = ip_network(written)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ip_network((mapped, network.prefixlen - _MAPPED_BITS))
