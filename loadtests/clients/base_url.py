"""Where a server is: base URLs taken apart, and refused if they are none."""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """Where a gateway is, and what stands before each path."""

    secure: bool
    host: str
    port: int | None
    base_path: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """Take a base URL apart. Raises ValueError if it is none."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _no_base_url(url) from error
        # The standard library's client can send nothing else, and says so only when it sends.
        is_sendable = parts.path.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or not is_sendable:
            raise _no_base_url(url)
        return cls(parts.scheme == "https", parts.hostname, port, parts.path.rstrip("/"))

    def make_connection(self) -> HTTPConnection:
        """Give a connection that is not open yet."""
        return (HTTPSConnection if self.secure else HTTPConnection)(self.host, self.port)


def _no_base_url(url: str) -> ValueError:
    return ValueError(f"{url!r} is no base URL; give one like http://localhost:8000")
