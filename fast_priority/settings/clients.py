"""Settings for clients: where the gateway listens, and what one client may take."""

from typing import Any

from pydantic import BaseModel, field_validator

from fast_priority.http.cors import AllowedOrigins
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.settings.field import PORT, SWITCH, TextList, count, seconds, setting, split
from fast_priority.settings.listen_hosts import listen_hosts


class ClientSettings(BaseModel):
    """Clients of the gateway, and proxies in front of it."""

    host: str = setting(
        "0.0.0.0",
        "Addresses that the gateway listens on. 0.0.0.0 is all addresses of IPv4, :: is all of IPv4 and IPv6. There is "
        "no login.",
        "addresses of this machine with commas, such as ::, or 127.0.0.1,::1 for clients on this machine only",
    )
    port: int = setting(8000, "Port that the gateway listens on.", PORT, ge=1, le=65_535)
    trusted_proxies: TextList = setting(
        (),
        "Proxies in front of the gateway: their Forwarded and X-Forwarded-* fields are kept, those of others dropped.",
        "comma-separated addresses and CIDR networks, such as 10.0.0.0/8,192.0.2.7,2001:db8::/32",
    )
    cors_origins: TextList = setting(
        (),
        "Origins of pages that may read the gateway's own errors in a browser. Responses and preflights are the "
        "target's.",
        "comma-separated origins, such as https://app.example,http://localhost:5173",
    )
    client_timeout: float = seconds(
        15.0,
        "Credit in seconds of a client that should send its body or read its response: waiting for it uses the credit, "
        "each byte adds 1/500 second.",
    )
    head_timeout: float = seconds(30.0, "Timeout in seconds for a client that sends the head of a request.")
    keep_alive: float = seconds(75.0, "Time limit in seconds for an idle connection of a client, between two requests.")
    max_connections: int = setting(
        16_384,
        "Limit for the connections of clients to one gateway. 0: no limit.",
        "a whole number from 1 to 1000000, or 0 for no limit",
        ge=0,
        le=1_000_000,
    )
    websockets: bool = setting(
        True, "Whether WebSockets are forwarded. off: a request for a WebSocket is forwarded as a plain GET.", SWITCH
    )
    max_tunnels: int = count(
        1000, "Limit for the WebSockets of one gateway, those that are being opened included.", 1_000_000
    )
    drain_timeout: float = setting(
        0.0,
        "Time limit in seconds for the requests that a gateway still has when it ends. 0: TTL + TIMEOUT + 5 seconds.",
        "a number of seconds from 0.1 to 604800, or 0 for TTL + TIMEOUT + 5 seconds",
        ge=0,
        le=604_800,
    )

    drain_delay: float = setting(
        0.0,
        "Seconds for which a gateway still accepts connections after SIGTERM, but is not ready: until load balancers "
        "know of it.",
        "a number of seconds from 0 to 300",
        ge=0,
        le=300,
    )

    @field_validator("host")
    @classmethod
    def _are_listen_hosts(cls, value: str) -> str:
        return ",".join(listen_hosts(value))

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _are_addresses(cls, value: Any) -> Any:
        written = split(value)
        if isinstance(written, tuple):
            TrustedProxies.of(written)
        return written

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _are_origins(cls, value: Any) -> Any:
        written = split(value)
        if isinstance(written, tuple):
            AllowedOrigins.of(written)
        return written

    @property
    def allowed_origins(self) -> AllowedOrigins:
        """The origins of pages that may read the gateway's own errors."""
        return AllowedOrigins.of(self.cors_origins)

    @property
    def listen_hosts(self) -> tuple[str, ...]:
        """The addresses and names that the gateway listens on; `::` is all addresses of both families."""
        return listen_hosts(self.host)

    @property
    def proxies(self) -> TrustedProxies:
        """The trusted proxies in front of the gateway."""
        return TrustedProxies.of(self.trusted_proxies)
