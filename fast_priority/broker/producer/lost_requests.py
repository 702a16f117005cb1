"""The decision which waiting requests to look at, and which of them are lost. However many wait, each look is small.

Theory of operation. A worker that dies leaves leases that end, so each look includes the requests whose lease ends
soon. Other reasons for a missing job (a person with rq's tools, a Redis that has lost data) are rare, so the other
requests take turns: up to 500 in each look. A look includes all requests once one is lost, when so many leases end that
the script does not return all of them, or when the caller says that any request may be lost (`look_at_all`).
"""

from collections.abc import Collection, Sequence

from fast_priority.errors import FailedByForeignWorker, GatewayError, RequestCancelled, RequestLost

_A_TURN = 500
_MOST_LOOKS = 10
_MOST_ENDING = 1000
"""The most ending leases that `watch.lua` returns for each queue."""

_LOST = frozenset({b"", b"failed"})
"""The status of a job that will not be answered: it is missing, or a stock worker has died with it."""
_FAILED_ELSEWHERE = b"failed elsewhere"
"""The status of a job with which an rq worker has failed that did not run our code."""
_CANCELLED = frozenset({b"canceled", b"stopped"})
"""The status of a job that a person has cancelled or stopped with rq's tools."""


class LostRequestDetector:
    """Decides about the requests of one gateway whose jobs must exist."""

    def __init__(self) -> None:
        self._watched: dict[str, None] = {}  # the oldest first
        self._missing_looks: dict[str, int] = {}
        """In how many looks in a row the job was missing; 0 if its lease ends soon."""
        self._turns_to_come: list[str] = []
        self._looks_at_all = False

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def is_urgent(self) -> bool:
        """Whether the next look is likely to find a lost request."""
        return self._looks_at_all or any(looks == 1 for looks in self._missing_looks.values())

    def add(self, request_id: str) -> None:
        """Watch a request: its job must exist from now on."""
        self._watched[request_id] = None

    def drop(self, request_id: str) -> None:
        """Watch a request no longer."""
        self._watched.pop(request_id, None)
        self._missing_looks.pop(request_id, None)

    def choose(self, *, look_at_all: bool) -> list[str]:
        """Return the ids to look at now, the oldest first."""
        if look_at_all or self._looks_at_all:
            return list(self._watched)
        to_come = [each for each in self._turns_to_come if each in self._watched] or list(self._watched)
        turn, self._turns_to_come = to_come[:_A_TURN], to_come[_A_TURN:]
        chosen = {*self._missing_looks, *turn}
        return [each for each in self._watched if each in chosen]

    def note(
        self, seen: Sequence[tuple[str, bytes]], ending: Collection[str], unread: int
    ) -> list[tuple[str, GatewayError]]:
        """Note the result of one look. Return the lost requests with their errors, the youngest first.

        `seen` has the id and the status of each job of the look. `ending` has the ids, of any gateway, whose lease ends
        soon. `unread` is the number of frames that were left to read; one of them may be the answer.
        """
        lost = [(each, error) for each, status in reversed(seen) if (error := self._note_one(each, status, unread))]
        for request_id in ending:
            if request_id in self._watched:
                self._missing_looks.setdefault(request_id, 0)
        self._looks_at_all = bool(lost) or len(ending) >= _MOST_ENDING
        return lost

    def _note_one(self, request_id: str, status: bytes, unread: int) -> GatewayError | None:
        if request_id not in self._watched:
            return None
        if status in _CANCELLED:
            return RequestCancelled("its job was cancelled")
        if status == _FAILED_ELSEWHERE:  # no answer can be on its way
            return FailedByForeignWorker(
                "a stock rq worker took the request and failed before it ran fast_priority.job.forward: it was killed, "
                "or it is not of Fast Priority 2"
            )
        if status not in _LOST:
            self._missing_looks.pop(request_id, None)
            return None
        # A worker removes the job and publishes the last part in one step, so that part may still be unread. But there
        # may always be frames to read for other requests, so a job that stays missing is lost all the same.
        self._missing_looks[request_id] = looks = self._missing_looks.get(request_id, 0) + 1
        is_lost = looks >= _MOST_LOOKS or (looks > 1 and unread == 0)
        return RequestLost("the worker that had it has died, or Redis has lost it") if is_lost else None
