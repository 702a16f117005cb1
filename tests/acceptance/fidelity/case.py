"""A case: the bytes of its requests and answers, and the judge of the result. Everything here is pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.acceptance.fidelity.messages import Message

Ending = Literal["kept", "closed", "silent"]
"""The state of the client's connection at the end: it still served, it was closed, or nothing more came."""


TARGET = b"{target}"
"""Stands in answers for host and port of the target, which are known only while it runs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes that the target sends for one request, and whether it then closes the connection."""

    data: bytes
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """All that client and target received in one case."""

    requests: tuple[Message, ...]
    """The complete requests that the target received."""
    scraps: bytes
    """All other bytes that the target received."""
    responses: tuple[Message, ...]
    """The responses that the client received, with interim ones."""
    rest: bytes
    """All other bytes that the client received."""
    ending: Ending
    next_client_is_well: bool
    """Whether another client, on a connection of its own, then got its own answer."""
    target_authority: bytes
    """Host and port of the target."""

    @property
    def final(self) -> Message | None:
        """The first final response."""
        return next((response for response in self.responses if response.is_final), None)

    @property
    def interim_statuses(self) -> list[int]:
        """The statuses of the responses before it."""
        return [response.status for response in self.responses if not response.is_final]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the result is right, and what was seen, in a few words; if two results are right, which one it was."""

    fine: bool
    words: str = ""


FINE = Verdict(True)

Judge = Callable[[Seen], Verdict]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the tables.

    `sent` goes to the gateway piece by piece, each when the one before has its final response; `body_on_continue` goes
    there when a 100 asks for it. The target gives its `answers` in order, one a request.
    """

    name: str
    sent: tuple[bytes, ...]
    answers: tuple[Answer, ...]
    judge: Judge
    body_on_continue: bytes = b""


@dataclass(frozen=True, slots=True)
class Group:
    """The cases of one table, and a sentence about them."""

    title: str
    about: str
    cases: tuple[Case, ...]


def verdict_on(case: Case, seen: Seen) -> Verdict:
    """Judge what was seen: first by the rules for every case, then by the judge of the case."""
    if seen.ending == "silent":
        return Verdict(False, f"timed out, after {_last_words(seen)}")
    if not seen.next_client_is_well:
        return Verdict(False, "the next client did not get its own answer")
    return case.judge(seen)


def _last_words(seen: Seen) -> str:
    if seen.rest:
        return "bytes that are no response"
    return f"a {seen.responses[-1].status}" if seen.responses else "nothing"
