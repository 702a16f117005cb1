"""uvicorn's HTTP protocol, which shows the mock what is below ASGI."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mock_target.handler import EXTENSION, WEBSOCKET_PATH, Wire


class MockProtocol(HttpToolsProtocol):
    """Hands the raw head and the transport of each request to the endpoint; upgrades the WebSocket path only."""

    def on_message_begin(self) -> None:
        """A new request begins on this connection."""
        super().on_message_begin()
        self.raw_fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field has come; uvicorn keeps its name in lower case, which is not how it was sent."""
        self.raw_fields.append((name, value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has come; trailers that follow the body are not part of it."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        request_line = b"%s %s HTTP/%s" % (method, self.url, version.encode())
        # mypy knows the extensions of the standard only.
        self.scope["extensions"] = {EXTENSION: Wire(self.transport, request_line, self.raw_fields)}  # type: ignore[dict-item]
        self.raw_fields = []
        super().on_headers_complete()
        # uvicorn goes on to append trailers to its list.
        self.scope["headers"] = list(self.headers)

    def _should_upgrade(self) -> bool:
        # On any other path a request to upgrade is echoed, as every request is.
        return super()._should_upgrade() and self.url.partition(b"?")[0] == WEBSOCKET_PATH

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the echo is the answer that was asked for."""
