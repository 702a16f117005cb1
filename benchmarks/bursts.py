"""High requests that are sent all at once, and what each of their clients saw."""

import asyncio
import time

from loadtests.records import Outcome, SentRequest

_PATIENCE_SECONDS = 60.0


def send_bursts(host: str, port: int, path: str, at_once: int, bursts: int) -> list[SentRequest]:
    """Send so many requests at once, and again when all are answered; each has its number as query."""
    return asyncio.run(_send_bursts(host, port, path, at_once, bursts))


async def _send_bursts(host: str, port: int, path: str, at_once: int, bursts: int) -> list[SentRequest]:
    found: list[SentRequest] = []
    for burst in range(bursts):
        numbers = range(burst * at_once, (burst + 1) * at_once)
        found += await asyncio.gather(*(_ask(host, port, f"{path}?{number}") for number in numbers))
    return found


async def _ask(host: str, port: int, uri: str) -> SentRequest:
    reader, writer = await asyncio.open_connection(host, port)
    sent_at = time.time()
    writer.write(f"GET {uri} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
    outcome: Outcome = "failed"
    status = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            said = await reader.read()
    except (OSError, TimeoutError):
        said = b""
    finally:
        writer.close()
    if said.startswith(b"HTTP/1.1 "):
        outcome, status = "answered", int(said.split(b" ", 2)[1])
    return SentRequest(uri, "high", sent_at, time.time(), outcome, status)
