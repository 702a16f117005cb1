"""A request at the queues in the two attempts that a gateway makes, without the gateway around it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fast_priority.broker.producer import Attempt, Submitter
from fast_priority.broker.producer.submitter import Outcome
from fast_priority.errors import GatewayError
from fast_priority.gateway.retry import in_two_attempts
from fast_priority.http.message import Bytes
from fast_priority.scheduling.priority import Priority


async def ask(
    submitter: Submitter,
    priority: Priority,
    payload: bytes = b"call",
    description: str = "GET /somewhere",
    body: AsyncIterator[Bytes] | None = None,
    **options: Any,
) -> Outcome:
    """Submit a request, and return its outcome. Cancelling takes it back."""
    return await submitter.outcome(submitter.submit(priority, lambda: payload, description, **options), body)


async def ask_in_two_attempts(
    submitter: Submitter,
    priority: Priority,
    payload: bytes = b"call",
    description: str = "GET /somewhere",
    body: Callable[[], AsyncIterator[Bytes]] | None = None,
    *,
    is_idempotent: bool = False,
) -> Outcome:
    """Return what a worker answers. `body` returns the request's body, from its beginning, for each attempt."""

    def attempt(number: Attempt) -> Coroutine[Any, Any, Outcome]:
        sent = None if body is None else body()
        return ask(submitter, priority, payload, description, sent, is_idempotent=is_idempotent, attempt=number)

    return await in_two_attempts(attempt, _Request(submitter, is_idempotent))


@dataclass
class _Request:
    submitter: Submitter
    is_idempotent: bool

    def can_be_sent_again(self) -> bool:
        return not self.submitter.is_closing

    def note_retry(self, error: GatewayError) -> None:
        """Nobody listens."""
