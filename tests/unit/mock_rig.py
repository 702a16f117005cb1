"""Clients of a mock target in process."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

# Stops a test whose request hangs; no test waits for it.
PATIENCE_SECONDS = 30


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock", timeout=PATIENCE_SECONDS)


@dataclass
class DirectRequest:
    """One request made straight over ASGI, whose client can hold back its body and can leave."""

    path: str
    method: str = "GET"
    incoming: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    sent: list[MutableMapping[str, Any]] = field(default_factory=list)

    async def run(self, app: FastAPI, fields: list[tuple[bytes, bytes]] | None = None) -> None:
        async def send(message: MutableMapping[str, Any]) -> None:
            self.sent.append(message)

        scope = {"type": "http", "method": self.method, "path": self.path, "raw_path": self.path.encode()}
        await app(scope | {"query_string": b"", "headers": fields or []}, self.incoming.get, send)

    def finish_body(self) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})


async def let_tasks_run() -> None:
    """Let every task that is ready reach its next wait."""
    for _ in range(10):
        await asyncio.sleep(0)
