"""The sockets that the gateway listens on: one for each address, and one for each family of all addresses."""

import errno
import ipaddress
import logging
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from fast_priority.errors import ConfigurationError
from fast_priority.settings import PREFIX, Settings

logger = logging.getLogger(__name__)

_ALL = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
_FAMILY_NAMES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


class _Place(NamedTuple):
    """One address to listen on."""

    family: socket.AddressFamily
    address: str
    scope: int = 0

    def socket_address(self, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        """Return it as `bind` takes it."""
        return (self.address, port) if self.family == socket.AF_INET else (self.address, port, 0, self.scope)

    def needs_only_the_family(self) -> bool:
        """Return whether each machine with this family has the address."""
        found = ipaddress.ip_address(self.address)
        return found.is_unspecified or found.is_loopback


def check_port_is_free(settings: Settings) -> list[str]:
    """Return the URLs at which the gateway is going to listen. Raises ConfigurationError if it cannot."""
    with ExitStack() as sockets:
        opened = [sockets.enter_context(one) for one in bound_sockets(settings, [])]
        for one in opened:
            _listen(one, settings)
        return urls_of(opened)


def open_sockets(settings: Settings) -> list[socket.socket]:
    """Return a socket for each address, bound. The caller closes them.

    What needs a family that this machine does not have is left out, with a warning. Raises ConfigurationError if an
    address cannot be used, or if none is left.
    """
    warnings: list[str] = []
    opened = bound_sockets(settings, warnings)
    log_warnings(warnings)
    return opened


def log_warnings(warnings: Iterable[str]) -> None:
    """Log what is left out of the addresses."""
    for warning in warnings:
        logger.warning(warning)


def urls_of(sockets: list[socket.socket]) -> list[str]:
    """Return the URL of each listening socket."""
    return [f"http://{_in_url(*one.getsockname()[:2])}" for one in sockets]


def _in_url(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def bound_sockets(settings: Settings, warnings: list[str], *, is_shared: bool = False) -> list[socket.socket]:
    """Return a socket for each address, bound, and add a warning for each address that is left out.

    If `is_shared`, other sockets of this user that are shared may be bound there as well. Raises ConfigurationError.
    """
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        missing: OSError | None = None
        for place in _without_covered(list(dict.fromkeys(_places(settings)))):
            try:
                sockets.append(opened.enter_context(_bound(place, settings.port, is_shared=is_shared)))
            except OSError as error:
                if not _lacks_family(place, error):
                    raise _refusal(settings, place.address, error) from None
                missing = error
                family = _FAMILY_NAMES[place.family]
                warnings.append(f"this machine has no {family}: the gateway does not listen on {place.address}")
        if missing is not None and not sockets:
            raise _refusal(settings, settings.host, missing)
        opened.pop_all()
    return sockets


def _places(settings: Settings) -> Iterator[_Place]:
    for host in settings.listen_hosts:
        if host == "::":
            yield from (_Place(family, address) for family, address in _ALL.items())
            continue
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except (OSError, UnicodeError) as error:
            raise _refusal(settings, host, error) from None
        for family, _, _, _, address in found:
            if family in _ALL:
                yield _Place(family, str(address[0]).partition("%")[0], int(address[3]) if len(address) > 3 else 0)


def _without_covered(places: list[_Place]) -> list[_Place]:
    """Return the addresses without those that are among all addresses of their family, if these are listened on."""
    all_of = {place.family for place in places if place.address == _ALL[place.family]}
    return [place for place in places if place.family not in all_of or place.address == _ALL[place.family]]


def _bound(place: _Place, port: int, *, is_shared: bool) -> socket.socket:
    one = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if place.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
        one.bind(place.socket_address(port))
    except BaseException:
        one.close()
        raise
    return one


def _listen(one: socket.socket, settings: Settings) -> None:
    try:
        one.listen(1)
    except OSError as error:
        raise _refusal(settings, one.getsockname()[0], error) from None


def _lacks_family(place: _Place, error: OSError) -> bool:
    if error.errno == errno.EAFNOSUPPORT:
        return True
    return error.errno == errno.EADDRNOTAVAIL and place.needs_only_the_family()


def _refusal(settings: Settings, host: str, error: Exception) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or "this is no name"
    if host != settings.host:
        reason = f"{host}: {reason}"
    place = f"{PREFIX}HOST={settings.host!r} and {PREFIX}PORT={settings.port}"
    return ConfigurationError(
        f"{place} cannot be used ({reason}): give a free port (--port), and addresses of this machine (--host)"
    )
