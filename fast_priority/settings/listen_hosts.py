"""The addresses that the gateway listens on, as FAST_PRIORITY_HOST names them. Pure."""

import ipaddress
import re

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
_IPV4_AND_PORT = re.compile(r"[^:\[\]]+:[0-9]*")
_IPV6_AND_PORT = re.compile(r"\[[^\[\]]*\]:[0-9]*")


def listen_hosts(text: str) -> tuple[str, ...]:
    """Return the addresses and names in a list with commas, each once, IPv6 addresses without brackets.

    Raises ValueError, which names the remedy, if one cannot be listened on, or if there is none.
    """
    hosts = tuple(dict.fromkeys(_host(part.strip()) for part in text.split(",") if part.strip()))
    if not hosts:
        raise ValueError("there is no address in it")
    return hosts


def _host(written: str) -> str:
    if "/" in written:
        raise ValueError(f"{written!r} is a URL or a network: write one address of this machine")
    if _IPV4_AND_PORT.fullmatch(written) or _IPV6_AND_PORT.fullmatch(written):
        raise ValueError(f"{written!r} has a port: FAST_PRIORITY_PORT sets it, for all addresses")
    if written == "*":
        raise ValueError("'*' is no address: write :: for all addresses of this machine, or 0.0.0.0 for those of IPv4")
    if written.startswith("[") and written.endswith("]"):
        return _ipv6(written[1:-1], written)
    if ":" in written:
        return _ipv6(written, written)
    if _NUMBER.fullmatch(written):
        return _ipv4(written)
    if not _NAME.fullmatch(written) or len(written) > 253:
        raise ValueError(f"{written!r} is no address and no name")
    return written.lower()


def _ipv4(written: str) -> str:
    try:
        return str(ipaddress.IPv4Address(written))
    except ValueError:
        raise ValueError(f"{written!r} is no IPv4 address: it has four decimal numbers from 0 to 255") from None


def _ipv6(address: str, written: str) -> str:
    try:
        return str(ipaddress.IPv6Address(address))
    except ValueError:
        raise ValueError(f"{written!r} is no IPv6 address, such as ::1") from None
