"""High requests that are sent all at the same time, and how each of them ended."""

import asyncio
import time

from loadtests.records import Outcome, SentRequest

_TIMEOUT_SECONDS = 60.0


def send_bursts(host: str, port: int, path: str, per_burst: int, bursts: int) -> list[SentRequest]:
    """Send a burst of requests, and the next one when all are answered. The query of each is its number."""
    return asyncio.run(_send_bursts(host, port, path, per_burst, bursts))


async def _send_bursts(host: str, port: int, path: str, per_burst: int, bursts: int) -> list[SentRequest]:
    sent: list[SentRequest] = []
    for burst in range(bursts):
        numbers = range(burst * per_burst, (burst + 1) * per_burst)
        sent += await asyncio.gather(*(_send(host, port, f"{path}?{number}") for number in numbers))
    return sent


async def _send(host: str, port: int, uri: str) -> SentRequest:
    reader, writer = await asyncio.open_connection(host, port)
    sent_at = time.time()
    writer.write(f"GET {uri} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
    outcome: Outcome = "failed"
    status = None
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            response = await reader.read()
    except (OSError, TimeoutError):
        response = b""
    finally:
        writer.close()
    if response.startswith(b"HTTP/1.1 "):
        outcome, status = "answered", int(response.split(b" ", 2)[1])
    return SentRequest(uri, "high", sent_at, time.time(), outcome, status)
