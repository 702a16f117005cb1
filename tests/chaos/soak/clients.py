"""The clients of a soak: an open loop, where nobody waits for anybody else's answer."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence

import aiohttp

from tests.chaos.soak.traffic import STREAMED_BYTES, Done, Outcome, Plan

_PATIENCE_SECONDS = 120.0
_PIECE = b"x" * 50_000
_PROBLEM = "application/problem+json"
_SLUGS = "urn:fast-priority:"


class Clients:
    """Send what is planned, each in its time, and keep what came of it."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.done: list[Done] = []
        self.under_way = 0
        self.latest_seconds = (
            0.0  # how late a request was sent at most: more than a little says that we lack a processor
        )
        self._urls = urls
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, plans: Iterable[Plan], ended: asyncio.Event) -> None:
        """Send until that has ended, and wait for what is under way."""
        # No connection is used twice: on a kept one, a gateway that is gone could not be told from one that closes it.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            began = time.monotonic()
            for plan in itertools.takewhile(lambda _: not ended.is_set(), plans):
                await asyncio.sleep(began + plan.after_seconds - time.monotonic())
                self.latest_seconds = max(self.latest_seconds, time.monotonic() - began - plan.after_seconds)
                task = asyncio.create_task(self._send(session, plan))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.gather(*self._tasks)

    async def _send(self, session: aiohttp.ClientSession, plan: Plan) -> None:
        sent_at = time.time()
        self.under_way += 1
        outcome, status, slug = Outcome.UNANSWERED, None, ""
        try:
            async with asyncio.timeout(plan.leaves_after_seconds):
                outcome, status, slug = await self._exchange(session, plan)
        except TimeoutError:
            outcome = Outcome.UNANSWERED if plan.leaves_after_seconds is None else Outcome.LEFT
        finally:
            self.under_way -= 1
        self.done.append(Done(plan, sent_at, time.time(), outcome, status, slug))

    async def _exchange(self, session: aiohttp.ClientSession, plan: Plan) -> tuple[Outcome, int | None, str]:
        status = None
        try:
            async with session.request(
                plan.method,
                self._urls[plan.gateway] + plan.target,
                data=_upload() if plan.uploads else (b"a body" if plan.method in ("POST", "PUT") else None),
                headers={"X-Request-ID": plan.request_id},
                allow_redirects=False,
            ) as response:
                status = response.status
                body = await response.read()
                return _judge(plan, response, body)
        except aiohttp.ClientConnectorError:
            return Outcome.REFUSED, None, ""
        except (aiohttp.ClientError, ConnectionError):
            return (Outcome.CLOSED if status is None else Outcome.BROKEN_OFF), status, ""


def _judge(plan: Plan, response: aiohttp.ClientResponse, body: bytes) -> tuple[Outcome, int, str]:
    if response.content_type == _PROBLEM:
        return Outcome.ANSWERED, response.status, str(json.loads(body)["type"]).removeprefix(_SLUGS)
    if response.status != 200:
        return Outcome.ANSWERED, response.status, ""
    # The target echoes the path, in which the request's id stands.
    right = len(body) == STREAMED_BYTES if plan.downloads else plan.request_id.encode() + b'"' in body
    return (Outcome.ANSWERED if right else Outcome.WRONG), 200, ""


async def _upload() -> AsyncIterator[bytes]:
    for _ in range(STREAMED_BYTES // len(_PIECE)):
        yield _PIECE
