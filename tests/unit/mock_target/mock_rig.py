"""Clients of a mock target in process."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from mock_target.handler.asgi_types import App, Scope

# Stops a test whose request hangs; no test waits for it.
PATIENCE_SECONDS = 30


def client_of(app: App) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock", timeout=PATIENCE_SECONDS)


@dataclass
class DirectRequest:
    """One request over ASGI, whose client can delay its body and can disconnect."""

    path: str
    method: str = "GET"
    query: str = ""
    kind: str = "http"
    subprotocols: list[str] = field(default_factory=list)
    incoming: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    sent: list[MutableMapping[str, Any]] = field(default_factory=list)

    async def run(self, app: App, fields: list[tuple[bytes, bytes]] | None = None) -> None:
        async def send(message: MutableMapping[str, Any]) -> None:
            self.sent.append(message)

        scope: Scope = {
            "type": self.kind,
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query.encode(),
            "headers": fields or [],
            "subprotocols": self.subprotocols,
        }
        async with asyncio.timeout(PATIENCE_SECONDS):
            await app(scope, self.incoming.get, send)

    def start(self, app: App) -> "asyncio.Task[None]":
        """Run it in the background, with its body whole."""
        self.finish_body()
        return asyncio.create_task(self.run(app))

    def finish_body(self) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def disconnect(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int | None:
        """The status of the response; None: none yet."""
        return self.sent[0]["status"] if self.sent else None


async def let_tasks_run() -> None:
    """Let every task that is ready reach its next wait."""
    for _ in range(10):
        await asyncio.sleep(0)
