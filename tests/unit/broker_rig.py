"""Gateways and workers at one fake Redis, and a look into it."""

import asyncio
from collections.abc import Callable
from typing import Any

from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer

from fast_priority.broker import keys
from fast_priority.broker.connection import ANSWER_TIMEOUT_SECONDS
from fast_priority.broker.consumer import Claim, Consumer
from fast_priority.broker.jobs import payload_of
from fast_priority.broker.producer import Submitter
from fast_priority.broker.producer.submit_outbox import SubmitOutbox
from fast_priority.broker.producer.submitter import Outcome
from fast_priority.http.message import Reply
from fast_priority.scheduling.priority import Priority
from fast_priority.support.background import end_all
from tests.attempts import ask_in_two_attempts
from tests.redis_run import note_run

PATIENCE_SECONDS = 30
"""Stops a test whose condition never holds. No test waits for it."""

HELLO = Reply(200, [(b"content-type", b"text/plain")], b"hello")


async def until(what: str, condition: Callable[[], bool]) -> None:
    """Return once the condition holds. If it never does, fail with `what`."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0)
    except TimeoutError:
        raise AssertionError(f"it never happened that {what}") from None


def payloads(claims: list[Claim]) -> list[bytes]:
    """Return the submitted payloads, in the order of the claims."""
    return [payload_of(claim.data, max_bytes=1024) for claim in claims]


class Rig:
    """One fake Redis, `redis` to look into it, and the requests that are running."""

    def __init__(self) -> None:
        self.server = FakeServer()
        # redis-py's annotations cannot tell bytes from str; here all answers are bytes.
        self.redis: Any = FakeRedis(server=self.server)
        self._asking: list[asyncio.Task[Outcome]] = []

    def connect(
        self, options: dict[str, Any], answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS
    ) -> FakeAsyncRedis:
        """Stand in for connect."""
        return FakeAsyncRedis(server=self.server)

    def ask(
        self, submitter: Submitter, priority: Priority, payload: bytes = b"call", *, is_idempotent: bool = False
    ) -> asyncio.Task[Outcome]:
        """Start a request and return its task."""
        asking = asyncio.create_task(ask_in_two_attempts(submitter, priority, payload, is_idempotent=is_idempotent))
        self._asking.append(asking)
        return asking

    async def queue(
        self, submitter: Submitter, priority: Priority, payload: bytes = b"call", *, is_idempotent: bool = False
    ) -> asyncio.Task[Outcome]:
        """Start a request and return its task once it waits on its queue."""
        length = self.waiting(priority) + 1
        asking = self.ask(submitter, priority, payload, is_idempotent=is_idempotent)
        await until("the request is on its queue", lambda: self.waiting(priority) == length)
        return asking

    async def ask_idempotently(
        self, submitter: Submitter, priority: Priority, payload: bytes = b"call"
    ) -> asyncio.Task[Outcome]:
        """Start a request that may be sent twice. Return its task once it has been queued, even if it is claimed at
        once.
        """
        asking = self.ask(submitter, priority, payload, is_idempotent=True)
        await until("the request is watched", lambda: len(submitter._inbox._detector) > 0)
        return asking

    async def start(self, submitter: Submitter, claimer: Consumer) -> tuple[asyncio.Task[Outcome], Claim]:
        """Let the submitter submit a request and the consumer claim it."""
        asking = await self.queue(submitter, Priority.HIGH)
        result = await claimer.publish_and_claim([], 1)
        return asking, result.claims[0]

    async def let_go(self) -> None:
        """Cancel the requests that are running."""
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        self._asking.clear()

    async def end_sign_of_life(self, submitter: Submitter) -> None:
        """Let a gateway show no sign of life any more but with its submits, on a Redis that has run for long."""
        assert submitter._beating is not None
        await end_all([submitter._beating])
        self.redis.delete(keys.gateway(submitter.gateway_id))
        note_run(self.redis)

    def waiting(self, priority: Priority) -> int:
        """Return how many ids are on a queue."""
        return int(self.redis.llen(keys.queue(priority)))

    def ids(self, priority: Priority) -> list[str]:
        """Return the ids on a queue, oldest first."""
        return [job_id.decode() for job_id in self.redis.lrange(keys.queue(priority), 0, -1)]

    def payloads(self, priority: Priority) -> list[bytes]:
        """Return the submitted payloads, in the order of the claims."""
        data = [self.redis.hget(keys.job(job_id), "data") for job_id in self.ids(priority)]
        return [payload_of(found, max_bytes=1024) for found in data if found is not None]

    def all_keys(self, pattern: str = "*") -> list[str]:
        """Return all keys that match a pattern, except the processing lists of readers that wait."""
        found = sorted(key.decode() for key in self.redis.keys(pattern))
        return [key for key in found if not self._is_of_waiting_reader(key)]

    def _is_of_waiting_reader(self, key: str) -> bool:
        return key.startswith(keys.processing_list("")) and self.redis.lrange(key, 0, -1) == [b""]

    def jobs(self) -> list[str]:
        """Return the keys of all jobs."""
        return self.all_keys(f"{keys.JOB_PREFIX}*")

    def tokens(self) -> int:
        """Return how many wake-up tokens there are."""
        return int(self.redis.llen(keys.WAKE_UP))

    def lease(self, claim: Claim) -> float | None:
        """Return when the lease of a claim ends, in seconds of Redis's clock; None if there is none."""
        score: float | None = self.redis.zscore(keys.started(claim.queue_name), f"{claim.job_id}:{claim.execution_id}")
        return score


def submit_outbox_of(submitter: Submitter) -> SubmitOutbox:
    """The outbox of a gateway without slots."""
    outbox = submitter._submits
    assert isinstance(outbox, SubmitOutbox)
    return outbox
