"""Whose word is taken for whom a request comes from: the proxies in front of the gateway, by their addresses.

Pure: an address in, an answer out. What a proxy that is not named here says of a request, any client could have said.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED_BITS = 96  # an IPv4 address is written into IPv6 behind so many (RFC 4291, section 2.5.5.2)


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """A set of networks; without any, nobody is trusted."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, written: Iterable[str]) -> "TrustedProxies":
        """Read addresses and CIDR networks. Raises ValueError, which names the one that is neither."""
        return cls(tuple(map(_network_of, written)))

    def has(self, address: Address | None) -> bool:
        """Tell whether a peer with this address, as `address_of` gives it, is trusted; None never is."""
        return address is not None and any(address in network for network in self.networks)


def address_of(peer: str | None) -> Address | None:
    """Read a peer's address as a server gives it; None for what is no address, such as a unix socket's peer.

    An IPv4 peer of a socket that serves both families counts as IPv4, and the zone of a link-local address is left out:
    it means nothing on another machine.
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
