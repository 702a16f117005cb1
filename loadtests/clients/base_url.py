"""Base URLs of gateways and targets."""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A parsed base URL: scheme, host, port, and the prefix of each path."""

    is_https: bool
    host: str
    port: int | None
    base_path: str

    @classmethod
    def parse(cls, url: str) -> "BaseUrl":
        """Parse a base URL. Raises ValueError if it is not one."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _not_a_base_url(url) from error
        # The standard library's client can send nothing else, and raises only when it sends.
        is_sendable = parts.path.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or not is_sendable:
            raise _not_a_base_url(url)
        return cls(parts.scheme == "https", parts.hostname, port, parts.path.rstrip("/"))

    def make_connection(self) -> HTTPConnection:
        """Return a connection that is not open yet."""
        return (HTTPSConnection if self.is_https else HTTPConnection)(self.host, self.port)


def _not_a_base_url(url: str) -> ValueError:
    return ValueError(f"{url!r} is not a base URL; write one like http://localhost:8000")
