"""uvicorn's HTTP protocol, with access to what is below ASGI."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mock_target.handler import EXTENSION, WEBSOCKET_PATH, RawConnection


class MockProtocol(HttpToolsProtocol):
    """Passes the raw head and the transport of each request to the endpoint; upgrades the WebSocket path only."""

    def on_message_begin(self) -> None:
        """Start a new request on this connection."""
        super().on_message_begin()
        self.raw_fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field as received; uvicorn converts its name to lower case."""
        self.raw_fields.append((name, value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Attach the raw head to the scope, without the trailers that may follow the body."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        request_line = b"%s %s HTTP/%s" % (method, self.url, version.encode())
        # mypy knows the extensions of the standard only.
        self.scope["extensions"] = {EXTENSION: RawConnection(self.transport, request_line, self.raw_fields)}  # type: ignore[dict-item]
        self.raw_fields = []
        super().on_headers_complete()
        # A copy: uvicorn appends trailers to its own list.
        self.scope["headers"] = list(self.headers)

    def _should_upgrade(self) -> bool:
        # On any other path a request to upgrade is echoed, as every request is.
        return super()._should_upgrade() and self.url.partition(b"?")[0] == WEBSOCKET_PATH

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a request to upgrade on another path is echoed."""
