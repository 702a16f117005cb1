"""Sends one request of a load and returns how it ended."""

import asyncio
import base64
import json
import time
from typing import NamedTuple

import aiohttp

from tests.chaos.load.content import Upload, downloaded
from tests.chaos.load.plan import SOCKET_MESSAGES, WITH_BODY, Done, Kind, Outcome, Plan

_PROBLEM = "application/problem+json"
_SLUGS = "urn:fast-priority:"
_BODY = b"a body"
# The fields of a handshake: for a declined one, aiohttp's WebSocket client keeps only the status.
_HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"a sixteen-byte k").decode(),
}


class _End(NamedTuple):
    outcome: Outcome
    status: int | None = None
    slug: str = ""
    retry_after: str | None = None


def open_session() -> aiohttp.ClientSession:
    """Return a session in which no connection is used twice.

    On a reused connection, a dead gateway could not be told from a gateway that closes an idle connection.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None), trust_env=False)


async def send(
    session: aiohttp.ClientSession,
    base_url: str,
    plan: Plan,
    timeout_seconds: float,
    ending: asyncio.Event | None = None,
) -> Done:
    """Send one request and return how it ended.

    `ending`, once set, completes an upload and disconnects the client of a download.
    """
    sent_at = time.time()
    try:
        async with asyncio.timeout(plan.leaves_after_seconds or timeout_seconds):
            if plan.kind is Kind.SOCKET:
                end = await _use_websocket(session, base_url, plan)
            else:
                end = await _exchange(session, base_url, plan, ending)
    except TimeoutError:
        end = _End(Outcome.UNANSWERED if plan.leaves_after_seconds is None else Outcome.LEFT)
    return Done(plan, sent_at, time.time(), *end)


async def _exchange(session: aiohttp.ClientSession, base_url: str, plan: Plan, ending: asyncio.Event | None) -> _End:
    status = None
    upload = Upload(plan, ending)
    fields = {"X-Request-ID": plan.request_id} | (_HANDSHAKE if plan.kind is Kind.DECLINED_SOCKET else {})
    short = _BODY if plan.method in WITH_BODY else None
    try:
        async with session.request(
            plan.method,
            base_url + plan.target,
            data=upload.pieces() if plan.kind is Kind.UPLOAD else short,
            headers=fields,
            allow_redirects=False,
        ) as response:
            status = response.status
            if plan.kind is Kind.DOWNLOAD and status == 200:
                return _End(await _download(response, plan, ending), status)
            return _judge(plan, upload, response, await response.read())
    except aiohttp.ClientConnectorError:
        return _End(Outcome.REFUSED)
    except (aiohttp.ClientError, ConnectionError):
        return _End(Outcome.CLOSED if status is None else Outcome.BROKEN_OFF, status)


async def _download(response: aiohttp.ClientResponse, plan: Plan, ending: asyncio.Event | None) -> Outcome:
    """Read a download and compare each byte; disconnect at the next piece once `ending` is set."""
    received_bytes = 0
    async for piece in response.content.iter_any():
        if piece != downloaded(received_bytes, len(piece)):
            return Outcome.WRONG
        received_bytes += len(piece)
        if ending is not None and ending.is_set():
            response.close()
            return Outcome.LEFT
    return Outcome.ANSWERED if received_bytes == plan.size_bytes else Outcome.BROKEN_OFF


def _judge(plan: Plan, upload: Upload, response: aiohttp.ClientResponse, body: bytes) -> _End:
    retry_after = response.headers.get("Retry-After")
    if response.content_type == _PROBLEM:
        slug = str(json.loads(body)["type"])
        return _End(Outcome.ANSWERED, response.status, slug.removeprefix(_SLUGS), retry_after)
    if response.status != 200:
        return _End(Outcome.ANSWERED, response.status, "", retry_after)
    # The target echoes the path, which contains the request's id, and length and checksum of the body.
    right = plan.request_id.encode() + b'"' in body
    if plan.kind is Kind.UPLOAD:
        echo = json.loads(body)
        right = right and (echo["body_length"], echo["body_sha256"]) == (upload.sent_bytes, upload.checksum)
    return _End(Outcome.ANSWERED if right else Outcome.WRONG, 200)


async def _use_websocket(session: aiohttp.ClientSession, base_url: str, plan: Plan) -> _End:
    """Open a WebSocket, send messages, check that they come back, and receive the target's close."""
    accepted = None
    try:
        async with session.ws_connect(base_url + plan.target, headers={"X-Request-ID": plan.request_id}) as socket:
            accepted = 101
            for number in range(SOCKET_MESSAGES):
                sent = f"{plan.request_id} {number}"
                await socket.send_str(sent)
                message = await socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return _End(Outcome.BROKEN_OFF, accepted)
                if message.data != sent:
                    return _End(Outcome.WRONG, accepted)
            message = await socket.receive()
            closed = message.type is aiohttp.WSMsgType.CLOSE and message.data == aiohttp.WSCloseCode.OK
            return _End(Outcome.ANSWERED if closed else Outcome.BROKEN_OFF, accepted)
    except aiohttp.WSServerHandshakeError as error:
        retry_after = error.headers.get("Retry-After") if error.headers else None
        return _End(Outcome.ANSWERED, error.status, "", retry_after)
    except aiohttp.ClientConnectorError:
        return _End(Outcome.REFUSED)
    except (aiohttp.ClientError, ConnectionError):
        return _End(Outcome.CLOSED if accepted is None else Outcome.BROKEN_OFF, accepted)
