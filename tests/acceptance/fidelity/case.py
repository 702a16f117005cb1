"""What a case is: the bytes that are sent and answered, and the judge of what came of them. All of it pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.acceptance.fidelity.messages import Message

Ending = Literal["kept", "closed", "silent"]
"""How the client's connection fared: it still served, it was closed, or nothing came any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes that the target sends for one request, and whether it then closes the connection."""

    data: bytes
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """All that came of one case, on both sides of whoever stood between."""

    requests: tuple[Message, ...]
    """What the target received whole."""
    scraps: bytes
    """What the target received beside that, and what is no request."""
    responses: tuple[Message, ...]
    """What the client received, interim responses among it."""
    rest: bytes
    """What the client received behind that, and what is no response."""
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
        """The statuses of what came before it."""
        return [response.status for response in self.responses if not response.is_final]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it was as it should be, and in a few words what was seen; where both ways are right, which it was."""

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
    """Cases that stand in one table, and what they are about in a sentence."""

    title: str
    about: str
    cases: tuple[Case, ...]


def verdict_on(case: Case, seen: Seen) -> Verdict:
    """Judge what was seen: first what holds for every case, then what is the case's own."""
    if seen.ending == "silent":
        return Verdict(False, f"timed out, after {_last_words(seen)}")
    if not seen.next_client_is_well:
        return Verdict(False, "the next client did not get its own answer")
    return case.judge(seen)


def _last_words(seen: Seen) -> str:
    if seen.rest:
        return "bytes that are no response"
    return f"a {seen.responses[-1].status}" if seen.responses else "nothing"
