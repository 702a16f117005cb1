"""What two sides say to each other about one request, once it is under way: parts heard in order, and whose turn it is.

Gateway and worker each hold one of these for a request. It knows nothing of how parts travel. A chunk that comes twice
is dropped (whoever sends again after a lost answer cannot know better); one that is missing ends the conversation,
for a body with a hole must never pass as whole.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fast_priority.errors import RequestLost
from fast_priority.protocol.frames import Chunk, Credit, End, Go, Head, Part
from fast_priority.support.stalls import Timeout

_MOST_UNREAD = 1100  # over any window that the settings allow
_BESIDE_CHUNKS = 2  # a head, and an end or a failure


class Conversation:
    """One request's parts from the other side, and how many chunks the other side wants."""

    def __init__(self) -> None:
        self.mailbox = ""
        """Where the other side hears us, as soon as it has said so."""
        self.progressed_at = time.monotonic()
        """When the request last got on, by `time.monotonic`."""
        self._unread: list[Part] = []  # few, and of most conversations one: a deque has room for 64 from the beginning
        self._most_unread = _MOST_UNREAD
        self._failure: Exception | None = None
        self._has_begun = False
        self._chunks_heard = 0
        self._chunks_said = 0
        self._wanted_below = 0
        self._news: asyncio.Future[None] | None = None
        self._turn: asyncio.Future[None] | None = None

    @property
    def has_news(self) -> bool:
        """Whether `next` would give, or raise, something at once."""
        return bool(self._unread) or self._failure is not None

    @property
    def was_heard_of(self) -> bool:
        """Whether the other side has said anything at all."""
        return self.has_news or self._has_begun or self._wanted_below > 0 or self._chunks_heard > 0

    def expect_at_most(self, frames_in_flight: int) -> None:
        """No more chunks than these are asked for at once: whoever sends more fails it all, and fills no memory."""
        self._most_unread = min(frames_in_flight + _BESIDE_CHUNKS, _MOST_UNREAD)

    def progress(self) -> None:
        """Note that the request gets on."""
        self.progressed_at = time.monotonic()

    def hear(self, part: Part) -> None:
        """Take what the other side says."""
        self.progress()
        match part:
            case Credit(below, mailbox):
                self.mailbox = mailbox or self.mailbox
                self.grant_credit(below)
                _wake(self._turn)
                _wake(self._news)
                return
            case Chunk(number) if number < self._chunks_heard:
                return
            case Head() | Go() if self._has_begun:
                return
            case Go():
                self._has_begun = True
            case Head(mailbox=mailbox):
                self._has_begun = True
                self.mailbox = mailbox
            case Chunk(number) | End(number) if number != self._chunks_heard:
                self.fail(RequestLost("a part of what it carried was lost on the way"))
                return
        if len(self._unread) >= self._most_unread:
            self.fail(RequestLost("the other side sent more than it was asked for"))
            return
        self._chunks_heard += isinstance(part, Chunk)  # only now: of what is not heard a hole must remain
        self._unread.append(part)
        _wake(self._news)

    def grant_credit(self, below: int) -> None:
        """Chunks are wanted up to this number without another word: the other side has said so before."""
        self._wanted_below = max(self._wanted_below, below)

    def fail(self, error: Exception) -> None:
        """Let whoever waits for the other side get an error, once what was heard before is read."""
        self._failure = self._failure or error
        _wake(self._news)
        _wake(self._turn)

    def stir(self) -> None:
        """Let `news` return, though there are none: it is time to look."""
        _wake(self._news)

    async def news(self) -> None:
        """Return when the other side has said something since this was called, or there is something to read.

        It may also return because of `stir`.
        """
        if not self.has_news:
            await self.coming_news()

    def coming_news(self) -> "asyncio.Future[None]":
        """Return the future that is done when there is something to read next, or because of `stir`."""
        self._news = _open(self._news)
        return self._news

    async def next(self, within_seconds: float | None = None) -> Part:
        """Give the next part that is no Want.

        Raises what the conversation failed with, and RequestLost if the other side is silent for too long: it may have
        died, or what it said may be lost. It is not for as long as the request gets on, as by its body.
        """
        while not self.has_news:
            began_at = time.monotonic()
            try:
                async with _bounded(within_seconds):
                    await self.news()
            except RequestLost:
                if self.progressed_at < began_at:
                    raise
        return self.take()

    def take(self) -> Part:
        """Give the next part, which is there, or raise what the conversation failed with."""
        if self._unread:
            return self._unread.pop(0)
        raise self._failure or RequestLost()

    async def turn(self, within_seconds: float | None = None) -> int:
        """Return when the other side wants a chunk, with its number. Raises as `next` does."""
        if self._chunks_said >= self._wanted_below and self._failure is None:
            async with _bounded(within_seconds):
                while self._chunks_said >= self._wanted_below and self._failure is None:
                    self._turn = _open(self._turn)
                    await self._turn
        if self._failure is not None:
            raise self._failure
        self.progress()
        self._chunks_said += 1
        return self._chunks_said - 1

    @property
    def chunks_said(self) -> int:
        """How many numbers `turn` has given out."""
        return self._chunks_said


class CreditWindow:
    """Decides when to ask for more chunks: as soon as half of those that may be under way have been taken."""

    def __init__(self, frames_in_flight: int) -> None:
        self._window = frames_in_flight
        self._taken = 0
        self._wanted = frames_in_flight

    @property
    def below(self) -> int:
        """Up to which number chunks are wanted now."""
        return self._wanted

    def take(self) -> int | None:
        """One chunk was taken; give the new `below` when it is time to say it, else None."""
        self._taken += 1
        if self._wanted - self._taken > self._window // 2:
            return None
        self._wanted = self._taken + self._window
        return self._wanted


@asynccontextmanager
async def _bounded(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with Timeout(seconds):
            yield
    except TimeoutError as error:
        raise RequestLost(f"nothing was heard of it for {seconds:g} s") from error


def _open(waiting: "asyncio.Future[None] | None") -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future() if waiting is None or waiting.done() else waiting


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
