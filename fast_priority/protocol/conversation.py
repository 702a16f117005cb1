"""One request's conversation between gateway and worker: parts in order, and credit-based flow control.

Theory of operation. Gateway and worker each hold a `Conversation` for a request. It knows nothing of how parts travel.

- Order. Chunks are numbered from 0. A chunk that comes twice is dropped: a sender that did not see the answer of Redis
  sends again, and cannot know better. If one is missing, the conversation fails: a body with a hole must never pass as
  whole. The same goes for a head or a Go that comes twice.
- Credit. The receiver of a body grants credit: a number below which it takes chunks. The sender calls
  `acquire_credit` before each chunk, and waits while all granted credit is used. A credit that comes late, or twice,
  takes nothing back: the highest one counts. The receiver keeps a `CreditWindow`, which shows when to grant more.
- Bounds. A receiver never keeps more unread chunks than it granted credit for, plus a head and an end.
- Failure. `fail` ends the conversation, for instance when the worker is lost. Parts that came before it can still be
  read; after them every wait raises the error.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fast_priority.errors import RequestLost
from fast_priority.protocol.frames import Chunk, Credit, End, Go, Head, Part
from fast_priority.support.stalls import Timeout

_MOST_UNREAD = 1100  # more than any window that the settings allow
_BESIDE_CHUNKS = 2  # a head, and an end or a failure


class Conversation:
    """One request's parts from the other side, and the credit for chunks to it."""

    def __init__(self) -> None:
        self.mailbox = ""
        """The mailbox of the other side, once it has named it."""
        self.progressed_at = time.monotonic()
        """When the request last made progress, by `time.monotonic`."""
        self.on_wake: Callable[[], None] | None = None
        """Called each time `wait_until_ready` would return, for a reader that is no task."""
        self._unread: list[Part] = []  # few, and mostly one: a deque has room for 64 from the beginning
        self._most_unread = _MOST_UNREAD
        self._failure: Exception | None = None
        self._has_begun = False
        self.has_received_go = False
        """Whether the other side holds a slot for the request."""
        self._chunks_received = 0
        self._chunks_sent = 0
        self._credit = 0
        self._ready: asyncio.Future[None] | None = None
        self._credit_came: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        received, sent = f"{self._chunks_received} chunks received", f"{self._chunks_sent} of {self._credit} sent"
        return f"<Conversation: {received}, {len(self._unread)} parts unread, {sent}, failure {self._failure!r}>"

    @property
    def is_ready(self) -> bool:
        """Whether `next` would return or raise at once."""
        return bool(self._unread) or self._failure is not None

    @property
    def has_received(self) -> bool:
        """Whether the other side has sent anything at all."""
        return self.is_ready or self._has_begun or self._credit > 0 or self._chunks_received > 0

    @property
    def chunks_sent(self) -> int:
        """How many chunks `acquire_credit` has numbered."""
        return self._chunks_sent

    def limit_unread(self, frames_in_flight: int) -> None:
        """Fail the conversation if more chunks than this come unread: so much credit is granted at once."""
        self._most_unread = min(frames_in_flight + _BESIDE_CHUNKS, _MOST_UNREAD)

    def note_progress(self) -> None:
        """Note that the request makes progress."""
        self.progressed_at = time.monotonic()

    def receive(self, part: Part) -> None:
        """Take a part that the other side has sent."""
        self.note_progress()
        match part:
            case Credit(below, mailbox):
                self.mailbox = mailbox or self.mailbox
                self.grant_credit(below)
                _wake(self._credit_came)
                self._wake_reader()
                return
            case Chunk(number) if number < self._chunks_received:
                return
            case Head() | Go() if self._has_begun:
                return
            case Go():
                self._has_begun = self.has_received_go = True
            case Head(mailbox=mailbox):
                self._has_begun = True
                self.mailbox = mailbox
            case Chunk(number) | End(number) if number != self._chunks_received:
                self.fail(RequestLost("a part of it was lost on the way"))
                return
        if len(self._unread) >= self._most_unread:
            self.fail(RequestLost("the other side sent more than it was asked for"))
            return
        self._chunks_received += isinstance(part, Chunk)  # only now: a chunk that is not kept has to leave a hole
        self._unread.append(part)
        self._wake_reader()

    def grant_credit(self, below: int) -> None:
        """Note that chunks may be sent up to, and without, this number. A lower number than before changes nothing."""
        self._credit = max(self._credit, below)

    def fail(self, error: Exception) -> None:
        """End the conversation with an error: each wait raises it, once the parts that came before are read."""
        self._failure = self._failure or error
        self._wake_reader()
        _wake(self._credit_came)

    def wake(self) -> None:
        """Let `wait_until_ready` return even though nothing has come: its caller looks at the time."""
        self._wake_reader()

    @property
    def next_part(self) -> Part | None:
        """The part that `take` would return; None if it would raise."""
        return self._unread[0] if self._unread else None

    @property
    def has_more(self) -> bool:
        """Whether something has come behind the `next_part`: another part, or the end by `fail`."""
        return len(self._unread) > 1 or (bool(self._unread) and self._failure is not None)

    def _wake_reader(self) -> None:
        _wake(self._ready)
        if self.on_wake is not None:
            self.on_wake()

    async def wait_until_ready(self) -> None:
        """Return when `is_ready`, when the other side has granted credit since this call, or because of `wake`."""
        if not self.is_ready:
            await self.becoming_ready()

    def becoming_ready(self) -> "asyncio.Future[None]":
        """Return the future that is done when something comes next, or because of `wake`."""
        self._ready = _open(self._ready)
        return self._ready

    async def next(self, within_seconds: float | None = None) -> Part:
        """Return the next part other than a Credit.

        Raises the error of `fail`. Raises RequestLost if nothing comes and the request makes no progress for
        `within_seconds`: the other side may have died, or its part may be lost.
        """
        while not self.is_ready:
            began_at = time.monotonic()
            try:
                async with _bounded(within_seconds):
                    await self.wait_until_ready()
            except RequestLost:
                if self.progressed_at < began_at:
                    raise
        return self.take()

    def take(self) -> Part:
        """Return the next part, which has come already, or raise the error of `fail`."""
        if self._unread:
            return self._unread.pop(0)
        raise self._failure or RequestLost()

    async def acquire_credit(self, within_seconds: float | None = None) -> int:
        """Wait until one more chunk may be sent, and return its number. Raises as `next` does."""
        if self._chunks_sent >= self._credit and self._failure is None:
            async with _bounded(within_seconds):
                while self._chunks_sent >= self._credit and self._failure is None:
                    self._credit_came = _open(self._credit_came)
                    await self._credit_came
        if self._failure is not None:
            raise self._failure
        self.note_progress()
        self._chunks_sent += 1
        return self._chunks_sent - 1


class CreditWindow:
    """The receiver's side of the credit: it grants more as soon as half of a window of chunks has been taken."""

    def __init__(self, frames_in_flight: int) -> None:
        self._window = frames_in_flight
        self._taken = 0
        self._granted = frames_in_flight

    @property
    def granted(self) -> int:
        """The number below which chunks are taken now: the value of a Credit."""
        return self._granted

    def take(self) -> int | None:
        """Count one chunk that was taken. Return the new `granted` when it is time to send it, else None."""
        self._taken += 1
        if self._granted - self._taken > self._window // 2:
            return None
        self._granted = self._taken + self._window
        return self._granted


@asynccontextmanager
async def _bounded(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with Timeout(seconds):
            yield
    except TimeoutError as error:
        raise RequestLost(f"nothing came from the other side for {seconds:g} s") from error


def _open(waiting: "asyncio.Future[None] | None") -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future() if waiting is None or waiting.done() else waiting


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
